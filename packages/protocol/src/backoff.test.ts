import { describe, expect, it } from 'vitest';
import { backoffMs, hintedMs } from './backoff.js';

const bounds = { retryMinMs: 500, retryMaxMs: 30_000 };
const most = (): number => 1;

describe('backoffMs', () => {
  it('doubles its bound with every attempt, up to the highest', () => {
    const upper = [0, 1, 2, 3, 4, 5, 6, 7, 1_000].map((attempt) => backoffMs(attempt, bounds, most));
    expect(upper).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('lies anywhere between nothing and its bound', () => {
    expect(backoffMs(1, bounds, () => 0)).toBe(0);
    expect(backoffMs(1, bounds, () => 0.25)).toBe(250);
  });
});

describe('hintedMs', () => {
  it('is never earlier than the hint, and spread over as long again', () => {
    expect(hintedMs(4_000, () => 0)).toBe(4_000);
    expect(hintedMs(4_000, most)).toBe(8_000);
  });
});
