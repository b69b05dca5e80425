import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { announceSeed, randomSeed } from '@holdfast/testing';
import { faultySchedule, lossySchedule, run, setting } from './schedule.fixture.js';
import type { Pair } from './pair.js';
import { runsOf } from '../runs.fixture.js';

// A hunt may be long.
vi.setConfig({ testTimeout: 3_600_000 });

const seed = randomSeed();
const numRuns = runsOf(300);
announceSeed('pair under random schedules', seed, {
  command: `npx vitest run --project unit packages/protocol/src/testing/pair-property.test.ts`,
});

/** What is wrong with a session after a schedule. */
function flawsOf(pair: Pair): string[] {
  const { state, statistics } = pair.client;
  const handled = pair.session?.handled.map(({ text }) => text) ?? [];
  const flaws = [
    ...pair.judge.problems,
    ...pair.eventsOf('error').map(({ error, detail }) => `${error.code} ${detail}`),
  ];
  if (state !== 'open') flaws.push(`the session is ${state}`);
  if (handled.some((text, i) => text !== `${i + 1}`)) flaws.push(`handled ${handled.join(' ')}`);
  if (statistics.sent !== handled.length) flaws.push(`handled ${handled.length} of ${statistics.sent}`);
  if (statistics.waitingMessages > 0 || statistics.waitingBytes > 0) flaws.push('something waits');
  return flaws;
}

describe('a session under random schedules', () => {
  it('loses nothing, repeats nothing and keeps order while its transports and pods fail', () => {
    const property = fc.property(setting, faultySchedule, (settings, ops) => {
      const pair = run(settings, ops);
      expect(flawsOf(pair)).toEqual([]);
      expect(pair.eventsOf('gap')).toEqual([]);
    });
    fc.assert(property, { seed, numRuns });
  });

  it('says where something is missing when the store has lost it', () => {
    const property = fc.property(setting, lossySchedule, (settings, ops) => {
      expect(flawsOf(run(settings, ops))).toEqual([]);
    });
    fc.assert(property, { seed, numRuns });
  });
});
