import { existsSync } from 'node:fs';
import { detectEnvironment, type Environment, loadPolicy, parse, shownValues, type Sources } from '@holdfast/policy';
import { environmentNamed, errors, HoldfastError, surroundingsOf, WEBSOCKET_VARIABLES } from '@holdfast/protocol';
import type { EnvOptions } from '../env-command.js';
import { POLICY_FILE } from '../policy-options.js';
import type { Output } from '../program.js';
import { table } from '../table.js';

interface Shown {
  readonly environment: Environment;
  readonly sources: Sources;
  readonly because: string;
  /** Undefined without a file. */
  readonly path: string | undefined;
}

/** `holdfast env`: where this process would run, and where every value comes from. */
export async function env(options: EnvOptions, output: Output): Promise<number> {
  const surroundings = surroundingsOf(process.env);
  const { environment, sources, because, path } = await shown(options);
  const values = shownValues(environment, sources);
  const set = Object.keys(WEBSOCKET_VARIABLES).filter((name) => process.env[name]);
  if (options.json) {
    const detected = { environment: surroundings.name, from: surroundings.from };
    output.out(
      `${JSON.stringify({ detected, file: path ?? null, environment: environment.name, because, variables: set, values }, null, 2)}\n`,
    );
    return 0;
  }
  const rows = values.map(({ key, value, source }) => [key, value, source]);
  const head = [
    [
      'detected',
      `${surroundings.name}, from ${surroundings.from}${unknownIn(process.env['ENVIRONMENT'], environment)}`,
    ],
    ['policy', path === undefined ? `none: there is no ${options.file}` : path],
    ['environment', `${environment.name}, because ${because}`],
    ['variables', set.length === 0 ? 'no WEBSOCKET_* is set' : set.join(', ')],
  ];
  output.out(`${table(head)}\n\n${table(rows, '  ')}\n`);
  return 0;
}

/** A word that names neither a preset nor this environment has done nothing, and may be a slip. */
const unknownIn = (word: string | undefined, { name }: Environment): string =>
  !word || word === name || environmentNamed(word) ? '' : ` (ENVIRONMENT is ${word}, which matches no environment)`;

async function shown({ file, env: wanted }: EnvOptions): Promise<Shown> {
  if (file !== POLICY_FILE || wanted !== undefined || existsSync(file)) {
    const { policy, sources: all } = await loadPolicy(file, { environment: wanted });
    const { environment, because } = detectEnvironment(policy, wanted);
    return { environment, because, path: policy.path, sources: all.get(environment.name) ?? new Map() };
  }
  return withoutFile();
}

/** What holds where nobody has written a policy: defaults, the preset of the surroundings, and the variables. */
function withoutFile(): Shown {
  const { name, from } = surroundingsOf(process.env);
  const text = `name: app\nenvironments: {${name}: {hosts: [localhost], routes: [{websocket: /}]}}\n`;
  const { policy, sources, problems } = parse(text);
  const environment = policy?.environments.get(name);
  if (!environment) throw new HoldfastError(errors.POLICY, problems?.map(({ message }) => message).join('; '));
  return {
    environment,
    sources: sources?.get(name) ?? new Map(),
    because: from === 'default' ? 'nothing says otherwise' : `${from} says so`,
    path: undefined,
  };
}
