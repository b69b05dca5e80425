import { describe, expect, it } from 'vitest';
import { Source } from '../source.js';
import { type CaddyLine, parseCaddyfile } from './parser.js';

const outline = (lines: readonly CaddyLine[]): unknown[] =>
  lines.map(({ words, block }) => (block ? [...words, outline(block)] : [...words]));
const parse = (text: string): ReturnType<typeof parseCaddyfile> => parseCaddyfile(new Source('Caddyfile', text));

describe('the parser of Caddyfiles', () => {
  it('reads lines, blocks, quotes, placeholders and comments', () => {
    const text = '# c\na.com, b.com {\n  respond "x {\ny" `z`\n  header {\n    X {host}\n  } # end\n  a \\\n b\n}\n';
    expect(outline(parse(text).lines)).toEqual([
      [
        'a.com,',
        'b.com',
        [
          ['respond', 'x {\ny', 'z'],
          ['header', [['X', '{host}']]],
          ['a', 'b'],
        ],
      ],
    ]);
    expect(parse(text).problems).toEqual([]);
  });

  it.each([
    ['a {\n', "this block is not closed: a '}' is missing"],
    ['}\n', "unexpected '}'"],
    ['a "b\n', 'this quote is never closed'],
  ])('tells what is wrong with %j', (text, message) => {
    expect(parse(text).problems.map((problem) => problem.message)).toEqual([message]);
  });
});
