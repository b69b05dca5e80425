import { describe, expect, it } from 'vitest';
import * as errors from './errors.js';
import { Intake } from './intake.js';
import { DEFAULT_POLICY } from './policy.js';

const intake = (messages: number, bytes: number, maxPayloadBytes = 100, watermark = 0): Intake =>
  new Intake({ ...DEFAULT_POLICY, window: { messages, bytes }, maxPayloadBytes }, watermark);

describe('Intake', () => {
  it('takes each message once and in order', () => {
    const it = intake(10, 100);
    expect([1, 1, 3, 2, 1].map((n) => it.take(n, 'x'))).toEqual([
      'fresh',
      'duplicate',
      errors.ORDER,
      'fresh',
      'duplicate',
    ]);
    expect([it.received, it.watermark]).toEqual([2, 0]);
  });

  it('goes on behind what was committed elsewhere', () => {
    const it = intake(10, 100, 100, 7);
    expect([it.take(7, 'x'), it.take(8, 'x'), it.watermark]).toEqual(['duplicate', 'fresh', 7]);
  });

  it.each([
    [99, 'fresh'],
    [100, 'fresh'],
    [101, errors.TOO_LARGE],
  ])('takes a message of %i bytes under a limit of 100: %j', (bytes, result) => {
    expect(intake(10, 1_000).take(1, 'x'.repeat(bytes))).toBe(result);
  });

  it('counts a message in bytes', () => expect(intake(10, 1_000).take(1, '\u20ac'.repeat(34))).toBe(errors.TOO_LARGE));

  it('refuses what goes over the window, until something is committed', () => {
    const it = intake(2, 100);
    expect([1, 2, 3].map((n) => it.take(n, 'x'))).toEqual(['fresh', 'fresh', errors.WINDOW]);
    expect(it.received).toBe(2);
    expect(it.committed(1)).toBe(1);
    expect(it.take(3, 'x')).toBe('fresh');
  });

  it('counts commits once', () => {
    const it = intake(5, 100);
    for (const n of [1, 2, 3]) it.take(n, 'x');
    expect([it.committed(2), it.committed(2), it.committed(1), it.committed(3)]).toEqual([2, 0, 0, 1]);
  });
});
