import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { Lines } from './lines.js';

async function linesOf(chunks: (string | Buffer)[], options = {}): Promise<Lines> {
  const stream = new PassThrough();
  const lines = new Lines(stream, options);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await finished(stream);
  return lines;
}

describe('Lines', () => {
  it('joins lines over chunks, takes both line ends, and keeps a last line without one', async () => {
    const lines = await linesOf(['on', 'e\r', '\ntwo\n\nth', 'ree']);
    expect(lines.kept).toEqual(['one', 'two', '', 'three']);
  });

  it('keeps a character that was split over two chunks', async () => {
    const bytes = Buffer.from('naïve ✓\n');
    const chunks = [...bytes].map((byte) => Buffer.from([byte]));
    expect((await linesOf(chunks)).kept).toEqual(['naïve ✓']);
  });

  it('keeps the newest lines only and says how many it dropped', async () => {
    const lines = await linesOf(['1\n2\n3\n4\n5\n'], { linesMax: 2 });
    expect(lines.kept).toEqual(['4', '5']);
    expect(lines.seen).toBe(5);
    expect(String(lines)).toBe('(3 earlier lines dropped)\n4\n5');
  });

  it('cuts a line at its bound and goes on with the next', async () => {
    const lines = await linesOf(['abcdef', 'ghi\nabcd\nabcde\n'], { lineCharsMax: 4 });
    expect(lines.kept).toEqual(['abcd…', 'abcd', 'abcd…']);
  });

  it('tells listeners of each line until they end', async () => {
    const stream = new PassThrough();
    const lines = new Lines(stream);
    const seen: string[] = [];
    const end = lines.listen((line) => seen.push(line));
    stream.end('one\ntwo\n');
    await finished(stream);
    end();
    expect(seen).toEqual(['one', 'two']);
  });
});
