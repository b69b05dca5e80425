import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, type Environment, type Policy } from '@holdfast/policy';
import { parseAllDocuments } from 'yaml';
import { render } from './render.js';
import type { TargetName } from './target.js';

const directory = join(import.meta.dirname, '../../../../examples/policies');

/** One of examples/policies, with the defaults of its variables. */
export function worked(name: string): Policy {
  const path = join(directory, `${name}.yaml`);
  const { policy, problems } = parse(readFileSync(path, 'utf8'), { path, variables: {} });
  if (!policy) throw new Error(JSON.stringify(problems));
  return policy;
}

export const WORKED = ['smart-glasses', 'chat-platform', 'three-instances', 'agents-on-cloud-run'] as const;

/** The environments of all four, each with its policy. */
export const workedEnvironments = (): { readonly name: string; readonly policy: Policy; readonly env: Environment }[] =>
  WORKED.flatMap((name) => {
    const policy = worked(name);
    return [...policy.environments.values()].map((env) => ({ name: `${name}/${env.name}`, policy, env }));
  });

/** An object of Kubernetes, as a test looks at it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** The objects that a target renders. */
export function manifestsOf(policy: Policy, env: Environment, target: TargetName): Manifest[] {
  return render(policy, env, [target])
    .flatMap(({ files }) => files)
    .flatMap(({ text }) => parseAllDocuments(text).map((document) => document.toJS() as Manifest));
}
