import type { DrainReport } from '@holdfast/server';
import { errors, HoldfastError } from '@holdfast/store';
import { describeFailure } from '../failure.js';
import type { Log } from '../log.js';
import type { DrainOrder } from './messages.js';
import type { Exit, WorkerProcess } from './worker-process.js';

export interface PlaceOptions {
  /** Which of the places it is, from 1. */
  readonly index: number;
  readonly spawn: (index: number) => WorkerProcess;
  /** Told of each worker that begins to serve. */
  readonly serves: (worker: WorkerProcess, index: number) => void;
  readonly log: Log;
  readonly now: () => number;
  /** Resolves after a while. */
  readonly wait: (ms: number) => Promise<void>;
}

/** A worker that dies sooner than this after it was ready, or before it was, has died at once. */
const SHORT_LIFE_MS = 1_000;
/** A worker that dies at once is replaced after this long, twice as long when the next one does too, and so on. */
const BACKOFF_MS = 100;
const BACKOFF_MS_MAX = 10_000;

/** One of the places for a worker. Whoever dies in it is replaced, until the place is given up. */
export class Place {
  readonly #options: PlaceOptions;
  /** Serves, or is being started where nobody else serves. */
  #worker: WorkerProcess | undefined;
  /** Takes over when it is ready. */
  #successor: WorkerProcess | undefined;
  /** Has been replaced, and is being drained. */
  #leaving: WorkerProcess | undefined;
  #givenUp = false;
  #shortLives = 0;

  constructor(options: PlaceOptions) {
    this.#options = options;
  }

  /** Puts the first worker in. Resolves to it when it serves or has ended without ever having served. */
  async open(): Promise<{ readonly ready: boolean; readonly worker: WorkerProcess }> {
    const worker = this.#start();
    this.#worker = worker;
    const ready = await worker.ready;
    if (ready) this.#guard(worker);
    return { ready, worker };
  }

  /**
   * Puts another worker in and lets go of the one that is there, in this order. Resolves to the report of its drain; to undefined
   * if there was nobody to drain. Throws what kept the new one from serving: the old one stays then.
   */
  async replace(order: DrainOrder): Promise<DrainReport | undefined> {
    const old = this.#worker;
    // Nobody serves: the place is being filled anyway, with the module as it is now.
    if (!old || !(await old.ready) || this.#worker !== old || this.#givenUp) return undefined;
    const successor = this.#start();
    this.#successor = successor;
    const ready = await successor.ready;
    this.#successor = undefined;
    if (this.#givenUp) return undefined;
    if (!ready) {
      if (!this.#worker) void this.#refill();
      throw new Error(await whyEnded(successor));
    }
    this.#worker = successor;
    this.#guard(successor);
    this.#leaving = old;
    const report = await old.drain(order);
    this.#leaving = undefined;
    return report;
  }

  /** Gives the place up: drains who serves, ends who does not yet. Resolves when nobody is left. */
  async close(order: DrainOrder): Promise<DrainReport | undefined> {
    this.#givenUp = true;
    const worker = this.#worker;
    const serves = worker && (await Promise.race([worker.ready, Promise.resolve(false)]));
    const pending = [serves ? undefined : worker, this.#successor].filter((one) => one !== undefined);
    for (const one of pending) one.kill();
    const leaving = this.#leaving;
    const [report] = await Promise.all([
      serves ? worker.drain(order) : undefined,
      leaving && endWithin(leaving, this.#options.wait(order.deadlineMs)),
      ...pending.map(({ exited }) => exited),
    ]);
    return report;
  }

  /** Gives the place up and ends everybody at once. */
  kill(): void {
    this.#givenUp = true;
    for (const worker of [this.#worker, this.#successor, this.#leaving]) worker?.kill();
  }

  #start(): WorkerProcess {
    const { spawn, index, serves } = this.#options;
    const worker = spawn(index);
    void worker.ready.then((ready) => {
      if (ready && !this.#givenUp) serves(worker, index);
    });
    return worker;
  }

  /** Sees to it that the worker, which serves, is replaced when it dies. */
  #guard(worker: WorkerProcess): void {
    const readyMs = this.#options.now();
    void worker.exited.then((exit) => {
      if (this.#worker !== worker || this.#givenUp) return;
      this.#worker = undefined;
      const { log, index, now } = this.#options;
      log.warn('worker.died', `worker ${index} (${worker.pod}) ended ${inWords(exit)}`, { index, worker: worker.pod });
      this.#shortLives = now() - readyMs < SHORT_LIFE_MS ? this.#shortLives + 1 : 0;
      // A successor that is being started takes the place.
      if (!this.#successor) void this.#refill();
    });
  }

  async #refill(): Promise<void> {
    const { wait, log, index } = this.#options;
    while (!this.#givenUp) {
      if (this.#shortLives > 0) await wait(Math.min(BACKOFF_MS * 2 ** (this.#shortLives - 1), BACKOFF_MS_MAX));
      if (this.#givenUp) return;
      const worker = this.#start();
      this.#worker = worker;
      if (await worker.ready) return this.#guard(worker);
      this.#worker = undefined;
      this.#shortLives++;
      if (!this.#givenUp)
        log.error('worker.unready', `worker ${index} cannot be replaced so far`, await whyEnded(worker));
    }
  }
}

/** Waits for a worker that is being drained already, for as long as there is time. */
async function endWithin(worker: WorkerProcess, timeUp: Promise<void>): Promise<void> {
  await Promise.race([worker.exited, timeUp]);
  worker.kill();
  await worker.exited;
}

/** Why a worker has never served. */
export async function whyEnded(worker: WorkerProcess): Promise<string> {
  const exit = await worker.exited;
  return worker.failure ?? describeFailure(new HoldfastError(errors.WORKER, inWords(exit)));
}

const inWords = ({ code, signal }: Exit): string => (signal === null ? `with code ${code}` : `by ${signal}`);
