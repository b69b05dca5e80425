import type { DrainReport } from '@holdfast/server';
import { deferred, until } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { Log } from '../log.js';
import { Supervisor } from './supervisor.js';
import type { DrainOrder } from './messages.js';
import type { Exit, WorkerProcess } from './worker-process.js';

const REPORT: DrainReport = { asked: 2, moved: 2, cut: 0, tookMs: 7 };

/** A worker that does what the test says. */
class FakeWorker implements WorkerProcess {
  readonly pod: string;
  readonly pid = 1;
  failure: string | undefined;
  order: DrainOrder | undefined;
  readonly #ready = deferred<boolean>();
  readonly #exited = deferred<Exit>();
  #left = false;

  constructor(
    readonly index: number,
    n: number,
  ) {
    this.pod = `pod-${index}-${n}`;
  }

  get ready(): Promise<boolean> {
    return this.#ready.promise;
  }

  get exited(): Promise<Exit> {
    return this.#exited.promise;
  }

  get left(): boolean {
    return this.#left;
  }

  serve(): void {
    this.#ready.resolve(true);
  }

  die(exit: Exit = { code: 1, signal: null }): void {
    this.#left = true;
    this.#ready.resolve(false);
    this.#exited.resolve(exit);
  }

  async drain(order: DrainOrder): Promise<DrainReport | undefined> {
    this.order = order;
    await this.exited;
    return REPORT;
  }

  kill(): void {
    this.die({ code: null, signal: 'SIGKILL' });
  }
}

const replaceOrder = { propagationMs: 0, movesPerSecond: 500, spreadMs: 500, deadlineMs: 25_000 };
const stopOrder = { propagationMs: 100, movesPerSecond: 500, spreadMs: 500, deadlineMs: 2_100 };

function supervising(workers: number) {
  const started: FakeWorker[] = [];
  const lines: string[] = [];
  const waits: { ms: number; over: () => void }[] = [];
  const time = { nowMs: 0, listened: 0 };
  const supervisor = new Supervisor({
    workers,
    replaceOrder,
    stopOrder,
    now: () => time.nowMs,
    wait: (ms) => new Promise((resolve) => waits.push({ ms, over: resolve })),
    listening: () => time.listened++,
    spawn: (index) => {
      const worker = new FakeWorker(index, started.length + 1);
      started.push(worker);
      return worker;
    },
    log: new Log({
      json: false,
      quiet: false,
      colour: false,
      now: () => new Date(0),
      write: (line) => lines.push(line),
    }),
  });
  /** The nth worker that was started, from 1, once it is. */
  const worker = (n: number): Promise<FakeWorker> => until(() => started[n - 1], { what: `worker ${n}` });
  const logged = (pattern: RegExp): Promise<boolean> =>
    until(() => lines.some((line) => pattern.test(line)), { what: () => `${pattern} in:\n${lines.join('')}` });
  const begin = async (): Promise<void> => {
    const starting = supervisor.start();
    for (let n = 1; n <= workers; n++) (await worker(n)).serve();
    expect(await starting).toBeUndefined();
  };
  return { supervisor, started, lines, waits, time, worker, logged, begin };
}

describe('at the start', () => {
  it('the first worker serves before the others are started, and that is told once', async () => {
    const { supervisor, started, worker, time } = supervising(3);
    const starting = supervisor.start();
    expect(started).toHaveLength(1);
    (await worker(1)).serve();
    (await worker(2)).serve();
    (await worker(3)).serve();
    expect(await starting).toBeUndefined();
    expect(started.map(({ index }) => index)).toEqual([1, 2, 3]);
    expect(time.listened).toBe(1);
  });

  it('what keeps the first worker from serving ends the start', async () => {
    const { supervisor, started, worker } = supervising(3);
    const starting = supervisor.start();
    const first = await worker(1);
    first.failure = 'HF_MODULE: no';
    first.die();
    expect(await starting).toBe('HF_MODULE: no');
    expect(started).toHaveLength(1);
  });

  it('a worker that just ends is told with its exit, and takes the others with it', async () => {
    const { supervisor, worker } = supervising(2);
    const starting = supervisor.start();
    (await worker(1)).serve();
    (await worker(2)).die({ code: 3, signal: null });
    expect(await starting).toMatch(/HF_WORKER: .*with code 3/);
    expect((await worker(1)).left).toBe(true);
  });

  it('a stop ends the workers that do not serve yet', async () => {
    const { supervisor, worker, started } = supervising(2);
    const starting = supervisor.start();
    const first = await worker(1);
    await supervisor.stop();
    expect(first.left).toBe(true);
    expect(await starting).toBeUndefined();
    expect(started).toHaveLength(1);
  });
});

describe('a worker that dies', () => {
  it('is replaced at once', async () => {
    const { begin, worker, logged, time } = supervising(2);
    await begin();
    time.nowMs = 10_000;
    (await worker(1)).die({ code: null, signal: 'SIGKILL' });
    const next = await worker(3);
    expect(next.index).toBe(1);
    await logged(/worker 1 \(pod-1-1\) ended by SIGKILL/);
  });

  it('is replaced later and later when it dies at once, until one lives', async () => {
    const { begin, worker, waits, time } = supervising(1);
    await begin();
    (await worker(1)).die();
    await until(() => waits.length === 1);
    waits[0]?.over();
    (await worker(2)).die();
    await until(() => waits.length === 2);
    waits[1]?.over();
    (await worker(3)).serve();
    await until(async () => (await worker(3)).ready);
    time.nowMs = 5_000;
    (await worker(3)).die();
    await worker(4);
    expect(waits.map(({ ms }) => ms)).toEqual([100, 200]);
  });

  it('is waited for no longer than ten seconds', async () => {
    const { begin, worker, waits } = supervising(1);
    await begin();
    for (let n = 1; n <= 12; n++) {
      (await worker(n)).die();
      await until(() => waits.length === n);
      waits[n - 1]?.over();
    }
    expect(Math.max(...waits.map(({ ms }) => ms))).toBe(10_000);
  });
});

describe('a restart', () => {
  it('lets go of each worker when its successor serves, one after another', async () => {
    const { supervisor, begin, worker, started, logged } = supervising(2);
    await begin();
    const restarted = supervisor.restart();
    const third = await worker(3);
    expect((await worker(1)).order).toBeUndefined();
    third.serve();
    await until(async () => (await worker(1)).order);
    expect(started).toHaveLength(3);
    (await worker(1)).die({ code: 0, signal: null });
    (await worker(4)).serve();
    await until(async () => (await worker(2)).order);
    (await worker(2)).die({ code: 0, signal: null });
    await restarted;
    expect(started.map(({ index }) => index)).toEqual([1, 2, 1, 2]);
    expect((await worker(1)).order).toEqual(replaceOrder);
    await logged(/2 of 2 restarted: 2 of 2 sessions moved first, 0 cut/);
    await logged(/all restarted/);
  });

  it('that is asked for during a restart follows it, once for all who ask', async () => {
    const { supervisor, begin, worker, started } = supervising(1);
    await begin();
    const restarted = supervisor.restart();
    await supervisor.restart();
    await supervisor.restart();
    for (const n of [2, 3]) {
      (await worker(n)).serve();
      await until(async () => (await worker(n - 1)).order);
      (await worker(n - 1)).die({ code: 0, signal: null });
    }
    await restarted;
    expect(started).toHaveLength(3);
  });

  it('is given up when a successor cannot serve, and the workers that serve go on', async () => {
    const { supervisor, begin, worker, started, logged } = supervising(2);
    await begin();
    const restarted = supervisor.restart();
    const third = await worker(3);
    third.failure = 'HF_MODULE: broken';
    third.die();
    await restarted;
    await logged(/restart given up at worker 1[^]*HF_MODULE: broken/);
    expect(started).toHaveLength(3);
    expect((await worker(1)).order).toBeUndefined();
  });

  it('puts the successor in the place of a worker that dies meanwhile', async () => {
    const { supervisor, begin, worker, started, time } = supervising(1);
    await begin();
    time.nowMs = 60_000;
    const restarted = supervisor.restart();
    const second = await worker(2);
    (await worker(1)).die();
    second.serve();
    await restarted;
    expect(started).toHaveLength(2);
    time.nowMs = 120_000;
    second.die();
    await worker(3);
  });

  it('fills the place when both the worker and its successor die', async () => {
    const { supervisor, begin, worker, time } = supervising(1);
    await begin();
    time.nowMs = 60_000;
    const restarted = supervisor.restart();
    const second = await worker(2);
    (await worker(1)).die();
    second.die();
    await restarted;
    expect((await worker(3)).index).toBe(1);
  });
});

describe('a stop', () => {
  it('drains all workers at the same time and ends when they have', async () => {
    const { supervisor, begin, worker, logged, started } = supervising(2);
    await begin();
    const stopped = supervisor.stop();
    await until(() => started.every(({ order }) => order));
    expect((await worker(1)).order).toEqual(stopOrder);
    for (const one of started) one.die({ code: 0, signal: null });
    await stopped;
    await logged(/stopped; 0 connections were closed with 1012, 4 had moved/);
    expect(started).toHaveLength(2);
  });

  it('ends a worker that is being replaced when its own time is up', async () => {
    const { supervisor, begin, worker, waits } = supervising(1);
    await begin();
    void supervisor.restart();
    const second = await worker(2);
    second.serve();
    await until(async () => (await worker(1)).order);
    const stopped = supervisor.stop();
    await until(() => second.order);
    second.die({ code: 0, signal: null });
    expect(waits.map(({ ms }) => ms)).toEqual([stopOrder.deadlineMs]);
    waits[0]?.over();
    await stopped;
    expect((await worker(1)).left).toBe(true);
  });

  it('keeps dead workers from being replaced', async () => {
    const { supervisor, begin, worker, waits, started } = supervising(1);
    await begin();
    (await worker(1)).die();
    await until(() => waits.length === 1);
    await supervisor.stop();
    waits[0]?.over();
    await Promise.resolve();
    expect(started).toHaveLength(1);
  });
});
