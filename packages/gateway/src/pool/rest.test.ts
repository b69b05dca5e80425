import { describe, expect, it } from 'vitest';
import { Rest } from './rest.js';

const failing = (timesMs: readonly number[], maxFails = 3): Rest => {
  const rest = new Rest({ maxFails, failTimeoutMs: 10_000 });
  for (const atMs of timesMs) rest.failed(atMs);
  return rest;
};

describe('Rest', () => {
  it.each([
    ['after two failures', [0, 1], undefined],
    ['after three within the time', [0, 4_000, 9_999], 19_999],
    ['after three of which the first is too long ago', [0, 4_000, 10_000], undefined],
    ['after four, the last three within the time', [0, 9_000, 12_000, 18_000], 28_000],
  ])('%s rests until %3$s', (_, timesMs, untilMs) => expect(failing(timesMs).untilMs).toBe(untilMs));

  it('takes no failure back for a success in between', () => {
    const rest = failing([0, 1_000]);
    rest.succeeded();
    rest.failed(2_000);
    expect(rest.untilMs).toBe(12_000);
  });

  it('lets nobody through while it lasts, and one when it is over', () => {
    const rest = failing([0, 0, 0]);
    expect([9_999, 10_000, 10_000, 20_000].map((nowMs) => rest.allows(nowMs))).toEqual([false, true, false, false]);
  });

  it('is over when that one succeeds, and forgets what was', () => {
    const rest = failing([0, 0, 0]);
    rest.allows(10_000);
    rest.succeeded();
    rest.failed(10_001);
    expect([rest.untilMs, rest.allows(10_002)]).toEqual([undefined, true]);
  });

  it('begins again when that one fails, however old the other failures are', () => {
    const rest = failing([0, 0, 0]);
    rest.allows(50_000);
    rest.failed(50_500);
    expect([rest.untilMs, rest.allows(60_499), rest.allows(60_500)]).toEqual([60_500, false, true]);
  });

  it('gives the one attempt to another when it came to no verdict', () => {
    const rest = failing([0, 0, 0]);
    rest.allows(10_000);
    rest.abandoned();
    expect(rest.allows(10_000)).toBe(true);
  });

  it('ends early when somebody knows better', () => {
    const rest = failing([0, 0, 0]);
    rest.relent(100);
    expect([rest.allows(100), rest.allows(100)]).toEqual([true, false]);
  });

  it('never begins with maxFails 0, and with 1 at the first failure', () => {
    expect(failing([0, 0, 0, 0], 0).untilMs).toBeUndefined();
    expect(failing([5], 1).untilMs).toBe(10_005);
  });
});
