import { Command, CommanderError } from 'commander';
import { HoldfastError } from '@holdfast/store';
import { addApply, addDiff, addRollback, addVerify } from './cluster-command.js';
import { describeFailure } from './failure.js';
import { addCheck, type CheckOptions } from './check-command.js';
import { addEnv, type EnvOptions } from './env-command.js';
import { addExplain, type ExplainOptions } from './explain-command.js';
import { addGateway, type GatewayCommandOptions } from './gateway-command.js';
import type { ClusterOptions } from './kubectl/actions.js';
import { addRender, type RenderOptions } from './render-command.js';
import { addLint, type LintFlags } from './lint-command.js';
import { addServe, type ServeOptions } from './serve-command.js';
import { version } from './version.js';

/** Where a command writes to: the process's own streams, or a test's. */
export interface Output {
  out(text: string): void;
  error(text: string): void;
}

/** What a command leads to: its exit code. */
export type Action<Options> = (options: Options, output: Output) => Promise<number>;

/** What each command is told. */
interface OptionsOf {
  readonly serve: ServeOptions;
  readonly render: RenderOptions;
  readonly gateway: GatewayCommandOptions;
  readonly apply: ClusterOptions;
  readonly diff: ClusterOptions;
  readonly verify: ClusterOptions;
  readonly rollback: ClusterOptions;
  readonly check: CheckOptions;
  readonly env: EnvOptions;
  readonly explain: ExplainOptions;
  readonly lint: LintFlags;
}

/** Loaded only when it is asked for: `--help` need not wait for a database. */
export type Actions = { readonly [Name in keyof OptionsOf]: Action<OptionsOf[Name]> };

const actions: Actions = {
  serve: async (options) => (await import('./serve/primary.js')).serve(options),
  gateway: async (options, output) => (await import('./gateway/run.js')).runGateway(options, output),
  render: async (options, output) => (await import('./render/render.js')).renderPolicy(options, output),
  apply: async (options, output) => (await import('./kubectl/actions.js')).apply(options, output),
  diff: async (options, output) => (await import('./kubectl/actions.js')).diff(options, output),
  verify: async (options, output) => (await import('./kubectl/actions.js')).verifyCluster(options, output),
  rollback: async (options, output) => (await import('./kubectl/actions.js')).rollback(options, output),
  check: async (options, output) => (await import('./policy/check.js')).check(options, output),
  env: async (options, output) => (await import('./policy/env.js')).env(options, output),
  explain: async (options, output) => (await import('./explain/explain.js')).explain(options, output),
  lint: async (flags, output) => (await import('./lint.js')).runLint(flags, output),
};

/** How each command is added to the program, in the order of `--help`. */
const commands: {
  readonly [Name in keyof Actions]: (program: Command, act: (options: OptionsOf[Name]) => Promise<void>) => void;
} = {
  serve: addServe,
  gateway: addGateway,
  render: addRender,
  apply: addApply,
  diff: addDiff,
  verify: addVerify,
  rollback: addRollback,
  check: addCheck,
  env: addEnv,
  explain: addExplain,
  lint: addLint,
};

const streams: Output = {
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
};

/** Runs a command line, without the name of the program, to its exit code: 0, 1 for a failure, 2 for a wrong command line. */
export async function run(argv: readonly string[], replaced: Partial<Actions> = {}, output = streams): Promise<number> {
  const does: Actions = { ...actions, ...replaced };
  let exitCode = 0;
  const program = new Command('holdfast')
    .description('WebSockets that hold: sessions that outlive their connections and their server processes.')
    .version(version, '-V, --version', 'Print the version.')
    .helpOption('-h, --help', 'Print this help.')
    .helpCommand(false)
    .configureOutput({ writeOut: (text) => output.out(text), writeErr: (text) => output.error(text) })
    .showHelpAfterError('(holdfast --help tells what there is)')
    .exitOverride();
  const add = <Name extends keyof Actions>(name: Name): void => {
    const act: Action<OptionsOf[Name]> = does[name];
    commands[name](program, async (options) => {
      exitCode = await act(options, output);
    });
  };
  for (const name of Object.keys(commands)) add(name as keyof Actions);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has printed what it found itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof HoldfastError)) throw error;
    output.error(`${describeFailure(error)}\n`);
    return 2;
  }
}
