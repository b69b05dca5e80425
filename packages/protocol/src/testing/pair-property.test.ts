import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { announceSeed, randomSeed } from '@holdfast/testing';
import { faultySchedule, lossySchedule, run, setting } from './schedule.fixture.js';
import type { Pair } from './pair.js';

const seed = randomSeed();
const numRuns = Number(process.env['HOLDFAST_RUNS'] ?? 300);
announceSeed('pair under random schedules', seed, {
  command: `npx vitest run --project unit packages/protocol/src/testing/pair-property.test.ts`,
});

const upTo = (n: number): string[] => Array.from({ length: n }, (_, i) => `${i + 1}`);

/** What holds after every schedule. */
function expectSound(pair: Pair): void {
  expect(pair.judge.problems).toEqual([]);
  expect(pair.client.state).toBe('open');
  expect(pair.eventsOf('error')).toEqual([]);
  const handled = pair.session?.handled ?? [];
  expect(handled.map(({ text }) => text)).toEqual(upTo(handled.length));
  expect(pair.client.statistics).toMatchObject({ sent: handled.length, waitingMessages: 0, waitingBytes: 0 });
}

describe('a session under random schedules', () => {
  it('loses nothing, repeats nothing and keeps order while its transports and pods fail', () => {
    const property = fc.property(setting, faultySchedule, (settings, ops) => {
      const pair = run(settings, ops);
      expectSound(pair);
      expect(pair.eventsOf('gap')).toEqual([]);
      const own = pair.received.filter(({ topic }) => topic === '');
      expect(own.map(({ text }) => text)).toEqual(upTo(own.length));
    });
    fc.assert(property, { seed, numRuns });
  });

  it('says where something is missing when the store has lost it', () => {
    fc.assert(
      fc.property(setting, lossySchedule, (settings, ops) => expectSound(run(settings, ops))),
      { seed, numRuns },
    );
  });
});
