import { MemoryStore } from '@holdfast/store';
import { VirtualClock } from '@holdfast/testing';
import { expect, it } from 'vitest';
import { serve, serverClock } from './server.fixture.js';

/** Counts how often a server asks for what is past its life. */
class CountingStore extends MemoryStore {
  cleanups = 0;

  override async expire(nowMs: number, limit: number): Promise<string[]> {
    this.cleanups++;
    return super.expire(nowMs, limit);
  }
}

/** The clean-ups within a minute, the first of them at the start. */
async function cleanupsOf(cleanupMs: number | undefined): Promise<number> {
  const clock = new VirtualClock();
  const store = new CountingStore();
  await serve({ store, clock: serverClock(clock), leaseMs: 3_000, cleanupMs });
  for (let second = 0; second < 60; second++) await clock.advanceAsync(1_000);
  return store.cleanups;
}

it('sessions past their life are cleaned up three times in each lease, or as seldom as it is asked for', async () => {
  expect(await cleanupsOf(undefined)).toBeGreaterThanOrEqual(55);
  expect(await cleanupsOf(20_000)).toBeGreaterThanOrEqual(3);
  expect(await cleanupsOf(20_000)).toBeLessThanOrEqual(4);
});
