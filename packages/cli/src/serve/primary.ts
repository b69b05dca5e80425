import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { errors, HoldfastError } from '@holdfast/store';
import { counted } from '../counted.js';
import { describeFailure } from '../failure.js';
import { processLog } from '../log.js';
import type { ServeOptions } from '../serve-command.js';
import type { DrainOrder, WorkerSettings } from './messages.js';
import { Supervisor } from './supervisor.js';
import { ClusterWorker } from './worker-process.js';

/**
 * A second SIGINT this soon is the same one: a terminal signals all processes of its group, and npm hands it on to its child once
 * more.
 */
const SAME_SIGNAL_MS = 500;

/** Serves a module until it is told to stop, and returns the exit code. */
export async function serve(options: ServeOptions): Promise<number> {
  const { modulePath, workers, host, path, store, allowOrigin, drainRequests, maxAge, ageJitter, json, quiet } =
    options;
  const log = processLog(options);
  let port: number;
  try {
    port = await probe(options.port, host);
  } catch (cause) {
    const error = new HoldfastError(errors.LISTEN, `${host} port ${options.port}`, { cause });
    process.stderr.write(`${describeFailure(error)}\n`);
    return 1;
  }
  const url = `http://${urlHost(host)}:${port}/`;
  const shared = {
    modulePath,
    workers,
    host,
    path,
    store,
    allowOrigin,
    drainRequests,
    maxAge,
    ageJitter,
    server: options.policy?.server,
  };
  const settings = { ...shared, json, quiet, port, url };

  // Round robin is what lets a worker stop listening while its connections go on, and no client be refused.
  cluster.schedulingPolicy = cluster.SCHED_RR;
  cluster.setupPrimary({ exec: fileURLToPath(new URL('worker.js', import.meta.url)), args: [] });
  const supervisor: Supervisor = new Supervisor({
    workers,
    log,
    now: () => performance.now(),
    wait: (ms) => wait(ms),
    spawn: (index) =>
      new ClusterWorker(workerSettings(settings, options.podPrefix, index), { restartAll: restart, stopAll: stop }),
    listening: () => {
      const what = `${options.module} with ${counted(workers, 'worker')} on ${storeName(options)}`;
      log.info('listening', `${url} serves ${what}`, { url, workers, pid: process.pid });
      if (options.policy) {
        const { path: file, environment, because } = options.policy;
        log.info('policy', `as ${file} says of ${environment}, because ${because}`, { file, environment, because });
      }
      if (store.kind === 'memory') {
        log.warn('store.memory', 'sessions are in memory: they end with their worker, also when it is restarted');
      }
    },
    ...orders(options),
  });
  function restart(): void {
    void supervisor.restart();
  }

  const stopped = deferredStop(supervisor);
  function stop(): void {
    stopped.stop();
  }
  watchSignals(supervisor, stop);
  process.on('SIGHUP', restart);
  const failure = await supervisor.start();
  if (failure === undefined) return stopped.code;
  process.stderr.write(`${failure}\n`);
  return 1;
}

/** How to stop, and the exit code when that is done. */
function deferredStop(supervisor: Supervisor): { readonly stop: () => void; readonly code: Promise<number> } {
  let stop = (): void => undefined;
  const code = new Promise<number>((resolve) => {
    stop = () => void supervisor.stop().then(() => resolve(0));
  });
  return { stop, code };
}

function watchSignals(supervisor: Supervisor, stop: () => void): void {
  let firstMs: number | undefined;
  process.on('SIGTERM', stop);
  process.on('SIGINT', () => {
    firstMs ??= performance.now();
    if (performance.now() - firstMs < SAME_SIGNAL_MS) return stop();
    supervisor.kill();
    process.exit(130);
  });
}

/** The port that is free, or why it is not: said once here, rather than by each worker. */
async function probe(port: number, host: string): Promise<number> {
  const server = createServer();
  server.listen({ port, host, exclusive: true });
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : port;
}

/** What any number of workers can be told. */
function workerSettings(
  shared: Omit<WorkerSettings, 'pod' | 'run' | 'index'>,
  podPrefix: string,
  index: number,
): WorkerSettings {
  return { ...shared, index, pod: `${podPrefix}-${index}`, run: randomBytes(4).toString('hex') };
}

function orders(options: ServeOptions): { replaceOrder: DrainOrder; stopOrder: DrainOrder } {
  const { drainRate, drainSpread, drainDeadline, drainPropagation, stopDeadline } = options;
  const pace = { movesPerSecond: drainRate, spreadMs: drainSpread };
  return {
    // The primary itself is the balancer, and knows at once.
    replaceOrder: { ...pace, propagationMs: 0, deadlineMs: drainDeadline },
    stopOrder: {
      ...pace,
      propagationMs: drainPropagation,
      deadlineMs: drainPropagation + stopDeadline,
    },
  };
}

/** How a browser on this machine gets to an address that is listened on. */
function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

const storeName = ({ store }: ServeOptions): string =>
  store.kind === 'lmdb' ? `lmdb:${store.path}` : `${store.kind}:`;
