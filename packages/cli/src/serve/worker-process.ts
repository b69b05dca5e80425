import cluster, { type Worker } from 'node:cluster';
import type { DrainReport } from '@holdfast/server';
import { errors, HoldfastError } from '@holdfast/store';
import { describeFailure } from '../failure.js';
import type { DrainOrder, Order, Report, WorkerSettings } from './messages.js';

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A worker as the primary sees it. */
export interface WorkerProcess {
  readonly pod: string;
  readonly pid: number | undefined;
  /** True when it serves; false when it has ended before. Never rejects. */
  readonly ready: Promise<boolean>;
  readonly exited: Promise<Exit>;
  /** Why it says that it cannot serve, for a person at a terminal. */
  readonly failure: string | undefined;
  /** Empties it, until it has ended. Undefined if it ended in another way, or had to be killed. */
  drain(order: DrainOrder): Promise<DrainReport | undefined>;
  kill(): void;
}

/** How long a worker may take for its store and its module. One that takes longer hangs, and a restart would wait for it. */
const START_MS = 60_000;
/** What a drain may take beyond its deadline: the worker itself leaves a second for what is on its way out. */
const DRAIN_GRACE_MS = 2_000;

/** Starts workers as processes of the cluster, which share the port. */
export class ClusterWorker implements WorkerProcess {
  readonly pod: string;
  readonly ready: Promise<boolean>;
  readonly exited: Promise<Exit>;
  failure: string | undefined;
  readonly #worker: Worker;
  #report: DrainReport | undefined;

  constructor(settings: WorkerSettings, asked: { readonly restartAll: () => void; readonly stopAll: () => void }) {
    this.pod = `${settings.pod}-${settings.run}`;
    const worker = cluster.fork();
    this.#worker = worker;
    this.exited = new Promise((resolve) => {
      worker.once('exit', (code: number | null, signal: string | null) => resolve({ code, signal }));
    });
    this.ready = new Promise((resolve) => {
      const late = setTimeout(() => {
        this.failure = describeFailure(new HoldfastError(errors.WORKER, `not ready within ${START_MS / 1_000} s`));
        this.kill();
      }, START_MS);
      worker.on('message', (report: Report) => {
        if (report.type === 'started') return this.#send({ type: 'serve', settings });
        if (report.type === 'failed') this.failure = report.text;
        if (report.type === 'drained') this.#report = report.report;
        if (report.type === 'restartAll') asked.restartAll();
        if (report.type === 'stopAll') asked.stopAll();
        if (report.type !== 'ready') return;
        clearTimeout(late);
        resolve(true);
      });
      void this.exited.then(() => {
        clearTimeout(late);
        resolve(false);
      });
    });
    // A channel that breaks is that of a process that ends, which 'exit' tells.
    worker.on('error', () => undefined);
  }

  get pid(): number | undefined {
    return this.#worker.process.pid;
  }

  async drain(order: DrainOrder): Promise<DrainReport | undefined> {
    this.#send({ type: 'drain', ...order });
    const late = setTimeout(() => this.kill(), order.deadlineMs + DRAIN_GRACE_MS);
    await this.exited;
    clearTimeout(late);
    return this.#report;
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }

  #send(order: Order): void {
    if (this.#worker.isConnected()) this.#worker.send(order, undefined, () => undefined);
  }
}
