import { describe, expect, it, vi } from 'vitest';
import { Liveness, type Pulse } from './liveness.js';

// Many runs, on a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 60_000 });

const beat = { pingMs: 2_000, deadMs: 4_000 };

/** Runs checks when they are due, `lateMs` behind; returns when the transport was given up, or `Infinity`. */
function deathMs(
  liveness: Liveness,
  untilMs: number,
  lateMs: (dueMs: number) => number,
  answer?: (nowMs: number) => void,
): number {
  for (let nowMs = lateMs(liveness.dueMs); nowMs <= untilMs; nowMs = lateMs(liveness.dueMs)) {
    const pulse = liveness.check(nowMs);
    if (pulse === 'dead') return nowMs;
    if (pulse === 'ping') answer?.(nowMs);
    expect(liveness.dueMs).toBeGreaterThan(nowMs);
  }
  return Infinity;
}
const onTime = (dueMs: number): number => dueMs;

describe('Liveness', () => {
  it.each(Array.from({ length: 41 }, (_, i) => i * 100))(
    'finds a peer that falls silent after %i ms within 5 s',
    (lastHeardMs) => {
      const liveness = new Liveness(beat, 0);
      const hear = (nowMs: number): void => {
        if (nowMs < lastHeardMs) liveness.heard(nowMs);
      };
      for (let nowMs = 0; nowMs < lastHeardMs; nowMs++) {
        if (nowMs >= liveness.dueMs) liveness.check(nowMs);
        if (nowMs % 7 === 0) hear(nowMs);
      }
      liveness.heard(lastHeardMs);
      const foundMs = deathMs(liveness, 60_000, onTime) - lastHeardMs;
      expect(foundMs).toBe(4_000);
    },
  );

  it('finds it within 5 s although every timer is a tenth of a second late', () => {
    expect(deathMs(new Liveness(beat, 0), 60_000, (dueMs) => dueMs + 100)).toBeLessThanOrEqual(5_000);
    expect(deathMs(new Liveness(beat, 0), 60_000, (dueMs) => dueMs + 124)).toBeLessThanOrEqual(5_000);
  });

  it('never gives up a peer that answers pings', () => {
    const liveness = new Liveness(beat, 0);
    expect(deathMs(liveness, 3_600_000, onTime, (nowMs) => liveness.heard(nowMs + 1))).toBe(Infinity);
  });

  it('pings only in silence', () => {
    const liveness = new Liveness(beat, 0);
    const pulses: Pulse[] = [];
    for (let nowMs = 0; nowMs < 60_000; nowMs += 10) {
      if (nowMs % 1_000 === 0) liveness.heard(nowMs);
      if (nowMs >= liveness.dueMs) pulses.push(liveness.check(nowMs));
    }
    expect(new Set(pulses)).toEqual(new Set(['alive']));
  });

  it('says nothing before it is due', () => expect(new Liveness(beat, 0).check(1_999)).toBe('alive'));

  // An answer lies unread in the socket while the event loop is blocked, or the process stopped: timers run first, then reads.
  it.each([2_050, 2_200, 3_000, 5_000, 60_000, 3_600_000])(
    'raises no false alarm when it is blocked for %i ms, whenever that begins',
    (blockedMs) => {
      for (let startMs = 0; startMs < 6_000; startMs += 50) {
        const liveness = new Liveness(beat, 0);
        const rttMs = 20;
        const answers: number[] = [];
        const endMs = startMs + blockedMs;
        for (let nowMs = 0; nowMs < endMs + 10_000; nowMs += 10) {
          if (nowMs > startMs && nowMs < endMs) continue;
          if (nowMs >= liveness.dueMs) {
            const pulse = liveness.check(nowMs);
            expect(pulse, `blocked from ${startMs} ms`).not.toBe('dead');
            if (pulse === 'ping') answers.push(nowMs + rttMs);
          }
          while ((answers.at(0) ?? Infinity) <= nowMs) {
            answers.shift();
            liveness.heard(nowMs);
          }
        }
      }
    },
  );

  it('raises no false alarm when it is blocked twice before it could read', () => {
    const liveness = new Liveness(beat, 0);
    expect(liveness.check(2_000)).toBe('ping');
    expect(liveness.check(6_000)).toBe('ping');
    expect(liveness.check(9_000)).toBe('ping');
    liveness.heard(9_001);
    expect(liveness.check(liveness.dueMs)).toBe('alive');
  });

  it.each([
    [1_000, 15_000],
    [60_000, 400_000],
  ])('finds death in the end although timers fire only every %i ms', (grainMs, withinMs) => {
    const background = { pingMs: 25_000, deadMs: 50_000 };
    for (const liveness of [new Liveness(beat, 0), new Liveness(background, 0)]) {
      const foundMs = deathMs(liveness, 3_600_000, (dueMs) => Math.ceil((dueMs + 1) / grainMs) * grainMs - 1);
      expect(foundMs).toBeLessThanOrEqual(withinMs + 50_000);
    }
  });

  it('probes at once, and gives up soon if nothing comes', () => {
    const liveness = new Liveness({ pingMs: 25_000, deadMs: 50_000 }, 0);
    expect(liveness.probe(5_000, 100)).toBe('ping');
    expect(deathMs(liveness, 60_000, onTime)).toBe(5_100);
  });

  it('probes no longer than a ping may take anyway', () => {
    const liveness = new Liveness(beat, 0);
    liveness.probe(5_000, 100);
    expect(deathMs(liveness, 60_000, onTime)).toBe(2_100);
  });

  it('is not put off by one probe after the other', () => {
    const liveness = new Liveness(beat, 0);
    const pulses: Pulse[] = [];
    for (let nowMs = 100; nowMs <= 5_000 && !pulses.includes('dead'); nowMs += 100) {
      pulses.push(liveness.probe(5_000, nowMs));
      if (nowMs >= liveness.dueMs) pulses.push(liveness.check(nowMs));
    }
    expect(pulses.filter((pulse) => pulse === 'ping')).toHaveLength(1);
    expect(pulses.at(-1)).toBe('dead');
  });

  it('asks anew when an earlier ping may take much longer than a probe', () => {
    const liveness = new Liveness({ pingMs: 25_000, deadMs: 50_000 }, 0);
    liveness.check(25_000);
    expect(liveness.probe(5_000, 25_100)).toBe('ping');
    expect(deathMs(liveness, 100_000, onTime)).toBe(30_100);
  });

  it('judges a ping of a slower beat by the faster one that is set', () => {
    const liveness = new Liveness({ pingMs: 25_000, deadMs: 50_000 }, 0);
    liveness.check(25_000);
    liveness.setBeat(beat, 25_100);
    expect(deathMs(liveness, 100_000, onTime)).toBe(27_350);
  });

  it('keeps to a faster beat from when it is set', () => {
    const liveness = new Liveness({ pingMs: 25_000, deadMs: 50_000 }, 0);
    liveness.setBeat(beat, 10_000);
    expect(liveness.dueMs).toBe(12_000);
    expect(liveness.check(12_000)).toBe('ping');
  });

  it('keeps to a slower beat from the next check', () => {
    const liveness = new Liveness(beat, 0);
    liveness.setBeat({ pingMs: 25_000, deadMs: 50_000 }, 0);
    expect(liveness.check(2_000)).toBe('alive');
    expect(liveness.dueMs).toBe(25_000);
  });

  it('gives up in the end for beats of any length', () => {
    for (const pingMs of [1, 10, 100, 1_000]) {
      const liveness = new Liveness({ pingMs, deadMs: pingMs + 1 }, 0);
      expect(deathMs(liveness, 10_000, onTime)).toBeCloseTo(pingMs + 1, 5);
    }
  });
});
