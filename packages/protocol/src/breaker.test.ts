import { describe, expect, it } from 'vitest';
import { CircuitBreaker } from './breaker.js';

const failing = (
  times: number,
  nowMs: number,
  breaker = new CircuitBreaker({ failures: 3, openMs: 1_000 }),
): CircuitBreaker => {
  for (let i = 0; i < times; i++) breaker.failed(nowMs);
  return breaker;
};

describe('CircuitBreaker', () => {
  it.each([
    [2, 'closed'],
    [3, 'open'],
    [4, 'open'],
  ])('is after %i failures in a row %s', (times, state) => expect(failing(times, 0).state(0)).toBe(state));

  it('counts only failures in a row', () => {
    const breaker = failing(2, 0);
    breaker.succeeded();
    expect(failing(2, 0, breaker).state(0)).toBe('closed');
  });

  it('lets nothing through while open, and says for how long', () => {
    const breaker = failing(3, 5_000);
    expect([breaker.allows(5_999), breaker.waitMs(5_400)]).toEqual([false, 600]);
    expect([breaker.state(5_999), breaker.state(6_000)]).toEqual(['open', 'half-open']);
    expect(breaker.statistics(5_999)).toEqual({ state: 'open', failuresInARow: 3, opened: 1, refused: 1 });
  });

  it('lets one attempt through when half-open, and closes when it succeeds', () => {
    const breaker = failing(3, 0);
    expect([breaker.allows(1_000), breaker.allows(1_000)]).toEqual([true, false]);
    breaker.succeeded();
    expect([breaker.state(1_000), breaker.allows(1_000), breaker.allows(1_000)]).toEqual(['closed', true, true]);
  });

  it('opens again when that attempt fails', () => {
    const breaker = failing(3, 0);
    breaker.allows(1_000);
    breaker.failed(1_500);
    expect([breaker.state(2_499), breaker.state(2_500)]).toEqual(['open', 'half-open']);
    expect(breaker.allows(2_500)).toBe(true);
  });

  it('gives the one attempt to another when it came to no verdict', () => {
    const breaker = failing(3, 0);
    breaker.allows(1_000);
    breaker.abandoned();
    expect(breaker.allows(1_000)).toBe(true);
  });

  it('relents when the world has changed, but still tries with one attempt only', () => {
    const breaker = failing(3, 0);
    breaker.relent(10);
    expect([breaker.waitMs(10), breaker.allows(10), breaker.allows(10)]).toEqual([0, true, false]);
    const closed = failing(1, 0);
    closed.relent(10);
    expect(closed.state(10)).toBe('closed');
  });

  it('never opens when failures are unlimited', () => {
    const breaker = failing(1_000, 0, new CircuitBreaker({ failures: Infinity, openMs: 1 }));
    expect(breaker.state(0)).toBe('closed');
  });
});
