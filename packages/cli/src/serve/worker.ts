import { once } from 'node:events';
import { createServer } from 'node:http';
import { WebSocketServer, type DrainReport } from '@holdfast/server';
import type { Store } from '@holdfast/store';
import { describeFailure } from '../failure.js';
import { Log, processLog } from '../log.js';
import { outliveReaders } from '../pipes.js';
import { Entrance } from './entrance.js';
import { DRAIN_TOKEN, type DrainOrder, type Order, type Report, type WorkerSettings } from './messages.js';
import { runModule } from './module.js';
import { openStore } from './open-store.js';

/** Time that is left for answers and closing frames to go out, however little the drain has left of its deadline. */
const FLUSH_MS = 1_000;

/** Tells the primary, and resolves when that is on its way. */
const report = (message: Report): Promise<void> =>
  new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
    else resolve();
  });

/** A worker of `holdfast serve`: one pod. */
class Worker {
  readonly #settings: WorkerSettings;
  readonly #log: Log;
  readonly #store: Store;
  readonly #wss: WebSocketServer;
  readonly #entrance: Entrance;
  readonly #http = createServer();
  #whenDrained: (drained: DrainReport) => void = () => undefined;
  readonly #drained = new Promise<DrainReport>((resolve) => {
    this.#whenDrained = resolve;
  });

  constructor(settings: WorkerSettings, log: Log, store: Store) {
    const { allowOrigin, path, pod, run, maxAge: maxAgeMs, ageJitter } = settings;
    this.#settings = settings;
    this.#log = log;
    this.#store = store;
    const allowedOrigins = allowOrigin?.includes('*') ? '*' : allowOrigin;
    this.#wss = new WebSocketServer({
      ...settings.server,
      noServer: true,
      store,
      pod,
      run,
      path,
      allowedOrigins,
      ...(maxAgeMs !== undefined && { rotation: { maxAgeMs, ageJitter } }),
      ...(settings.drainRequests && {
        drainRequests: { token: process.env[DRAIN_TOKEN], drain: () => this.#drainAll() },
      }),
    });
    this.#entrance = new Entrance(this.#wss, this.#http);
    this.#watch();
  }

  async start(): Promise<void> {
    const { index, workers, host, port, url, store, modulePath } = this.#settings;
    const restartAll = (): void => void report({ type: 'restartAll' });
    await runModule(modulePath, {
      wss: this.#wss,
      http: this.#http,
      pod: { id: this.#wss.pod, index, pid: process.pid, workers, store: store.kind, host, url, restartAll },
    });
    await this.#entrance.listen(port, host);
    await report({ type: 'ready' });
  }

  async drain(order: DrainOrder): Promise<void> {
    const { propagationMs, deadlineMs } = order;
    const startMs = performance.now();
    // Until balancers have noticed that this pod is not ready, they send clients here.
    setTimeout(() => this.#entrance.stopListening(), propagationMs);
    const drained = await this.#wss.drain(order);
    this.#whenDrained(drained);
    await this.#entrance.finish(Math.max(FLUSH_MS, startMs + deadlineMs - performance.now()));
    await this.#store.close();
    await report({ type: 'drained', report: drained });
    process.exit(0);
  }

  /** Has all workers drained, by the primary's order to each, and resolves when this one is. */
  async #drainAll(): Promise<DrainReport> {
    await report({ type: 'stopAll' });
    return this.#drained;
  }

  #watch(): void {
    const log = this.#log;
    let troubled = false;
    this.#wss.on('handlerError', (error: unknown) =>
      log.error('handler.failed', 'a handler of the module failed', error),
    );
    this.#wss.on('storeError', (error: unknown) => {
      if (!troubled) log.error('store.troubled', 'the store does not answer; sessions wait', error);
      troubled = true;
    });
    this.#wss.on('storeRecovered', () => {
      troubled = false;
      log.warn('store.recovered', 'the store answers again');
    });
  }
}

/** Runs this process as a worker, until its primary ends it or goes away itself. */
async function main(): Promise<void> {
  // A terminal and some supervisors signal all processes of a group; what that means for a worker, the primary decides.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  // The primary is gone, and with it the port: nothing more can be done here than to let others adopt the sessions.
  process.once('disconnect', () => process.exit(1));

  const order = once(process, 'message') as Promise<[Order]>;
  await report({ type: 'started' });
  const [first] = await order;
  if (first.type !== 'serve') throw new Error(`a worker is told to ${first.type} before it serves`);
  const { settings } = first;
  process.title = `holdfast ${settings.pod}-${settings.run}`;
  const log = processLog(settings);
  let ready = false;
  const fail = async (error: unknown): Promise<void> => {
    if (ready) log.error('worker.failed', 'the worker failed and ends', error);
    else await report({ type: 'failed', text: describeFailure(error) });
    process.exit(1);
  };
  process.on('uncaughtException', (error) => void fail(error));
  outliveReaders(process.stdout, process.stderr);

  try {
    const worker = new Worker(settings, log, await openStore(settings.store));
    process.on('message', (order: Order) => {
      if (order.type === 'drain') void worker.drain(order).catch(fail);
    });
    await worker.start();
    ready = true;
  } catch (error) {
    await fail(error);
  }
}

await main();
