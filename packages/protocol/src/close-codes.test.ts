import { describe, expect, it } from 'vitest';
import { CLOSE, closeCodeOf, closeReason, retryHint, VERDICTS, verdictOf } from './close-codes.js';
import type { ErrorKind } from './error.js';
import * as errors from './errors.js';
import { LIMITS } from './limits.js';
import { sizeOf } from './utf8.js';

describe('close codes', () => {
  it('have a verdict each, but for the normal close', () => {
    for (const code of Object.values(CLOSE)) expect(VERDICTS.has(code)).toBe(code !== CLOSE.normal);
  });

  it('are numbers of their own, where an application has none', () => {
    const codes = Object.values(CLOSE);
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) expect(code < 3_000 || code >= 4_500).toBe(true);
  });

  it('take every other code for a lost network', () => {
    expect([verdictOf(1006), verdictOf(1001), verdictOf(1000), verdictOf(4_999)]).toEqual(Array(4).fill('resume'));
  });

  it('carry every error that closes a transport in a reason that fits', () => {
    for (const kind of Object.values<ErrorKind>(errors)) {
      expect(verdictOf(closeCodeOf(kind))).toBeDefined();
      expect(sizeOf(closeReason(kind, 86_400_000))).toBeLessThanOrEqual(LIMITS.reasonBytes);
    }
  });

  it('lets no error that passes end a session', () => {
    for (const kind of Object.values<ErrorKind>(errors)) {
      if (kind.side === 'environment' && kind.closeCode !== undefined) {
        expect(['resume', 'later'], kind.code).toContain(verdictOf(kind.closeCode));
      }
    }
  });
});

describe('retryHint', () => {
  it('reads what closeReason wrote', () => {
    expect(retryHint(closeReason(errors.BUSY, 1_500.2))).toBe(1_501);
    expect(retryHint(closeReason(errors.BUSY))).toBeUndefined();
  });

  it.each([
    ['retry=5', 5],
    ['x retry=5', 5],
    ['xretry=5', undefined],
    ['retry=5 x', undefined],
    ['retry=-5', undefined],
    ['retry=99999999', 86_400_000],
    ['retry=999999999', undefined],
    ['', undefined],
  ])('reads %j as %j', (reason, hint) => expect(retryHint(reason)).toBe(hint));
});
