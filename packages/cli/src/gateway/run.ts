import { Gateway } from '@holdfast/gateway';
import type { Environment } from '@holdfast/policy';
import { HoldfastError } from '@holdfast/store';
import { counted } from '../counted.js';
import { describeFailure } from '../failure.js';
import type { GatewayCommandOptions } from '../gateway-command.js';
import { processLog, type Log } from '../log.js';
import type { Output } from '../program.js';
import { environmentFor } from './environment.js';

/** A second SIGINT this soon is the same one: a terminal signals the whole group, and npm hands it on once more. */
const SAME_SIGNAL_MS = 500;

const ALIVE_MS = 60_000;

/** Runs a gateway until it is told to stop, or only judges what it would run with; returns the exit code. */
export async function runGateway(options: GatewayCommandOptions, output: Output): Promise<number> {
  const environment = await environmentFor(options);
  const log = processLog(options);
  const gateway = new Gateway(environment, {
    output: (text) => void process.stdout.write(text),
    events: {
      podChanged: ({ pod, from, to }) => {
        const before = from === 'gone' ? 'and new' : `was ${from}`;
        log.info('pod', `${pod.id} is ${to}, ${before}`, { id: pod.id, from, to });
      },
      problem: (what, error) => log.error(what, `${what} cannot be used; the one before stays in use`, error),
    },
  });
  if (options.check) return check(gateway, environment, options, output);
  // From the beginning, or the signal would end it; a reload waits for the start.
  const started = gateway.start();
  process.on('SIGHUP', () => void started.then(() => reload(gateway, options, log)).catch(() => undefined));
  try {
    await started;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    output.error(`${describeFailure(error)}\n`);
    return error.side === 'caller' ? 2 : 1;
  }
  announce(gateway, environment, log);
  return stopped(gateway, log);
}

async function check(
  gateway: Gateway,
  environment: Environment,
  { json }: GatewayCommandOptions,
  output: Output,
): Promise<number> {
  gateway.check();
  await gateway.close();
  const { name, routes, pods } = environment;
  const facts = {
    ok: true,
    environment: name,
    listen: environment.gateway.listen.map(({ host, port }) => `${host}:${port}`),
    routes: routes.map(({ path, match, carry }) => ({ path, match, carry })),
    pods: pods.length,
    discovery: environment.gateway.discovery.from,
  };
  const text = `${name}: fine; ${counted(routes.length, 'route')}, ${counted(pods.length, 'pod')} (none was asked), listens on ${facts.listen.join(', ')}`;
  output.out(`${json ? JSON.stringify(facts) : text}\n`);
  return 0;
}

function announce(gateway: Gateway, environment: Environment, log: Log): void {
  const { listen } = environment.gateway;
  const urls = gateway.addresses.map(({ address, port, family }, i) => {
    const scheme = (listen[i]?.certificates.length ?? 0) > 0 ? 'https' : 'http';
    return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}/`;
  });
  const admin = gateway.adminAddress;
  log.info(
    'listening',
    `${urls.join(', ')} leads to ${counted(environment.pods.length, 'pod')} of ${environment.name}`,
    {
      url: urls[0],
      urls: urls.join(' '),
      admin: admin && `http://${admin.address}:${admin.port}/`,
      pid: process.pid,
    },
  );
}

async function reload(gateway: Gateway, options: GatewayCommandOptions, log: Log): Promise<void> {
  try {
    await gateway.reload(await environmentFor(options));
    log.info('reloaded', 'the policy was read again');
  } catch (error) {
    log.error('reload.failed', 'the policy was not taken; the one before stays in use', error);
  }
}

/** Resolves to the exit code when the process was told to stop and has. */
function stopped(gateway: Gateway, log: Log): Promise<number> {
  // When the last socket has gone, only timers are left, and those of a gateway keep no process alive.
  const alive = setInterval(() => undefined, ALIVE_MS);
  return new Promise((resolve) => {
    let firstMs: number | undefined;
    const stop = (): void => {
      log.info('drain.begins', `draining ${gateway.webSockets} WebSockets`, { webSockets: gateway.webSockets });
      const startMs = performance.now();
      void gateway.drain().then(() => {
        const tookMs = Math.round(performance.now() - startMs);
        log.info('drain.done', `drained in ${(tookMs / 1_000).toFixed(1)} s`, { tookMs });
        clearInterval(alive);
        resolve(0);
      });
    };
    const begin = (): void => {
      if (firstMs !== undefined) return;
      firstMs = performance.now();
      stop();
    };
    process.on('SIGTERM', begin);
    process.on('SIGINT', () => {
      if (firstMs !== undefined && performance.now() - firstMs > SAME_SIGNAL_MS) process.exit(130);
      begin();
    });
  });
}
