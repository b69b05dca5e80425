import type { Source } from '../source.js';

/** A line of a Caddyfile: words, and a block behind them. */
export interface CaddyLine {
  readonly words: readonly string[];
  readonly source: Source;
  readonly start: number;
  /** Behind its last word or its closing brace. */
  readonly end: number;
  readonly parent: CaddyLine | undefined;
  readonly block?: readonly CaddyLine[];
}

export interface Caddyfile {
  readonly source: Source;
  readonly lines: readonly CaddyLine[];
  readonly problems: readonly { readonly offset: number; readonly message: string }[];
}

interface Growing {
  words: string[];
  source: Source;
  start: number;
  end: number;
  parent: Growing | undefined;
  block?: Growing[];
}

/** Blocks within blocks; Caddy needs five. */
const DEPTH_MAX = 100;

/** Reads the shape of a Caddyfile: words, quotes, comments and blocks. A brace opens a block when it is the last word of a line. */
export function parseCaddyfile(source: Source): Caddyfile {
  const { text } = source;
  const problems: { offset: number; message: string }[] = [];
  const top: Growing[] = [];
  let block: Growing | undefined;
  let depth = 0;
  let line: Growing | undefined;
  for (const token of tokensOf(text)) {
    if (token.kind === 'end') {
      line = undefined;
      continue;
    }
    if (token.kind === 'open') problems.push({ offset: token.start, message: 'this quote is never closed' });
    if (token.kind === 'word' && token.text === '}' && line === undefined) {
      if (block === undefined) problems.push({ offset: token.start, message: "unexpected '}'" });
      else {
        block.end = token.end;
        block = block.parent;
        depth--;
      }
      continue;
    }
    if (line === undefined) {
      line = { words: [], source, start: token.start, end: token.end, parent: block };
      (block?.block ?? top).push(line);
    }
    if (token.kind === 'word' && token.text === '{' && isLastOfLine(text, token.end) && depth < DEPTH_MAX) {
      line.block = [];
      line.end = token.end;
      block = line;
      depth++;
      line = undefined;
    } else {
      line.words.push(token.text);
      line.end = token.end;
    }
  }
  if (block) problems.push({ offset: block.start, message: "this block is not closed: a '}' is missing" });
  for (let open = block; open; open = open.parent) open.end = text.length;
  return { source, lines: top, problems: problems.slice(0, 20) };
}

interface Token {
  readonly kind: 'word' | 'quoted' | 'open' | 'end';
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

function* tokensOf(text: string): Generator<Token> {
  const step = /[ \t\r]+|\\\r?\n|\n|#[^\n]*|["`]|[^ \t\r\n]/y;
  const word = /[^ \t\r\n]*/y;
  for (let at = 0; at < text.length;) {
    step.lastIndex = at;
    const char = step.exec(text)?.[0] ?? '';
    if (char === '\n') yield { kind: 'end', text: '', start: at, end: at + 1 };
    const isSkipped = char === '\n' || /^(?:[ \t\r#]|\\\r?\n)/.test(char);
    if (isSkipped) {
      at = step.lastIndex;
      continue;
    }
    if (char === '"' || char === '`') {
      const end = endOfQuote(text, at, char);
      const inner = text.slice(at + 1, end === undefined ? text.length : end - 1);
      yield { kind: end === undefined ? 'open' : 'quoted', text: inner, start: at, end: end ?? text.length };
      at = end ?? text.length;
    } else {
      word.lastIndex = at;
      const found = word.exec(text)?.[0] ?? '';
      yield { kind: 'word', text: found, start: at, end: at + found.length };
      at += found.length;
    }
  }
}

function endOfQuote(text: string, start: number, quote: string): number | undefined {
  for (let at = text.indexOf(quote, start + 1); at >= 0; at = text.indexOf(quote, at + 1)) {
    if (quote === '`' || text.charAt(at - 1) !== '\\') return at + 1;
  }
  return undefined;
}

function isLastOfLine(text: string, from: number): boolean {
  const rest = /[ \t\r]*(?:#[^\n]*)?(?:\n|$)/y;
  rest.lastIndex = from;
  return rest.test(text);
}

/** Every line below some, outer ones first. */
export function* walkCaddy(lines: readonly CaddyLine[]): Generator<CaddyLine> {
  const waiting = [...lines].reverse();
  for (let line = waiting.pop(); line; line = waiting.pop()) {
    yield line;
    const inside = line.block ?? [];
    for (let at = inside.length - 1; at >= 0; at--) waiting.push(inside[at] as CaddyLine);
  }
}
