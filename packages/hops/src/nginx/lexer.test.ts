import fc from 'fast-check';
import { announceSeed, randomSeed } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { escapeWord, tokenize, unescape } from './lexer.js';

const seed = randomSeed();
announceSeed('lexer', seed, { command: 'npx vitest run --project unit packages/hops/src/nginx/lexer.test.ts' });

const shown = (text: string): string[] =>
  tokenize(text)
    .filter(({ kind }) => kind !== 'space')
    .map(({ kind, start, end }) => `${kind} ${text.slice(start, end)}`);

const joined = (text: string): string =>
  tokenize(text)
    .map(({ start, end }) => text.slice(start, end))
    .join('');

describe('the lexer of nginx', () => {
  it('tells words, quotes, comments and blocks apart', () => {
    expect(shown('location ~ "a b" { # why\n  x \'y;\';\n}')).toEqual([
      'word location',
      'word ~',
      'quoted "a b"',
      '{ {',
      'comment # why',
      'word x',
      "quoted 'y;'",
      '; ;',
      '} }',
    ]);
  });

  it('keeps quotes, hashes and closing braces inside of a word', () => {
    expect(shown('a"b#c}d;')).toEqual(['word a"b#c}d', '; ;']);
  });

  it('does not open a block at ${', () => {
    expect(shown('set $a ${b}c;')).toEqual(['word set', 'word $a', 'word ${b}c', '; ;']);
  });

  it('lets a backslash hide the end of a word, and of a quote', () => {
    expect(shown('a\\;b "c\\"d";')).toEqual(['word a\\;b', 'quoted "c\\"d"', '; ;']);
  });

  it('takes the closing parenthesis behind a quote for a word of its own', () => {
    expect(shown('if ($a = "b") {')).toEqual(['word if', 'word ($a', 'word =', 'quoted "b"', 'word )', '{ {']);
  });

  it('skips what Lua says, braces in strings, long brackets and comments included', () => {
    const body = " local t = { a = \"}\" } --[[ } ]] x = [=[ }} ]=] -- }\n y = '\\'}' ";
    expect(shown(`content_by_lua_block {${body}}`)).toEqual(['word content_by_lua_block', '{ {', `lua ${body}`, '} }']);
    expect(shown('set_by_lua_block $x { return {} } a;')).toContain('word a');
    expect(shown('lua_block { a; }')).toEqual(['word lua_block', '{ {', 'word a', '; ;', '} }']);
  });

  it('ends Lua that never closes with the text', () => {
    for (const body of ['{', '"', "'\\", '--[[', '[==[', '--']) {
      expect(joined(`init_by_lua_block {${body}`)).toBe(`init_by_lua_block {${body}`);
    }
  });

  const piece = fc.constantFrom(
    '{',
    '}',
    ';',
    ' ',
    '\n',
    '\r\n',
    '"',
    "'",
    '\\',
    '#',
    '$',
    '${',
    'x',
    '_by_lua_block',
    '[[',
    ']]',
    '--',
    '\0',
    'é',
    '\ud800',
    'server',
  );

  it('gives the text back when its tokens are joined, whatever the text is', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece, { maxLength: 60 }).map((parts) => parts.join('')),
          fc.string(),
        ),
        (text) => {
          expect(joined(text)).toBe(text);
          for (const { start, end } of tokenize(text)) expect(end).toBeGreaterThan(start);
        },
      ),
      { numRuns: 2000, seed },
    );
  });

  it('writes any word so that it reads the same again', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!/[\t\r\n]/.test(text));
        const written = escapeWord(text);
        const [word, end] = tokenize(`${written};`);
        expect(end?.kind).toBe(';');
        expect(unescape(written.slice(word?.start, word?.end))).toBe(text);
      }),
      { seed },
    );
  });

  it('takes a word or a quote of megabytes', () => {
    for (const text of [
      'x'.repeat(4e6),
      `"${'\\"'.repeat(2e6)}"`,
      `a${'\\;'.repeat(2e6)}`,
      `a_by_lua_block{${'"'.repeat(4e6)}`,
    ]) {
      expect(tokenize(text).at(-1)?.end).toBe(text.length);
    }
  });
});
