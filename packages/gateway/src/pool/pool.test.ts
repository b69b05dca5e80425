import { VirtualClock } from '@holdfast/testing';
import { afterEach, describe, expect, it } from 'vitest';
import type { FailureCause } from './failures.js';
import type { FoundPod } from './member.js';
import { OUTLIERS } from './outliers.js';
import { Pool, type PodChange, type PoolOptions } from './pool.js';
import { POD_STATES } from './states.js';

const clock = new VirtualClock();
const pools: Pool[] = [];
afterEach(() => {
  for (const pool of pools.splice(0)) pool.close();
});

const pod = (n: number, more: Partial<FoundPod> = {}): FoundPod => ({ host: '127.0.0.1', port: n, ...more });

function poolOf(pods: readonly FoundPod[], options: Partial<PoolOptions> = {}): Pool {
  const breaker = { failures: 1_000, openMs: 60_000 };
  const pool = new Pool({ clock, maxFails: 3, failTimeoutMs: 10_000, breaker, slowStartMs: 0, ...options });
  pool.found(pods);
  pools.push(pool);
  return pool;
}

const portOf = (pool: Pool, affinity = {}, exclude?: string[]): number | undefined => {
  const pick = pool.choose(affinity, { exclude: new Set(exclude) });
  pick?.established();
  pick?.closed();
  return pick?.pod.port;
};
const ports = (pool: Pool, times: number, affinity = {}): (number | undefined)[] =>
  Array.from({ length: times }, () => portOf(pool, affinity));

function fail(pool: Pool, port: number, times = 1, cause: FailureCause = 'connect'): void {
  for (let n = 0; n < times; n++) pool.choose({ pod: `127.0.0.1:${port}` })?.failed(cause);
}

function changesOf(pool: Pool): string[] {
  const seen: string[] = [];
  pool.watch(({ pod: { port }, from, to }: PodChange) => seen.push(`${port} ${from} > ${to}`));
  return seen;
}

describe('choosing', () => {
  it('finds nobody in an empty pool', () => {
    expect([poolOf([]).choose({}), poolOf([]).isReady]).toEqual([undefined, false]);
  });

  it('leaves out what a connection has tried already', () => {
    const pool = poolOf([pod(1), pod(2)]);
    expect(portOf(pool, { key: 'k' }, ['127.0.0.1:1'])).toBe(2);
    expect(portOf(pool, { key: 'k' }, ['127.0.0.1:1', '127.0.0.1:2'])).toBeUndefined();
  });

  it('takes a backup only when no other takes connections', () => {
    const pool = poolOf([pod(1), pod(2, { backup: true })]);
    expect(ports(pool, 3)).toEqual([1, 1, 1]);
    pool.drain('127.0.0.1:1');
    expect(ports(pool, 2)).toEqual([2, 2]);
  });

  it('counts a connection from the choice to its end, once', () => {
    const pool = poolOf([pod(1)]);
    const [one, two, three] = [pool.choose({}), pool.choose({}), pool.choose({})];
    one?.established();
    expect(pool.report()[0]?.load).toBe(3);
    for (const pick of [one, two]) for (const _ of [1, 2]) pick?.closed();
    three?.failed('connect');
    three?.closed();
    three?.established();
    const { load, counts } = pool.report()[0] ?? {};
    expect([load, counts?.chosen, counts?.established, counts?.abandoned, counts?.failed.connect]).toEqual([
      0, 3, 1, 1, 1,
    ]);
  });

  it('sends new connections to whoever has the fewest', () => {
    const pool = poolOf([pod(1), pod(2)]);
    const picks = Array.from({ length: 4 }, () => pool.choose({ balance: 'least' }));
    for (const pick of picks) if (pick?.pod.port === 2) pick.closed();
    expect([pool.choose({ balance: 'least' }), pool.choose({ balance: 'least' })].map((p) => p?.pod.port)).toEqual([
      2, 2,
    ]);
  });

  it('keeps a key with its pod, gives it away while the pod is gone, and back', () => {
    const all = [pod(1), pod(2), pod(3)];
    const pool = poolOf(all);
    const home = portOf(pool, { key: 'alice' });
    expect(new Set(ports(pool, 10, { key: 'alice' }))).toEqual(new Set([home]));
    pool.found(all.filter(({ port }) => port !== home));
    const away = ports(pool, 10, { key: 'alice' });
    expect([new Set(away).size, away[0] === home]).toEqual([1, false]);
    pool.found(all);
    expect(portOf(pool, { key: 'alice' })).toBe(home);
  });
});

describe('pods that come and go', () => {
  it('are told of, with what they were and are', () => {
    const pool = poolOf([pod(1), pod(2)]);
    const seen = changesOf(pool);
    pool.found([pod(2, { draining: true }), pod(3)]);
    pool.found([pod(2), pod(3)]);
    expect(seen).toEqual(['1 ready > gone', '2 ready > draining', '3 gone > ready', '2 draining > ready']);
  });

  it('are drained by each who asks for it, until all have taken it back', () => {
    const pool = poolOf([pod(1), pod(2)]);
    pool.found([pod(1, { draining: true }), pod(2)]);
    pool.drain('127.0.0.1:1');
    pool.found([pod(1), pod(2)]);
    expect(ports(pool, 2)).toEqual([2, 2]);
    expect(pool.undrain('127.0.0.1:1')).toBe(true);
    expect(new Set(ports(pool, 2))).toEqual(new Set([1, 2]));
    expect(pool.drain('127.0.0.1:9')).toBe(false);
  });

  it('are another pod when they are back under another address', () => {
    const pool = poolOf([pod(1, { id: 'web-0' })]);
    const pick = pool.choose({ key: 'k' });
    const left: unknown[] = [];
    pool.watch((change) => change.to === 'gone' && left.push(change.pod));
    pool.found([pod(2, { id: 'web-0' })]);
    expect(left).toEqual([pick?.pod]);
    expect(portOf(pool, { key: 'k' })).toBe(2);
    pick?.closed();
    expect(pool.report().map(({ load }) => load)).toEqual([0]);
  });

  it('are told of no more when the watcher has gone', () => {
    const pool = poolOf([pod(1)]);
    const seen: PodChange[] = [];
    pool.watch((change) => seen.push(change))();
    pool.found([]);
    expect(seen).toEqual([]);
  });
});

describe('pods that fail', () => {
  it('rest after maxFails, and are tried by one when it is over', () => {
    const pool = poolOf([pod(1), pod(2)]);
    const seen = changesOf(pool);
    fail(pool, 1, 3);
    expect(ports(pool, 3)).toEqual([2, 2, 2]);
    clock.advance(10_000);
    const picks = [pool.choose({}), pool.choose({}), pool.choose({})];
    expect(picks.filter((pick) => pick?.pod.port === 1)).toHaveLength(1);
    for (const pick of picks) pick?.established();
    expect(new Set(ports(pool, 2))).toEqual(new Set([1, 2]));
    expect(seen).toEqual(['1 ready > resting', '1 resting > ready']);
    for (const pick of picks) pick?.closed();
  });

  it('rest again when that one fails', () => {
    const pool = poolOf([pod(1), pod(2)]);
    fail(pool, 1, 3);
    clock.advance(10_000);
    fail(pool, 1);
    expect(ports(pool, 3)).toEqual([2, 2, 2]);
  });

  it('are spared by the circuit breaker after failures in a row, also such as do not make them rest', () => {
    const pool = poolOf([pod(1), pod(2)], { breaker: { failures: 5, openMs: 60_000 } });
    fail(pool, 1, 5, 'status');
    expect(ports(pool, 2)).toEqual([2, 2]);
    clock.advance(59_999);
    expect(ports(pool, 2)).toEqual([2, 2]);
    clock.advance(1);
    expect(new Set(ports(pool, 2))).toEqual(new Set([1, 2]));
  });

  it('are not blamed for connections that end without a close', () => {
    const pool = poolOf([pod(1)], { breaker: { failures: 1, openMs: 1_000 } });
    for (let n = 0; n < 20; n++) {
      const pick = pool.choose({});
      pick?.established();
      pick?.failed('lost');
    }
    expect([pool.report()[0]?.state, pool.report()[0]?.counts.failed.lost]).toEqual(['ready', 20]);
  });

  it('are tried all the same when there is nobody else, one attempt at a time and four a second', () => {
    const pool = poolOf([pod(1)], { breaker: { failures: 3, openMs: 60_000 } });
    fail(pool, 1, 3);
    const seen = changesOf(pool);
    const attempt = pool.choose({});
    expect([attempt?.pod.port, pool.choose({}), pool.isReady]).toEqual([1, undefined, false]);
    attempt?.failed('connect');
    expect(pool.choose({})).toBeUndefined();
    clock.advance(250);
    const second = pool.choose({});
    expect(second?.pod.port).toBe(1);
    expect(seen).toEqual([]);
    second?.established();
    expect([seen, pool.isReady]).toEqual([['1 resting > ready'], true]);
    second?.closed();
  });

  it('get their full share back slowly', () => {
    const pool = poolOf([pod(1), pod(2)], { slowStartMs: 10_000 });
    fail(pool, 1, 3);
    clock.advance(10_000);
    expect(pool.report()[0]?.state).toBe('warming');
    const share = (): number => ports(pool, 110).filter((port) => port === 1).length;
    expect(share()).toBe(10);
    clock.advance(5_000);
    expect(share()).toBeCloseTo(110 / 3, -1);
    clock.advance(5_000);
    expect([share(), pool.report()[0]?.state]).toEqual([55, 'ready']);
  });
});

describe('a rest of many days', () => {
  it('does not make the timer of the pool fire at once, again and again', () => {
    const failTimeoutMs = 30 * 86_400_000;
    const pool = poolOf([pod(1), pod(2)], { failTimeoutMs, outliers: false });
    fail(pool, 1, 3);
    expect(clock.pending).toBe(1);
    clock.advance(failTimeoutMs);
    expect(pool.report()[0]?.state).toBe('ready');
  });
});

describe('close', () => {
  it('leaves no timer and tells nobody any more, while what is open ends as it would', () => {
    const alone = new VirtualClock();
    const pool = poolOf([pod(1), pod(2)], { clock: alone, slowStartMs: 5_000 });
    fail(pool, 1, 3);
    const open = pool.choose({});
    expect(alone.pending).toBe(2);
    const seen = changesOf(pool);
    pool.close();
    expect(alone.pending).toBe(0);
    open?.failed('connect');
    pool.found([pod(3)]);
    expect([seen, alone.pending]).toEqual([[], 0]);
  });
});

describe('pods that do much worse than the others', () => {
  const outliers = { ...OUTLIERS, windowMs: 1_000, ejectMs: 5_000, ejectMsMax: 8_000 };
  /** Every third attempt goes to each pod; the first pod fails with 503. */
  function traffic(pool: Pool): void {
    for (let n = 0; n < 30; n++) {
      const pick = pool.choose({});
      if (pick?.pod.port === 1) {
        pick.failed('status');
        continue;
      }
      pick?.established();
      pick?.closed();
    }
  }

  it('are left out, longer each time, and come back', () => {
    const pool = poolOf([pod(1), pod(2), pod(3)], { outliers });
    const stateOf1 = (): string | undefined => pool.report()[0]?.state;
    const outMs: number[] = [];
    for (let time = 0; time < 3; time++) {
      traffic(pool);
      clock.advance(1_000);
      expect(stateOf1()).toBe('ejected');
      expect(new Set(ports(pool, 4))).toEqual(new Set([2, 3]));
      const fromMs = clock.now();
      while (stateOf1() === 'ejected') clock.advance(100);
      outMs.push(clock.now() - fromMs);
    }
    expect(outMs).toEqual([5_000, 8_000, 8_000]);
  });

  it('are not, where that is switched off', () => {
    const pool = poolOf([pod(1), pod(2), pod(3)], { outliers: false });
    traffic(pool);
    clock.advance(60_000);
    expect(pool.report()[0]?.state).toBe('ready');
  });
});

describe('checks', () => {
  it('let a pod take connections only once one has passed, at its full share if it was there from the beginning', () => {
    const pool = poolOf([pod(1), pod(3)], { slowStartMs: 5_000 });
    pool.awaitChecks();
    // Discovery may look again before the first check has been answered.
    pool.found([pod(1), pod(3)]);
    pool.checked('127.0.0.1:1', 'up');
    expect(pool.report()[0]?.state).toBe('ready');
    pool.found([pod(1), pod(2), pod(3)]);
    expect(new Set(ports(pool, 6))).toEqual(new Set([1]));
    pool.checked('127.0.0.1:2', 'up');
    expect(pool.report().find(({ port }) => port === 2)?.state).toBe('warming');
  });

  it('do not keep anybody waiting while no pod has been asked yet', () => {
    const pool = poolOf([pod(1), pod(2)]);
    pool.awaitChecks();
    expect([new Set(ports(pool, 4)), pool.isReady]).toEqual([new Set([1, 2]), false]);
    for (const port of [1, 2]) pool.checked(`127.0.0.1:${port}`, 'down');
    expect(pool.choose({})).toBeUndefined();
  });

  it('take a pod out, but not the connections that it has', () => {
    const pool = poolOf([pod(1), pod(2)], {});
    pool.awaitChecks();
    for (const port of [1, 2]) pool.checked(`127.0.0.1:${port}`, 'up');
    const left: string[] = [];
    pool.watch(({ to }) => POD_STATES[to].leaves && left.push(to));
    pool.checked('127.0.0.1:1', 'down');
    expect([ports(pool, 2), left]).toEqual([[2, 2], []]);
  });

  it('end a rest when the pod is up again', () => {
    const pool = poolOf([pod(1), pod(2)], { breaker: { failures: 3, openMs: 60_000 } });
    pool.awaitChecks();
    for (const port of [1, 2]) pool.checked(`127.0.0.1:${port}`, 'up');
    fail(pool, 1, 3);
    pool.checked('127.0.0.1:1', 'down');
    pool.checked('127.0.0.1:1', 'up');
    expect(pool.report()[0]?.state).toBe('ready');
  });
});

describe('a drain that the pod has announced on a connection', () => {
  it('is over after a while, as a pod that is new at the same address cannot take it back', () => {
    const pool = poolOf([pod(1)]);
    pool.drain('127.0.0.1:1', 'pod');
    clock.advance(29_999);
    expect([pool.report()[0]?.state, pool.report()[0]?.drainedBy]).toEqual(['draining', ['pod']]);
    clock.advance(1);
    expect([pool.report()[0]?.state, pool.report()[0]?.drainedBy]).toEqual(['ready', []]);
  });
});
