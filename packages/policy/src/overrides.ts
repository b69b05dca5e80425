import { secondsToMs, WEBSOCKET_VARIABLES } from '@holdfast/protocol';
import type { Branch, Node, Origin, Variables } from './document.js';
import { CONNECT, KEEPALIVE, type Key } from './keys.js';
import { OF_VARIABLES, type Problem } from './problem.js';
import { DURATION_MS_MAX } from './units.js';

const SECTIONS: Readonly<Record<string, Readonly<Record<string, Key>>>> = { connect: CONNECT, keepalive: KEEPALIVE };

export interface Overrides {
  /** What the variables say, as if it were the last part of the file. */
  readonly branch: Branch;
  readonly problems: readonly Problem[];
}

/** The `WEBSOCKET_*` variables that are set, in seconds. */
export function overridesOf(variables: Variables): Overrides {
  const sections = new Map<string, Map<string, { keyAt: Origin; node: Node }>>();
  const problems: Problem[] = [];
  for (const [variable, fields] of Object.entries(WEBSOCKET_VARIABLES)) {
    const value = variables[variable];
    if (!value) continue;
    const ms = secondsToMs(value) ?? Infinity;
    const at: Origin = { line: 1, column: 1, layer: '', variable };
    if (ms > DURATION_MS_MAX) {
      const message = `${variable} is ${JSON.stringify(value.slice(0, 40))}`;
      const expected = 'a number of seconds, of ten years at most';
      problems.push({ ...OF_VARIABLES, path: variable, message, expected });
      continue;
    }
    for (const field of fields) {
      const [section = '', name = ''] = field.split('.');
      const entries = sections.get(section) ?? new Map<string, { keyAt: Origin; node: Node }>();
      sections.set(
        section,
        entries.set(SECTIONS[section]?.[name]?.key ?? name, { keyAt: at, node: { at, value: `${ms}ms` } }),
      );
    }
  }
  const at = { line: 1, column: 1 };
  const entries = Array.from(
    sections,
    ([section, values]) => [section, { keyAt: at, node: { at, entries: values } }] as const,
  );
  return { branch: { at, entries: new Map(entries) }, problems };
}
