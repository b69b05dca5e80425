import type { Source } from '../../source.js';

/** One instruction of a Dockerfile, its continued lines joined. */
export interface Instruction {
  readonly name: string;
  readonly rest: string;
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

export function parseDockerfile(source: Source): Instruction[] {
  const found: Instruction[] = [];
  const line = /[^\n]*/y;
  let text = '';
  let start = 0;
  for (let at = 0; at < source.text.length; at = line.lastIndex + 1) {
    line.lastIndex = at;
    const raw = line.exec(source.text)?.[0].trimEnd() ?? '';
    if (/^\s*(?:#|$)/.test(raw)) continue;
    if (text === '') start = at + raw.length - raw.trimStart().length;
    const isContinued = raw.endsWith('\\');
    text += isContinued ? `${raw.slice(0, -1)} ` : raw;
    if (isContinued) continue;
    const [, name = '', rest = ''] = /^\s*(\S+)\s*([^]*)$/.exec(text) ?? [];
    found.push({ name: name.toUpperCase(), rest, source, start, end: at + raw.length });
    text = '';
  }
  return found;
}

/** The instructions of the last stage, and of the stages that it is built on. */
export function finalStage(instructions: readonly Instruction[]): readonly Instruction[] {
  const stages: Instruction[][] = [];
  for (const each of instructions) {
    if (each.name === 'FROM') stages.push([each]);
    else stages.at(-1)?.push(each);
  }
  const named = new Map<string, Instruction[]>();
  let last: Instruction[] = [];
  for (const [index, stage] of stages.entries()) {
    const words = (stage[0]?.rest ?? '').replace(/^--platform=\S+\s+/, '').split(/\s+/);
    last = [...(named.get(words[0] ?? '') ?? []), ...stage];
    named.set(String(index), last);
    if (/^as$/i.test(words[1] ?? '')) named.set(words[2] ?? '', last);
  }
  return last;
}
