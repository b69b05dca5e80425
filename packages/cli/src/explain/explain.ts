import { errors, HoldfastError } from '@holdfast/protocol';
import { nearest } from '@holdfast/policy';
import type { ExplainOptions } from '../explain-command.js';
import type { Output } from '../program.js';
import { table } from '../table.js';
import { forTerminal } from './markdown.js';
import { topics, type Topic } from './topics.js';

/** `holdfast explain`: what is known of a word, or which words there are. */
export async function explain({ topic: wanted }: ExplainOptions, output: Output): Promise<number> {
  const all = topics();
  if (wanted === undefined) {
    output.out(overview(all));
    return 0;
  }
  // A word may be a kind of clock and a section of the file: then both are told.
  const found = all.filter(({ names }) => names.some((name) => name.toLowerCase() === wanted.toLowerCase()));
  if (found.length === 0) {
    const guess = nearest(
      wanted,
      all.flatMap(({ names }) => names),
    );
    const hint = guess === undefined ? '; holdfast explain lists them' : `; did you mean ${guess}?`;
    throw new HoldfastError(errors.OPTION, `there is no topic ${JSON.stringify(wanted.slice(0, 60))}${hint}`);
  }
  const told = found.map(({ text, isRaw }) => (isRaw ? text() : `${forTerminal(text()).trimEnd()}\n`));
  output.out(told.join('\n\n'));
  return 0;
}

function overview(all: readonly Topic[]): string {
  const groups = new Map<string, string[]>();
  for (const { group, names } of all) groups.set(group, [...(groups.get(group) ?? []), names[0] ?? '']);
  const rows = Array.from(groups, ([group, names]) => [group, wrapped(names)]);
  return `holdfast explain TOPIC, where TOPIC is one of\n\n${rows.map(([group = '', names = '']) => `${group}\n${names}\n`).join('\n')}`;
}

/** Names side by side, as many as a line takes. */
function wrapped(names: readonly string[]): string {
  const wide = Math.max(...names.map(({ length }) => length));
  const perLine = Math.max(1, Math.floor(96 / (wide + 2)));
  const rows: string[][] = [];
  for (let i = 0; i < names.length; i += perLine) rows.push(names.slice(i, i + perLine));
  return table(rows, '  ');
}
