import type { DrainReport } from '@holdfast/server';
import { counted } from '../counted.js';
import type { Log } from '../log.js';
import type { DrainOrder } from './messages.js';
import { Place, whyEnded, type PlaceOptions } from './place.js';
import type { WorkerProcess } from './worker-process.js';

export interface SupervisorOptions extends Omit<PlaceOptions, 'index' | 'serves'> {
  readonly workers: number;
  /** Called when the first worker serves. */
  readonly listening: () => void;
  /** How a worker is drained that is replaced. */
  readonly replaceOrder: DrainOrder;
  /** How all are drained that are not. */
  readonly stopOrder: DrainOrder;
}

/** Keeps the workers of one machine: starts them, replaces them one after another, stops them. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #log: Log;
  readonly #places: readonly Place[];
  #listening = false;
  #restarting = false;
  /** A restart was asked for while one is under way: what is started after that counts, so one more does for all who ask. */
  #again = false;
  #stopping: Promise<void> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#log = options.log;
    const serves = this.#serves.bind(this);
    this.#places = Array.from({ length: options.workers }, (_, i) => new Place({ ...options, serves, index: i + 1 }));
  }

  /**
   * Starts the workers, the first one alone: what keeps it from serving would keep the others too. Resolves to that reason, or
   * to undefined when all serve.
   */
  async start(): Promise<string | undefined> {
    const [first, ...others] = this.#places;
    let opened = [await first?.open()];
    if (opened[0]?.ready && !this.#stopping) opened = await Promise.all(others.map((place) => place.open()));
    const failed = opened.find((one) => one?.ready === false);
    if (!failed || this.#stopping) return undefined;
    this.kill();
    return whyEnded(failed.worker);
  }

  #serves({ pod, pid }: WorkerProcess, index: number): void {
    if (!this.#listening) this.#options.listening();
    this.#listening = true;
    this.#log.info('worker.ready', `worker ${index} serves as ${pod} (pid ${pid})`, { index, worker: pod, pid });
  }

  /** Replaces the workers one after another. One that cannot be replaced ends the restart: it and those behind it stay. */
  async restart(): Promise<void> {
    if (this.#stopping) return;
    if (this.#restarting) {
      this.#again = true;
      return;
    }
    this.#restarting = true;
    do {
      this.#again = false;
      await this.#restartOnce();
    } while (this.#again && !this.#stopping);
    this.#restarting = false;
  }

  async #restartOnce(): Promise<void> {
    const { workers, now, replaceOrder } = this.#options;
    const startMs = now();
    this.#log.info('restart.begins', `restarting ${counted(workers, 'worker')}, one after another`);
    for (const [i, place] of this.#places.entries()) {
      if (this.#stopping) return;
      try {
        const report = await place.replace(replaceOrder);
        const how = report ? drained(report) : 'there was nobody to drain';
        this.#log.info('restart.step', `${i + 1} of ${workers} restarted: ${how}`, {
          done: i + 1,
          of: workers,
          ...report,
        });
      } catch (error) {
        const why = error instanceof Error ? error.message : error;
        this.#log.error('restart.failed', `restart given up at worker ${i + 1}; the workers that serve go on`, why);
        return;
      }
    }
    const tookMs = Math.round(now() - startMs);
    if (!this.#stopping) this.#log.info('restart.done', `all restarted in ${seconds(tookMs)}`, { tookMs });
  }

  /** Drains all workers and resolves when they have ended. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Ends all workers at once. */
  kill(): void {
    for (const place of this.#places) place.kill();
  }

  async #stop(): Promise<void> {
    this.#log.info('stop.begins', 'stopping: draining all workers');
    const reports = await Promise.all(this.#places.map((place) => place.close(this.#options.stopOrder)));
    const sum = (count: (report: DrainReport) => number): number =>
      reports.reduce((total, report) => total + (report ? count(report) : 0), 0);
    const moved = sum((report) => report.moved);
    const cut = sum((report) => report.cut);
    this.#log.info('stop.done', `stopped; ${cut} connections were closed with 1012, ${moved} had moved`, {
      moved,
      cut,
    });
  }
}

const drained = ({ asked, moved, cut, tookMs }: DrainReport): string =>
  `${moved} of ${asked} sessions moved first, ${cut} cut, drained in ${seconds(tookMs)}`;

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
