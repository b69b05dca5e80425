import { describe, expect, it } from 'vitest';
import { CircuitBreaker } from './breaker.js';
import { DEFAULT_CONNECT_LIMITS, Dialer } from './dialer.js';

const bounds = { retryMinMs: 500, retryMaxMs: 30_000 };
const dialer = (breaker = new CircuitBreaker({ failures: Infinity, openMs: 1_000 }), random = () => 1): Dialer =>
  new Dialer(DEFAULT_CONNECT_LIMITS, breaker, random);

describe('Dialer', () => {
  it('is due when an attempt is wanted, at the earliest of the times', () => {
    const it = dialer();
    expect([it.dueMs, it.take(0)]).toEqual([undefined, undefined]);
    it.want(200);
    it.want(100);
    it.want(300);
    expect([it.dueMs, it.take(99), it.take(100), it.dueMs]).toEqual([100, undefined, 3_000, undefined]);
  });

  it('gives each attempt less time to open than the last, then one the whole, and begins again', () => {
    const it = dialer();
    const given = Array.from({ length: 8 }, () => {
      it.want(0);
      const ms = it.take(0);
      it.failed(0);
      return ms;
    });
    expect(given).toEqual([3_000, 2_000, 1_500, 1_000, 800, 10_000, 3_000, 2_000]);
  });

  it('never gives more than connectMs', () => {
    const it = new Dialer(
      { ...DEFAULT_CONNECT_LIMITS, connectMs: 1_200 },
      new CircuitBreaker({ failures: 9, openMs: 1 }),
      () => 1,
    );
    it.want(0);
    expect(it.take(0)).toBe(1_200);
  });

  it('waits longer after every failure in a row', () => {
    const it = dialer();
    const waits = Array.from({ length: 4 }, () => {
      it.wantAgain(1_000, bounds);
      it.failed(1_000);
      return (it.dueMs as number) - 1_000;
    });
    expect(waits).toEqual([500, 1_000, 2_000, 4_000]);
  });

  it('counts failures on when it is let in, until the transport has proved itself', () => {
    const it = dialer();
    it.failed(0);
    it.succeeded();
    it.disproved();
    expect(it.failuresInARow).toBe(2);
    it.proved();
    expect(it.failuresInARow).toBe(0);
  });

  it('forgets other wishes once it is let in', () => {
    const it = dialer();
    it.want(100);
    it.succeeded();
    expect(it.dueMs).toBeUndefined();
  });

  it('takes a hint as the least that it waits', () => {
    const it = dialer(undefined, () => 0.5);
    it.wantAgain(0, bounds, 10_000);
    expect(it.dueMs).toBe(15_000);
  });

  it('does not let a hint of nothing shorten the backoff, or servers that ask for it are stormed', () => {
    const it = dialer();
    for (let i = 0; i < 3; i++) it.failed(0);
    it.wantAgain(0, bounds, 0);
    expect(it.dueMs).toBe(4_000);
  });

  it('looks again when the breaker closes, and never at once', () => {
    const breaker = new CircuitBreaker({ failures: 1, openMs: 1_000 });
    const it = dialer(breaker);
    it.failed(0);
    it.want(0);
    expect([it.take(0), it.dueMs]).toEqual([undefined, 1_250]);
    breaker.allows(1_250);
    expect(it.take(1_250)).toBeUndefined();
    expect(it.dueMs).toBeGreaterThanOrEqual(1_500);
  });

  it('is due for nothing while offline, and at once when the network is back', () => {
    const breaker = new CircuitBreaker({ failures: 1, openMs: 60_000 });
    const it = dialer(breaker);
    it.failed(0);
    it.want(5_000);
    it.goOffline();
    expect([it.dueMs, it.take(9_000)]).toEqual([undefined, undefined]);
    it.hurry(9_000);
    expect([it.dueMs, it.take(9_000)]).toEqual([5_000, 2_000]);
  });

  it('hurries only for what is wanted', () => {
    const it = dialer();
    it.hurry(0);
    expect(it.dueMs).toBeUndefined();
    it.want(9_000);
    it.hurry(100);
    expect(it.dueMs).toBe(100);
  });
});
