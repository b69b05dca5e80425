import type { Source } from '../source.js';
import type { Repair } from './engine.js';
import type { Edit, Finding } from './rule.js';

/** A file as it would be after its repairs. */
export interface FixedFile {
  readonly source: Source;
  readonly text: string;
  /** In the order of the file. */
  readonly edits: readonly Edit[];
}

export interface Fixes {
  readonly files: readonly FixedFile[];
  readonly repaired: readonly Finding[];
  /** Repairs that overlap others: they may be possible once those are made. */
  readonly postponed: readonly Finding[];
}

/** Makes the repairs, in memory. Those that touch the same bytes exclude one another, but for equal ones; the first is made. */
export function planFixes(repairs: readonly Repair[]): Fixes {
  const taken = new Map<string, Map<string, Edit>>();
  const repaired: Finding[] = [];
  const postponed: Finding[] = [];
  for (const { finding, edits } of repairs) {
    const fits = edits.every((edit) => {
      const others = taken.get(edit.source.path);
      return !others || others.has(keyOf(edit)) || ![...others.values()].some((other) => overlap(edit, other));
    });
    (fits ? repaired : postponed).push(finding);
    if (!fits) continue;
    for (const edit of edits) {
      const others = taken.get(edit.source.path) ?? new Map<string, Edit>();
      taken.set(edit.source.path, others.set(keyOf(edit), edit));
    }
  }
  const files = Array.from(taken.values(), (edits) => fixed([...edits.values()]));
  return { files, repaired, postponed };
}

const keyOf = ({ start, end, text }: Edit): string => `${start} ${end} ${text}`;

/** Two insertions at one place are in order: both are made. */
const overlap = (a: Edit, b: Edit): boolean => a.start < b.end && b.start < a.end;

function fixed(edits: Edit[]): FixedFile {
  const sorted = edits.sort((a, b) => a.start - b.start || a.end - b.end);
  const { source } = sorted[0] as Edit;
  const parts: string[] = [];
  let at = 0;
  for (const edit of sorted) {
    parts.push(source.text.slice(at, edit.start), edit.text);
    at = edit.end;
  }
  return { source, edits: sorted, text: parts.join('') + source.text.slice(at) };
}

const CONTEXT_LINES = 3;

interface Hunk {
  /** Lines of the old text, from 1, the last included. */
  from: number;
  to: number;
  edits: Edit[];
}

/** What the repairs of a file change, as a unified diff. */
export function unifiedDiff({ source, edits }: FixedFile): string {
  const lastLine = source.position(source.text.length).line;
  const hunks: Hunk[] = [];
  for (const edit of edits) {
    const from = source.position(edit.start).line;
    const to = source.position(Math.max(edit.start, edit.end - 1)).line;
    const last = hunks.at(-1);
    if (last && from <= last.to + 2 * CONTEXT_LINES) {
      last.to = Math.max(last.to, to);
      last.edits.push(edit);
    } else hunks.push({ from, to, edits: [edit] });
  }
  const lines = [`--- ${source.path}`, `+++ ${source.path}`];
  let shift = 0;
  for (const hunk of hunks) {
    const first = Math.max(1, hunk.from - CONTEXT_LINES);
    const end = Math.min(lastLine, hunk.to + CONTEXT_LINES);
    const before = linesOf(source.text.slice(source.lineStart(first), source.lineStart(end + 1)));
    const after = linesOf(changed(source, source.lineStart(first), source.lineStart(end + 1), hunk.edits));
    lines.push(`@@ -${first},${before.length} +${first + shift},${after.length} @@`, ...compared(before, after));
    shift += after.length - before.length;
  }
  return `${lines.join('\n')}\n`;
}

function changed(source: Source, start: number, end: number, edits: readonly Edit[]): string {
  let text = '';
  let at = start;
  for (const edit of edits) {
    text += source.text.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  return text + source.text.slice(at, end);
}

const linesOf = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));

/** Hunks are short, so the longest common subsequence is found the plain way. */
function compared(before: readonly string[], after: readonly string[]): string[] {
  const longest: number[][] = Array.from({ length: before.length + 1 }, () => Array<number>(after.length + 1).fill(0));
  const at = (i: number, j: number): number => longest[i]?.[j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      (longest[i] as number[])[j] =
        before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push(` ${before[i] ?? ''}`);
      i++;
      j++;
    } else if (i < before.length && (j === after.length || at(i + 1, j) >= at(i, j + 1)))
      lines.push(`-${before[i++] ?? ''}`);
    else lines.push(`+${after[j++] ?? ''}`);
  }
  return lines;
}
