import { describe, expect, it } from 'vitest';
import { Source } from '../source.js';
import { type Directive, parseNginx } from './parser.js';

const parse = (text: string): ReturnType<typeof parseNginx> => parseNginx(new Source('nginx.conf', text));

const outline = (directives: readonly Directive[]): unknown[] =>
  directives.map(({ name, args, block }) => [name, ...args, ...(block ? [outline(block)] : [])]);

describe('the parser of nginx', () => {
  it('reads blocks within blocks', () => {
    const text = 'http { server { listen 80; location / { proxy_pass http://a; } } } events {}';
    expect(outline(parse(text).directives)).toEqual([
      [
        'http',
        [
          [
            'server',
            [
              ['listen', '80'],
              ['location', '/', [['proxy_pass', 'http://a']]],
            ],
          ],
        ],
      ],
      ['events', []],
    ]);
    expect(parse(text).problems).toEqual([]);
  });

  it('says of every word where it stands', () => {
    const text = 'proxy_set_header\n  Upgrade  "$http_upgrade" ;';
    const [directive] = parse(text).directives;
    expect(directive?.words.map(({ start, end }) => text.slice(start, end))).toEqual([
      'proxy_set_header',
      'Upgrade',
      '"$http_upgrade"',
    ]);
    expect(directive?.args).toEqual(['Upgrade', '$http_upgrade']);
    expect(text.slice(directive?.start, directive?.end)).toBe(text);
  });

  it('keeps the body of a Lua block', () => {
    const [directive] = parse('content_by_lua_block { ngx.say("}") }').directives;
    expect(directive?.lua).toBe(' ngx.say("}") ');
  });

  it.each([
    ['a b', "'a' is not terminated by ';'"],
    ['a { b }', "'b' is not terminated by ';'"],
    ['a { b;', "this block is not closed: a '}' is missing"],
    ['}', "unexpected '}'"],
    ['server { listen 80 location / { } }', "'listen' is not terminated by ';'"],
    ['location /;', "'location' has no block: a '{' is missing"],
    [';', "unexpected ';'"],
    ['{ }', "unexpected '{'"],
    ['a "b;', 'this quote is never closed'],
    ['a "b"# c\n;', 'a quoted word must be followed by white space'],
    ['a "b"c;', 'a quoted word must be followed by white space'],
    ['a {'.repeat(200), 'more than 100 blocks within one another'],
  ])('says what is wrong with %j', (text, message) => {
    expect(parse(text).problems.map((problem) => problem.message)).toContain(message);
  });

  it('takes any word for a key in a table', () => {
    expect(parse('map $a $b { location 1; listen 2; } types { if if; }').problems).toEqual([]);
  });

  it('goes on behind a mistake', () => {
    expect(outline(parse('a { b } c d; } e;').directives)).toEqual([['a', []], ['c', 'd'], ['e']]);
  });
});
