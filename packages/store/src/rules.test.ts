import { describe, expect, it } from 'vitest';
import { confirmTokens, expiryOf, hasLapsed, overflows, renewLease, retentionOf, rotateTokens } from './rules.js';
import { DEFAULT_RETENTION } from './store.js';

describe('tokens', () => {
  it('stay good beside the next one, whichever of the two was presented', () => {
    const second = rotateTokens({ current: 'one' }, 'one', 'two')!;
    expect(second).toEqual({ current: 'two', previous: 'one' });
    expect(rotateTokens(second, 'one', 'three')).toEqual({ current: 'three', previous: 'one' });
    expect(rotateTokens(second, 'two', 'three')).toEqual({ current: 'three', previous: 'two' });
  });

  it('are refused when they are neither of the two, of whatever length', () => {
    for (const presented of ['', 'on', 'onf', 'one ', 'two']) {
      expect(rotateTokens({ current: 'one' }, presented, 'next')).toBeUndefined();
    }
  });

  it('die when the next one is confirmed', () => {
    expect(confirmTokens({ current: 'two', previous: 'one' })).toEqual({ current: 'two' });
  });
});

describe('leases', () => {
  it('lapse behind their last millisecond, and never where none was taken', () => {
    expect(hasLapsed(renewLease(undefined, 100), 100)).toBe(false);
    expect(hasLapsed(renewLease(undefined, 100), 101)).toBe(true);
    expect(hasLapsed(undefined, 101)).toBe(false);
  });

  it('shorten no life when they are ended early', () => {
    const ended = renewLease(renewLease(undefined, 500), 0);
    expect(hasLapsed(ended, 1)).toBe(true);
    expect(expiryOf({ lifeMs: 10, attachedMs: 3, detachedMs: null }, ended)).toBe(510);
  });

  it('matter to a life only while the session is attached', () => {
    const lease = renewLease(undefined, 500);
    expect(expiryOf({ lifeMs: 10, attachedMs: 3, detachedMs: 7 }, lease)).toBe(17);
    expect(expiryOf({ lifeMs: 10, attachedMs: 600, detachedMs: null }, lease)).toBe(610);
    expect(expiryOf({ lifeMs: 10, attachedMs: 3, detachedMs: null }, undefined)).toBe(13);
  });
});

describe('retention', () => {
  it('has defaults, each of which can be changed alone', () => {
    expect(retentionOf()).toEqual(DEFAULT_RETENTION);
    expect(retentionOf({ entries: 5 })).toEqual({ ...DEFAULT_RETENTION, entries: 5 });
  });

  it.each([{ entries: 0 }, { bytes: -1 }, { ageMs: Number.NaN }])('refuses %j', (options) => {
    expect(() => retentionOf(options)).toThrow('HF_OPTION');
  });

  it('never drops the newest entry for its size', () => {
    const retention = retentionOf({ bytes: 10, entries: 1 });
    expect(overflows({ first: 3, end: 3, bytes: 99 }, retention)).toBe(false);
    expect(overflows({ first: 2, end: 3, bytes: 5 }, retention)).toBe(true);
  });
});

it('refuses bounds of retention that nobody knows', () => {
  expect(() => retentionOf({ ages: 5 } as object)).toThrow('retention has no ages, only entries, bytes, ageMs');
});
