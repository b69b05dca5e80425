import type { Source } from '../source.js';

/** A comment such as `# holdfast-ignore NGX013, NGX014: the backend pings every 20 s`. */
export interface Ignore {
  readonly offset: number;
  readonly rules: readonly string[];
  readonly reason: string;
  /** Lines that it speaks of: its own and, where it stands alone, the next that is neither empty nor a comment. */
  readonly lines: readonly number[];
}

const COMMENT = /#[ \t]*holdfast-ignore\b([^\n]*)/g;

/** Every kind of file that is linted has comments that begin with `#`. */
export function ignoresOf(source: Source): Ignore[] {
  if (!source.text.includes('holdfast-ignore')) return [];
  return Array.from(source.text.matchAll(COMMENT), (match) => {
    const [names = '', ...reason] = (match[1] ?? '').split(':');
    return {
      offset: match.index,
      rules: names.split(/[\s,]+/).filter((name) => name !== ''),
      reason: reason.join(':').trim(),
      lines: linesOf(source, match.index),
    };
  });
}

/** Comments and empty lines that an ignore comment looks beyond. */
const LOOK_AHEAD = 100;

function linesOf(source: Source, offset: number): number[] {
  const { line } = source.position(offset);
  const isAlone = source.text.slice(source.lineStart(line), offset).trim() === '';
  if (!isAlone) return [line];
  for (let next = line + 1; next <= line + LOOK_AHEAD; next++) {
    const text = source.line(next).trim();
    if (text !== '' && !text.startsWith('#')) return [line, next];
  }
  return [line];
}
