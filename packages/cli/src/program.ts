import { Command, CommanderError } from 'commander';
import { HoldfastError } from '@holdfast/store';
import { describeFailure } from './failure.js';
import { addServe, type Serve } from './serve-command.js';
import { version } from './version.js';

/** Where a command writes to: the process's own streams, or a test's. */
export interface Output {
  out(text: string): void;
  error(text: string): void;
}

/** What the commands lead to. Loaded only when it is asked for: `--help` need not wait for a database. */
export interface Actions {
  readonly serve: Serve;
}

const streams: Output = {
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
};

const actions: Actions = {
  serve: async (options) => (await import('./serve/primary.js')).serve(options),
};

/** Runs a command line, without the name of the program, to its exit code: 0, 1 for a failure, 2 for a wrong command line. */
export async function run(argv: readonly string[], does = actions, output = streams): Promise<number> {
  let exitCode = 0;
  const program = new Command('holdfast')
    .description('WebSockets that hold: sessions that outlive their connections and their server processes.')
    .version(version, '-V, --version', 'Print the version.')
    .helpOption('-h, --help', 'Print this help.')
    .helpCommand(false)
    .configureOutput({ writeOut: (text) => output.out(text), writeErr: (text) => output.error(text) })
    .showHelpAfterError('(holdfast --help tells what there is)')
    .exitOverride();
  addServe(program, async (options) => {
    exitCode = await does.serve(options);
  });
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
