import type { Source } from '../source.js';
import type { Edit } from './rule.js';

/** Something in a text that an edit is about, such as a directive. */
export interface Span {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

export const replace = ({ source, start, end }: Span, text: string): Edit => ({ source, start, end, text });

/** Adds lines behind one, indented as it is, and behind the comment that ends its line. */
export function insertBehind(span: Span, lines: readonly string[]): Edit {
  const { source, end } = span;
  const comment = /[ \t]*#[^\r\n]*/y;
  comment.lastIndex = end;
  const at = comment.test(source.text) ? comment.lastIndex : end;
  const indent = /^[ \t]*/.exec(beforeOnLine(span))?.[0] ?? '';
  return { source, start: at, end: at, text: lines.map((line) => `${newline(source)}${indent}${line}`).join('') };
}

/** Adds lines and an empty one before a thing, indented as it is; undefined where something stands before it on its line. */
export function insertBefore(span: Span, lines: readonly string[]): Edit | undefined {
  const { source, start } = span;
  const indent = beforeOnLine(span);
  if (indent.trim() !== '') return undefined;
  const text = `${lines.join(`${newline(source)}${indent}`)}${newline(source)}${newline(source)}${indent}`;
  return { source, start, end: start, text };
}

const beforeOnLine = ({ source, start }: Span): string =>
  source.text.slice(source.lineStart(source.position(start).line), start);

/** Takes a thing away, and its line if nothing else is on it. */
export function remove({ source, start, end }: Span): Edit {
  const { text } = source;
  const lineStart = source.lineStart(source.position(start).line);
  const rest = /[ \t]*\r?(?:\n|$)/y;
  rest.lastIndex = end;
  const isAlone = text.slice(lineStart, start).trim() === '' && rest.test(text);
  return isAlone ? { source, start: lineStart, end: rest.lastIndex, text: '' } : { source, start, end, text: '' };
}

const newline = ({ text }: Source): string => (text.includes('\r\n') ? '\r\n' : '\n');
