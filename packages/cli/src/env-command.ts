import type { Command } from 'commander';
import { addPolicyOptions, type PolicyOptions } from './policy-options.js';

/** What `holdfast env` was asked for. */
export interface EnvOptions extends PolicyOptions {
  readonly json: boolean;
}

const EXAMPLES = `
The environment is what ENVIRONMENT or NODE_ENV say, else production where the variables of a platform are set (Cloud Run, AWS,
Azure), else development. Of a policy it picks the environment of that name, or the only one with that preset.

WEBSOCKET_CONNECTION_TIMEOUT, _HEARTBEAT_INTERVAL, _HEARTBEAT_TIMEOUT, _CLEANUP_INTERVAL, _CONNECT_TIMEOUT, _HANDSHAKE_TIMEOUT,
_PING_TIMEOUT and _CLOSE_TIMEOUT go before the file, in seconds.

Examples
  $ holdfast env
  $ holdfast env -f chat.yaml --env prod
  $ WEBSOCKET_HEARTBEAT_INTERVAL=20 WEBSOCKET_HEARTBEAT_TIMEOUT=45 holdfast env --json
`;

/** Adds `holdfast env` to the program. */
export function addEnv(program: Command, env: (options: EnvOptions) => Promise<void>): void {
  const command = program
    .command('env')
    .summary('show which environment is detected, and where each value comes from')
    .description('Shows the environment that is detected, and of each of its values where it comes from.');
  addPolicyOptions(command, 'the environment to show (default: the one that is detected)')
    .option('--json', 'print one object', false)
    .helpOption('-h, --help', 'Print this help.')
    .addHelpText('after', EXAMPLES)
    .action((options: EnvOptions) => env(options));
}
