import { expect, test } from 'vitest';
import { TokenBucket } from './token-bucket.js';

test('a burst goes through at once, the rest at the rate', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, 0);
  expect([0, 0, 0, 0].map((nowMs) => bucket.take(nowMs))).toEqual([true, true, true, false]);
  expect(bucket.waitMs(0)).toBe(100);
  expect(bucket.take(99)).toBe(false);
  expect(bucket.take(100)).toBe(true);
  expect(bucket.waitMs(150)).toBe(50);
});

test('tokens that nobody takes do not add up beyond the burst', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 2 }, 0);
  expect([60_000, 60_000, 60_000].map((nowMs) => bucket.take(nowMs))).toEqual([true, true, false]);
});

test('a rate below one a second lets one through at first', () => {
  const bucket = new TokenBucket({ perSecond: 0.5, burst: 0.5 }, 0);
  expect(bucket.take(0)).toBe(true);
  expect(bucket.waitMs(0)).toBe(2_000);
});
