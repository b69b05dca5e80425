import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { PolicyOptions } from '@holdfast/server';
import { errors, HoldfastError } from '@holdfast/store';
import { type Command, Option } from 'commander';
import { wrongOption } from './failure.js';
import { DRAIN_TOKEN } from './serve/messages.js';
import {
  parseCount,
  parseOrigin,
  parsePath,
  parsePodPrefix,
  parseShare,
  parseStore,
  parseTime,
  parseWorkers,
  type StoreChoice,
} from './values.js';

/** What `holdfast serve` was asked for. */
export interface ServeOptions {
  /** As it was typed, for messages. */
  readonly module: string;
  /** Absolute. */
  readonly modulePath: string;
  readonly workers: number;
  readonly port: number;
  readonly host: string;
  /** Where WebSockets are accepted; everywhere if undefined. */
  readonly path: string | undefined;
  readonly store: StoreChoice;
  readonly allowOrigin: readonly string[] | undefined;
  readonly podPrefix: string;
  readonly drainPropagation: number;
  readonly drainRate: number;
  readonly drainSpread: number;
  /** Whether `POST /drain` is answered. */
  readonly drainRequests: boolean;
  /** In milliseconds; undefined for connections of any age. */
  readonly maxAge: number | undefined;
  readonly ageJitter: number;
  readonly drainDeadline: number;
  readonly stopDeadline: number;
  readonly json: boolean;
  readonly quiet: boolean;
  /** The policy that numbers are taken from, and the environment in it that is asked for. */
  readonly file: string | undefined;
  readonly env: string | undefined;
  /** What the policy says of the server; filled in when it has been read. */
  readonly policy?: ServedPolicy;
}

export interface ServedPolicy {
  readonly path: string;
  readonly environment: string;
  /** Why this environment. */
  readonly because: string;
  readonly server: PolicyOptions;
}

const EXAMPLES = `
MODULE is an ES module with a default export: ({ wss, http, pod }) => void | Promise<void>
  wss    a WebSocketServer of @holdfast/server
  http   a node:http Server: its 'request' listeners get the requests, but /healthz and /readyz
  pod    who this worker is: id, index, pid, workers, store, host, url, and restartAll()

Signals
  SIGHUP           restart the workers one after another; clients attach to the others before they are let go
  SIGTERM, SIGINT  drain all workers and exit with 0; a second SIGINT ends them at once
                   POST /drain does the same, where --drain-requests is given
  A worker that dies is replaced.

Times take a unit: 500ms, 5s, 2m, 1h. Exit codes: 0, 1 for a failure, 2 for a wrong command line.

Examples
  $ holdfast serve app.mjs
  $ holdfast serve app.mjs --workers 3 --port 8080 --store lmdb:./data
  $ holdfast serve app.mjs --workers 2 --store redis://user:password@redis.example.com:6379
  $ holdfast serve app.mjs -f holdfast.yaml --env prod
  $ holdfast serve app.mjs --workers auto --host 0.0.0.0 --json --drain-propagation 5s
`;

/** Adds `holdfast serve MODULE` to the program. */
export function addServe(program: Command, serve: (options: ServeOptions) => Promise<void>): void {
  const command = program
    .command('serve')
    .summary('serve a module on one machine, with workers that can be killed and restarted')
    .description('Serves a module with one or more worker processes that share a port and a store.')
    .argument('<module>', 'the ES module to serve, a path')
    .helpOption('-h, --help', 'Print this help.')
    .addHelpText('after', EXAMPLES);
  for (const [group, options] of groups()) {
    command.optionsGroup(`${group}:`);
    for (const option of options) command.addOption(option);
  }
  command.action(async (module: string, flags: Flags) => {
    const options = serveOptions(module, flags);
    const isTyped = (flag: keyof ServeOptions): boolean => command.getOptionValueSource(flag) === 'cli';
    const { file } = options;
    await serve(
      file === undefined ? options : await (await import('./serve/policy.js')).withPolicy(options, file, isTyped),
    );
  });
}

type Flags = Omit<ServeOptions, 'module' | 'modulePath' | 'policy'>;

function groups(): [string, Option[]][] {
  return [
    [
      'Address',
      [
        option('-p, --port <port>', 'TCP port; 0 for any that is free', '8080', PORT),
        option(
          '--host <address>',
          'address to listen on; 0.0.0.0 lets other machines in, the default does not',
          '127.0.0.1',
        ),
        option('--path <path>', 'where WebSockets are accepted (default: everywhere)', undefined, parsePath),
        option(
          '--allow-origin <origin>',
          'origin that pages may connect from, repeatable (default: own host)',
        ).argParser((text: string, given: string[] | undefined) => [...(given ?? []), parseOrigin(text)]),
      ],
    ],
    [
      'Workers and sessions',
      [
        option('-w, --workers <count>', 'worker processes; auto for one per processor', '1', parseWorkers),
        option(
          '--store <url>',
          'where sessions live: memory:, lmdb:PATH, redis://HOST, redis+cluster://HOST,HOST or redis+sentinel://HOST,HOST/NAME',
          'lmdb:./.holdfast',
          parseStore,
        ),
        option('--pod-prefix <name>', 'beginning of the names of workers', 'pod', parsePodPrefix),
      ],
    ],
    [
      'Restarting and stopping',
      [
        option('--drain-rate <sessions>', 'sessions per second that a drain asks to move', '500', RATE),
        option(
          '--drain-spread <time>',
          'sessions move over at least so long, however few',
          '500ms',
          parseTime('--drain-spread'),
        ),
        option('--drain-deadline <time>', 'longest drain of a worker at SIGHUP', '25s', parseTime('--drain-deadline')),
        option(
          '--stop-deadline <time>',
          'longest drain at SIGTERM and SIGINT; on one machine clients have nowhere to go then',
          '2s',
          parseTime('--stop-deadline'),
        ),
        option(
          '--drain-propagation <time>',
          'how long to serve on at SIGTERM, not ready, until balancers have noticed',
          '0ms',
          parseTime('--drain-propagation'),
        ),
        new Option(
          '--drain-requests',
          `let POST /drain do what SIGTERM does: from this machine, or with $${DRAIN_TOKEN} set from whoever presents it`,
        ).default(false, 'off'),
        option(
          '--max-age <time>',
          'connections make way for new ones before they are so old (default: they may grow old)',
          undefined,
          parseAge,
        ),
        option(
          '--age-jitter <share>',
          'by how much of that each may be younger, at random',
          '0.1',
          parseShare('--age-jitter'),
        ),
      ],
    ],
    [
      'Policy',
      [
        option(
          '-f, --file <path>',
          'holdfast.yaml: keepalive, limits and drain, where no flag says otherwise (default: none)',
        ),
        option('-e, --env <name>', 'the environment in it (default: the one that is detected)'),
      ],
    ],
    [
      'Output',
      [
        new Option('--json', 'log one JSON object a line').default(false, 'lines for people'),
        new Option('--quiet', 'log warnings and errors only').default(false, 'all'),
      ],
    ],
  ];
}

/** Below this clients would do little else than move. */
const AGE_MS_MIN = 5_000;

function parseAge(text: string): number {
  const ageMs = parseTime('--max-age')(text);
  if (ageMs >= AGE_MS_MIN) return ageMs;
  throw wrongOption('--max-age', text, 'a time of at least 5s');
}

const PORT = parseCount('--port', { min: 0, max: 65_535 });
const RATE = parseCount('--drain-rate', { min: 1, max: 1_000_000 });

/** An option whose default is written, and read, as a person would type it. */
function option(flags: string, description: string, byDefault?: string, parse?: (text: string) => unknown): Option {
  const made = new Option(flags, description);
  if (parse) made.argParser(parse);
  if (byDefault !== undefined) made.default(parse ? parse(byDefault) : byDefault, byDefault);
  return made;
}

/** Judges what only shows when the flags are seen together. */
function serveOptions(module: string, flags: Flags): ServeOptions {
  const modulePath = resolve(module);
  if (flags.env !== undefined && flags.file === undefined) {
    throw new HoldfastError(errors.OPTION, '--env is an environment of a policy, and there is no --file');
  }
  if (!existsSync(modulePath)) throw new HoldfastError(errors.MODULE, `there is no ${module}`);
  if (flags.store.kind === 'memory' && flags.workers > 1) {
    throw new HoldfastError(
      errors.OPTION,
      `--workers ${flags.workers} with --store memory:, which no two workers share: use --workers 1 or --store lmdb:PATH`,
    );
  }
  return { ...flags, module, modulePath };
}
