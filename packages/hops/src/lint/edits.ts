import type { Source } from '../source.js';
import type { Edit } from './rule.js';

/** Something in a text that an edit is about, such as a directive. */
export interface Span {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

export const replace = ({ source, start, end }: Span, text: string): Edit => ({ source, start, end, text });

/** Adds lines behind one, indented as it is. */
export function insertBehind({ source, start, end }: Span, lines: readonly string[]): Edit {
  const indent = /^[ \t]*/.exec(source.text.slice(source.lineStart(source.position(start).line), start))?.[0] ?? '';
  return { source, start: end, end, text: lines.map((line) => `${newline(source)}${indent}${line}`).join('') };
}

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
