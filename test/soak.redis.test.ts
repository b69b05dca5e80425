import { announceSeed, randomSeed } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { peakWithin, percentilesOf } from './soak/figures.js';
import { runSoak, type SoakOptions, type SoakResult } from './soak/soak.js';

const seed = randomSeed();
announceSeed('soak', seed, { command: 'npx vitest run --project e2e test/soak.redis.test.ts' });

/** `npm run soak`, with fewer clients and for one minute. */
const SMALL: SoakOptions = {
  scenario: 'chaos',
  seed,
  durationMs: 60_000,
  clients: 100,
  clientProcesses: 1,
  pods: 3,
  messagesPerSecond: 1,
  newsPerSecond: 1,
  cutMs: 8_000,
  offlineMs: 1_000,
  killMs: 6_000,
  redisPauseMs: 2_000,
  drainRate: 20,
  // The clients of one pod are asked within half a second where nothing holds the rate: those are more.
  tolerance: 0.6,
};

function print({
  sent,
  received,
  recoveries,
  moves,
  replayMs,
  recoveryMs,
  transportlessMs,
  ...rest
}: SoakResult): void {
  process.stdout.write(
    `${sent} sent, ${received} received; ${recoveries} recoveries, ${moves} moves; recovery p99 ${recoveryMs.p99} ms, replay p99 ${replayMs.p99} ms, ` +
      `without a transport p99 ${transportlessMs.p99} ms; most reconnects within a second ${rest.peakReconnectsPerSecond}\n`,
  );
}

describe('three pods on a real Redis', () => {
  it('lose, repeat and swap nothing while networks are cut, pods killed and restarted, and Redis paused and killed', async () => {
    const result = await runSoak(SMALL, () => undefined);
    print(result);
    expect(result.problems).toEqual([]);
    expect(result).toMatchObject({ ok: true, lost: 0, duplicated: 0, outOfOrder: 0, gaps: 0, closes: 0 });
    expect(result).toMatchObject({ rollingRestarts: 2, redisPauses: 1, redisRestarts: 1, received: result.sent });
    expect(result.kills).toBeGreaterThanOrEqual(2);
    expect(result.cuts).toBeGreaterThan(SMALL.clients);
    expect(result.replayed).toBeGreaterThan(0);
  });

  it('are restarted one after another without a close, and within the rate of reconnects that is asked for', async () => {
    const result = await runSoak({ ...SMALL, scenario: 'rollout', durationMs: 5_000 }, () => undefined);
    print(result);
    expect(result.problems).toEqual([]);
    expect(result).toMatchObject({ ok: true, closes: 0, gaps: 0, rollingRestarts: 1, received: result.sent });
    expect(result.moves).toBeGreaterThanOrEqual(SMALL.clients);
  });
});

describe('the figures of a soak', () => {
  it('are those that so many of the values do not exceed', () => {
    expect(percentilesOf(Array.from({ length: 200 }, (_, i) => 200 - i))).toEqual({
      count: 200,
      p50: 100,
      p99: 198,
      max: 200,
    });
    expect(percentilesOf([7])).toEqual({ count: 1, p50: 7, p99: 7, max: 7 });
    expect(percentilesOf([])).toEqual({ count: 0, p50: 0, p99: 0, max: 0 });
  });

  it('find the busiest second wherever it begins', () => {
    expect(peakWithin([0, 900, 950, 1_000, 1_850, 3_000], 1_000)).toBe(4);
    expect(peakWithin([5, 1_005], 1_000)).toBe(1);
    expect(peakWithin([], 1_000)).toBe(0);
  });
});
