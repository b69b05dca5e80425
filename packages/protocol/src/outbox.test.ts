import { describe, expect, it } from 'vitest';
import { Outbox, type Numbered } from './outbox.js';

const wide = { messages: 100, bytes: 1_000 };
const filled = (...texts: string[]): Outbox => {
  const outbox = new Outbox();
  for (const data of texts) outbox.push({ data, binary: false });
  return outbox;
};
const all = (outbox: Outbox): Numbered[] => {
  const out: Numbered[] = [];
  for (let message = outbox.next(); message; message = outbox.next()) out.push(message);
  return out;
};
const brief = (outbox: Outbox): string[] =>
  all(outbox).map(({ n, again, data }) => `${n}${again ? ' again' : ''} ${data as string}`);

describe('Outbox', () => {
  it('numbers messages from 1 and lets them out under the window', () => {
    const outbox = filled('a', 'b', 'c');
    outbox.begin({ messages: 2, bytes: 100 }, 0);
    expect(brief(outbox)).toEqual(['1 a', '2 b']);
    expect(outbox.allSent).toBe(false);
    outbox.ack(1);
    expect(brief(outbox)).toEqual(['3 c']);
    expect(outbox.allSent).toBe(true);
  });

  it('lets a message out that is larger than the window once the others are acknowledged', () => {
    const outbox = filled('a', 'x'.repeat(50), 'b');
    outbox.begin({ messages: 9, bytes: 10 }, 0);
    expect(brief(outbox)).toEqual(['1 a']);
    outbox.ack(1);
    expect(all(outbox)).toHaveLength(1);
    outbox.ack(2);
    expect(brief(outbox)).toEqual(['3 b']);
  });

  it('sends again what is not acknowledged, marked only if it was on a wire before', () => {
    const outbox = filled('a', 'b', 'c');
    outbox.begin({ messages: 2, bytes: 100 }, 0);
    all(outbox);
    outbox.rewind();
    outbox.begin(wide, 1);
    expect(brief(outbox)).toEqual(['2 again b', '3 c']);
  });

  it('sends nothing again when the server has taken everything', () => {
    const outbox = filled('a', 'b');
    outbox.begin(wide, 0);
    all(outbox);
    outbox.rewind();
    outbox.begin(wide, 2);
    expect([brief(outbox), outbox.allSent, outbox.messages, outbox.bytes]).toEqual([[], true, 0, 0]);
  });

  it('counts what is held and what of it is not on the transport of now', () => {
    const outbox = filled('aa', 'bbb', 'c');
    expect([outbox.bytes, outbox.unsentBytes]).toEqual([6, 6]);
    outbox.begin({ messages: 2, bytes: 100 }, 0);
    all(outbox);
    expect([outbox.bytes, outbox.unsentBytes]).toEqual([6, 1]);
    outbox.ack(1);
    expect([outbox.bytes, outbox.unsentBytes]).toEqual([4, 1]);
    outbox.rewind();
    expect([outbox.bytes, outbox.unsentBytes]).toEqual([4, 4]);
    outbox.ack(2);
    expect([outbox.bytes, outbox.unsentBytes]).toEqual([1, 1]);
  });

  it('takes an old ack for no news', () => {
    const outbox = filled('a', 'b');
    outbox.begin(wide, 0);
    all(outbox);
    expect([outbox.ack(2), outbox.ack(1), outbox.ack(0), outbox.messages]).toEqual([true, true, true, 0]);
  });

  it('refuses an ack of what was never sent, and stays as it was', () => {
    const outbox = filled('a', 'b');
    outbox.begin({ messages: 1, bytes: 100 }, 0);
    all(outbox);
    expect(outbox.ack(2)).toBe(false);
    expect([outbox.messages, outbox.acked, outbox.everSent]).toEqual([2, 0, 1]);
  });

  it('takes the ack of what was sent on an older transport only', () => {
    const outbox = filled('a', 'b', 'c');
    outbox.begin(wide, 0);
    all(outbox);
    outbox.rewind();
    outbox.begin({ messages: 1, bytes: 100 }, 0);
    expect(brief(outbox)).toEqual(['1 again a']);
    expect(outbox.ack(3)).toBe(true);
    expect([brief(outbox), outbox.allSent]).toEqual([[], true]);
  });
});
