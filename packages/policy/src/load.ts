import { readFile, stat } from 'node:fs/promises';
import { errors, HoldfastError } from '@holdfast/protocol';
import { FILE_BYTES_MAX, PROBLEMS_MAX, isLeaf, nodeAt, readDocument, type Variables } from './document.js';
import { environmentOf, type Made } from './environment.js';
import { inherit, laidOver } from './inherit.js';
import { judge } from './judge.js';
import { overridesOf } from './overrides.js';
import type { Environment, Policy } from './policy.js';
import { describeProblem, type Problem } from './problem.js';
import type { Sources } from './source.js';
import { nearest } from './words.js';

export interface LoadOptions {
  /** How the file is called in messages. Default: its path. */
  readonly path?: string;
  /** For `${NAME}` in the file, and the `WEBSOCKET_*` that go before it. Default: those of this process. */
  readonly variables?: Variables;
  /** The one environment that is wanted: variables that only others need may then be unset. Default: all. */
  readonly environment?: string;
}

/** A policy, and where each value of each of its environments came from; or all that is wrong with it. */
export type Loaded =
  | { readonly policy: Policy; readonly sources: ReadonlyMap<string, Sources>; readonly problems?: undefined }
  | { readonly policy?: undefined; readonly sources?: undefined; readonly problems: readonly Problem[] };

/** Reads a policy from the text of its file. Never throws for what the text says. */
export function parse(text: string, options: LoadOptions = {}): Loaded {
  const { path: file = 'holdfast.yaml', variables = process.env, environment: wanted } = options;
  const { root, problems: unread, unset: open = [] } = readDocument(text, file, variables);
  if (root === undefined) return { problems: unread };
  const { environments, made: chains, problems: heirless } = inherit(root, file);
  // A part that nobody asked for is judged, but its variables may be missing.
  const needed = wanted === undefined ? undefined : new Set(chains.get(wanted) ?? [wanted]);
  const isNeeded = (path: string): boolean => {
    const [part, name = ''] = path.split('.');
    return part !== 'environments' || needed === undefined || needed.has(name);
  };
  const unset = open.filter(({ path }) => isNeeded(path));
  const early = [...unread, ...unset, ...without(judge(root, file), open), ...heirless];
  if (early.length > 0) return { problems: sorted(early) };

  const overrides = overridesOf(variables);
  const named = nodeAt(root, ['name']).node;
  const policyName = isLeaf(named) ? String(named.value) : '';
  const made = new Map<string, Made>();
  for (const [name, branch] of environments) {
    if (needed !== undefined && name !== wanted) continue;
    made.set(name, environmentOf(name, laidOver(branch, overrides.branch), file, policyName));
  }
  const late = [...overrides.problems, ...Array.from(made.values(), ({ problems }) => problems).flat()];
  if (late.length > 0) return { problems: sorted(late) };
  if (wanted !== undefined && !made.has(wanted)) return { problems: [noSuch(wanted, [...environments.keys()], file)] };
  return {
    policy: {
      path: file,
      name: policyName,
      text,
      environments: new Map(Array.from(made, ([name, { environment }]) => [name, environment])),
    },
    sources: new Map(Array.from(made, ([name, { sources }]) => [name, sources])),
  };
}

/** Reads a policy file. A file that cannot be read is a problem like any other. */
export async function load(path: string, options: LoadOptions = {}): Promise<Loaded> {
  const file = options.path ?? path;
  try {
    // Before it is read: it may be a device, or somebody's database.
    const { size } = await stat(path);
    if (size <= FILE_BYTES_MAX) return parse(await readFile(path, 'utf8'), { ...options, path: file });
    return {
      problems: [{ file, line: 1, column: 1, path: '', message: `the file is larger than ${FILE_BYTES_MAX} bytes` }],
    };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const reason = error.code === 'ENOENT' ? 'there is no such file' : `it cannot be read: ${error.message}`;
    return { problems: [{ file, line: 1, column: 1, path: '', message: reason }] };
  }
}

/** As {@link load}, but throws HF_POLICY with everything that is wrong. */
export async function loadPolicy(
  path: string,
  options: LoadOptions = {},
): Promise<Extract<Loaded, { policy: Policy }>> {
  const loaded = await load(path, options);
  if (loaded.policy !== undefined) return loaded;
  throw new HoldfastError(errors.POLICY, loaded.problems.map(describeProblem).join('\n  '));
}

/** The environment of this name, or the only one there is. Throws HF_OPTION. */
export function pick({ path, environments }: Policy, name: string | undefined): Environment {
  const names = [...environments.keys()];
  if (name === undefined && names.length === 1) return environments.get(names[0] ?? '') as Environment;
  const found = name === undefined ? undefined : environments.get(name);
  if (found) return found;
  const message =
    name === undefined ? `${path} has several environments: ${names.join(', ')}` : noSuch(name, names, path).message;
  throw new HoldfastError(errors.OPTION, message);
}

function noSuch(name: string, names: readonly string[], file: string): Problem {
  const expected = `one of ${names.join(', ')}`;
  return {
    file,
    line: 1,
    column: 1,
    path: 'environments',
    message: `there is no environment ${name}`,
    expected,
    nearest: nearest(name, names),
  };
}

/** A variable that is not set leaves an empty text, of which more need not be said. */
const without = (problems: readonly Problem[], said: readonly Problem[]): Problem[] =>
  problems.filter(({ path }) => !said.some((problem) => problem.path === path));

/** As they stand in the file, each once: what stands in `base` is wrong in every environment. */
function sorted(problems: readonly Problem[]): Problem[] {
  const byPlace = new Map(problems.map((problem) => [describeProblem(problem), problem]));
  return [...byPlace.values()].sort((a, b) => a.line - b.line || a.column - b.column).slice(0, PROBLEMS_MAX);
}
