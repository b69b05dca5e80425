import { endOfLua } from './lua.js';

/**
 * The tokens of an nginx configuration. They cover the text without a gap, so that joined they give it back; what nginx would
 * refuse is a token like any other, and for the parser to judge.
 */
export interface Token {
  readonly kind: TokenKind;
  readonly start: number;
  /** Behind its last character. */
  readonly end: number;
}

/** `lua` is the body of a `_by_lua_block`, without its braces. `open` is a quoted word whose quote never closes. */
export type TokenKind = 'space' | 'comment' | 'word' | 'quoted' | 'open' | ';' | '{' | '}' | 'lua';

const SPACE = /[ \t\r\n]+/y;
const COMMENT = /#[^\n]*/y;
/** Where a word may end or something in it hides what follows. */
const WORD_STOP = /[ \t\r\n;{\\$]/g;
const QUOTE_STOP = { '"': /["\\]/g, "'": /['\\]/g } as const;

const LUA_BLOCK = /_by_lua_block$/;

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const push = (kind: TokenKind, end: number): void => {
    tokens.push({ kind, start: at, end });
    at = end;
  };
  /** The first word of the directive that is being read. */
  let name: string | undefined;
  while (at < text.length) {
    const char = text.charAt(at);
    const word = tokenAt(text, at);
    if (word !== undefined) {
      if (name === undefined && (word.kind === 'word' || word.kind === 'quoted')) name = text.slice(at, word.end);
      push(word.kind, word.end);
      continue;
    }
    push(char as ';' | '{' | '}', at + 1);
    if (char === '{' && name !== undefined && LUA_BLOCK.test(name)) {
      const end = endOfLua(text, at);
      if (end > at) push('lua', end);
    }
    name = undefined;
  }
  return tokens;
}

/** The token at an offset, unless it is one of `;{}`. */
function tokenAt(text: string, at: number): { kind: TokenKind; end: number } | undefined {
  const char = text.charAt(at);
  if (char === ' ' || char === '\t' || char === '\r' || char === '\n')
    return { kind: 'space', end: match(SPACE, text, at) };
  if (char === '#') return { kind: 'comment', end: match(COMMENT, text, at) };
  if (char === ';' || char === '{' || char === '}') return undefined;
  if (char !== '"' && char !== "'") return { kind: 'word', end: endOfWord(text, at) };
  const end = endOfQuoted(text, at, char);
  return end === undefined ? { kind: 'open', end: text.length } : { kind: 'quoted', end };
}

function match(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  pattern.test(text);
  return pattern.lastIndex;
}

/**
 * As nginx reads it: a word goes on to white space, `;` or `{`, whatever quote, `#` or `}` is inside; a backslash hides the next
 * character, and `${` opens no block. A loop rather than one expression: a word of megabytes must not fill a stack.
 */
function endOfWord(text: string, start: number): number {
  WORD_STOP.lastIndex = start;
  for (let stop = WORD_STOP.exec(text); stop !== null; stop = WORD_STOP.exec(text)) {
    if (stop[0] === '\\') WORD_STOP.lastIndex = stop.index + 2;
    else if (stop[0] !== '$') return stop.index;
    else while (text.charAt(WORD_STOP.lastIndex) === '{') WORD_STOP.lastIndex++;
  }
  return text.length;
}

/** Behind the closing quote; undefined if there is none. */
function endOfQuoted(text: string, start: number, quote: '"' | "'"): number | undefined {
  const pattern = QUOTE_STOP[quote];
  pattern.lastIndex = start + 1;
  for (let stop = pattern.exec(text); stop !== null; stop = pattern.exec(text)) {
    if (stop[0] === quote) return pattern.lastIndex;
    pattern.lastIndex = stop.index + 2;
  }
  return undefined;
}

/** What nginx makes of a word: without its quotes, `\"`, `\'` and `\\` without the backslash, `\t`, `\r` and `\n` as characters. */
export function unescape(raw: string): string {
  const quote = raw.charAt(0);
  const isQuoted = raw.length > 1 && (quote === '"' || quote === "'") && raw.endsWith(quote);
  const inner = isQuoted ? raw.slice(1, -1) : raw;
  if (!inner.includes('\\')) return inner;
  return inner.replace(/\\(["'\\trn])/g, (_, char: string) => ESCAPES[char] ?? char);
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', r: '\r', n: '\n' };

/** A word as it must be written to be read as `text`. */
export function escapeWord(text: string): string {
  if (text !== '' && !/[\s;{}"'\\#]/.test(text)) return text;
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
