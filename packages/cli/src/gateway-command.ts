import { errors, HoldfastError } from '@holdfast/store';
import { type Command, Option } from 'commander';
import { wrongOption } from './failure.js';

/** What `holdfast gateway` was asked for. */
export interface GatewayCommandOptions {
  /** A policy file; without one, `to` says where the pods are. */
  readonly file?: string;
  readonly env?: string;
  readonly listen: readonly string[];
  readonly to: readonly string[];
  readonly balance: Balance;
  readonly carry: CarryWord;
  readonly admin?: string;
  readonly adminTokenFile?: string;
  readonly check: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
}

const BALANCES = ['session', 'header', 'cookie', 'ip', 'round-robin', 'least'] as const;
export type Balance = (typeof BALANCES)[number];

const CARRIES = ['auto', 'relay', 'soft', 'hold'] as const;
export type CarryWord = (typeof CARRIES)[number];

const EXAMPLES = `
With a policy file, everything comes from there: routes, pods, limits, health, TLS, admin port. Without one, --to says where the pods are.

Balancing
  session      by the session of a holdfast client (?hf=)
  header       by X-Session-Id
  cookie       by a signed cookie, which is set
  ip           by the client's address
  round-robin  in turns
  least        to the pod with the fewest connections

Carrying
  relay        bytes are piped; when the pod is lost, the client gets a close with 1012
  soft         holdfast clients resume at another pod on the connection that they have
  hold         any client, any backend: the client is kept, and led to another pod
  auto         soft for holdfast clients, relay for others

Signals
  SIGHUP           read the policy and the certificates again; no connection is touched
  SIGTERM, SIGINT  drain: not ready, then no new connections, the others are told to go, exit with 0; a second SIGINT ends at once

Exit codes: 0, 1 for a failure, 2 for a wrong command line or policy.

Examples
  $ holdfast gateway --to 127.0.0.1:3003,127.0.0.1:3004
  $ holdfast gateway --listen 0.0.0.0:8080 --to 10.0.0.7:80,10.0.0.8:80 --balance cookie --carry hold
  $ holdfast gateway -f holdfast.yaml --env production --check
  $ holdfast gateway -f holdfast.yaml --env production --json
`;

/** Adds `holdfast gateway` to the program. */
export function addGateway(program: Command, act: (options: GatewayCommandOptions) => Promise<void>): void {
  const command = program
    .command('gateway')
    .summary('stand in front of pods, and keep their clients connected while they restart')
    .description('Carries HTTP and WebSockets to pods in any language, which it checks and balances.')
    .helpOption('-h, --help', 'Print this help.')
    .addHelpText('after', EXAMPLES);
  for (const [group, options] of groups()) {
    command.optionsGroup(`${group}:`);
    for (const option of options) command.addOption(option);
  }
  command.action((flags: GatewayCommandOptions) => act(checked(flags)));
}

function groups(): [string, Option[]][] {
  return [
    [
      'From a policy',
      [
        new Option('-f, --file <path>', 'the policy, such as holdfast.yaml'),
        new Option('--env <name>', 'the environment of the policy (default: the only one)'),
      ],
    ],
    [
      'Without one',
      [
        new Option('--listen <address>', 'address to listen on, repeatable')
          .argParser(collected('--listen'))
          .default([], '127.0.0.1:8080'),
        new Option('--to <addresses>', 'addresses of the pods, with commas between them')
          .argParser(collected('--to'))
          .default([], 'none'),
        new Option('--balance <how>', 'which pod a connection goes to').choices(BALANCES).default('session'),
        new Option('--carry <how>', 'how WebSockets are carried').choices(CARRIES).default('auto'),
        new Option('--admin <address>', 'address of health, metrics and the admin API (default: none)').argParser(
          parseAddress('--admin'),
        ),
        new Option('--admin-token-file <path>', 'file with the token that the admin API wants'),
      ],
    ],
    [
      'Output',
      [
        new Option('--check', 'judge the policy and what it names, and exit').default(false, 'serve'),
        new Option('--json', 'log one JSON object a line').default(false, 'lines for people'),
        new Option('--quiet', 'log warnings and errors only').default(false, 'all'),
      ],
    ],
  ];
}

const ADDRESS = /^(?:\[[\da-fA-F:.]{2,45}\]|[\w.-]{1,253}):(\d{1,5})$/;

const parseAddress =
  (flag: string) =>
  (text: string): string => {
    const port = ADDRESS.exec(text)?.[1];
    if (port !== undefined && Number(port) <= 65_535) return text;
    throw wrongOption(flag, text, 'an address with its port, such as 127.0.0.1:8080');
  };

const collected =
  (flag: string) =>
  (text: string, given: readonly string[]): readonly string[] => [...given, ...text.split(',').map(parseAddress(flag))];

/** Judges what only shows when the flags are seen together. */
function checked(options: GatewayCommandOptions): GatewayCommandOptions {
  const { file, to, listen, env, admin, adminTokenFile } = options;
  const fail = (detail: string): never => {
    throw new HoldfastError(errors.OPTION, detail);
  };
  if (file === undefined && to.length === 0) fail('neither -f nor --to is given: where are the pods?');
  if (file !== undefined && to.length + listen.length > 0) fail('-f with --to or --listen: the policy says both');
  if (file === undefined && env !== undefined) fail('--env without -f');
  if (adminTokenFile !== undefined && admin === undefined) fail('--admin-token-file without --admin');
  return options;
}
