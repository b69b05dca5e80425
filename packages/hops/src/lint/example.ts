import { posix } from 'node:path';
import { describeProblem, type Environment, parse } from '@holdfast/policy';
import { type Files, memoryFiles } from '../files.js';
import { Source } from '../source.js';
import { given } from './collect.js';
import { parseVersion } from './context.js';
import { lint, type LintReport } from './engine.js';
import { LINTERS } from './linters.js';

/**
 * A configuration that shows a rule: one file, or a directory of them. Its first line may be
 * `# holdfast lint --nginx-version V`; a `holdfast.yaml` in a directory is the policy.
 */
export interface Example {
  /** `NGX001-fires.conf`, `NGX032-fires`: the rule, whether it fires, and perhaps a word on what is special. */
  readonly name: string;
  /** By path; a single file by its own name. */
  readonly texts: Readonly<Record<string, string>>;
}

export interface ExampleName {
  readonly rule: string;
  readonly fires: boolean;
}

export function exampleName(name: string): ExampleName | undefined {
  const [, rule, verdict] = /^([A-Z0-9]+)-(fires|silent)(?:[-.]|$)/.exec(name) ?? [];
  return rule === undefined ? undefined : { rule, fires: verdict === 'fires' };
}

/** Reads the examples of a directory, by name. */
export function readExamples(files: Files, directory: string): Example[] {
  return (files.list(directory) ?? []).map((entry) => {
    const isDirectory = entry.endsWith('/');
    const name = entry.replace(/\/$/, '');
    const paths = isDirectory
      ? (files.list(posix.join(directory, name)) ?? []).map((path) => posix.join(name, path))
      : [name];
    return { name, texts: Object.fromEntries(paths.map((path) => [path, textAt(files, posix.join(directory, path))])) };
  });
}

function textAt(files: Files, path: string): string {
  const file = files.read(path);
  if (file instanceof Source) return file.text;
  throw new Error(`${path}: ${file.unreadable}`);
}

/** What lint says to an example, with the policy that lies in its directory if there is one. */
export function lintExample({ name, texts }: Example): LintReport {
  const policyPath = posix.join(name, 'holdfast.yaml');
  const sources = Object.entries(texts)
    .filter(([path]) => path !== policyPath)
    .map(([path, text]) => new Source(path, text));
  const version = sources
    .map(({ text }) => /^# holdfast lint --nginx-version (\S+)/.exec(text)?.[1])
    .find((found) => found);
  const context = {
    environments: environmentsOf(policyPath, texts[policyPath]),
    policyPath: 'holdfast.yaml',
    files: memoryFiles(texts),
    nginxVersion: version ? parseVersion(version) : undefined,
  };
  return lint(given(...sources), { linters: LINTERS, context });
}

function environmentsOf(path: string, text: string | undefined): Environment[] {
  if (text === undefined) return [];
  const { policy, problems } = parse(text, { path, variables: {} });
  if (policy === undefined) throw new Error(problems.map(describeProblem).join('\n'));
  return [...policy.environments.values()];
}
