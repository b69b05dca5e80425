import { describe, expect, it } from 'vitest';
import { seededRandom } from './random.js';
import { TIMER_DELAY_MS_MAX, VirtualClock } from './virtual-clock.js';

describe('VirtualClock', () => {
  it('fires what falls due, in order of deadline, and shows each callback its own deadline', () => {
    const clock = new VirtualClock({ startMs: 1000 });
    const seen: string[] = [];
    clock.setTimeout(() => seen.push(`late ${clock.now()}`), 30);
    clock.setTimeout((word) => seen.push(`${word} ${clock.now()}`), 10, 'early');
    clock.setTimeout(() => seen.push('never'), 31);
    clock.advance(30);
    expect(seen).toEqual(['early 1010', 'late 1030']);
    expect(clock.now()).toBe(1030);
    expect(clock.nextDeadline()).toBe(1031);
    expect(clock.pending).toBe(1);
  });

  it('fires equal deadlines in the order of arming, however they were reached', () => {
    const clock = new VirtualClock();
    const seen: number[] = [];
    clock.setTimeout(() => seen.push(1), 20);
    clock.advance(10);
    clock.setTimeout(() => seen.push(2), 10);
    const third = clock.setTimeout(() => seen.push(4), 10);
    clock.setTimeout(() => seen.push(3), 10);
    third.refresh();
    clock.advance(10);
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  it('fires timers that callbacks arm within the span, and no further', () => {
    const clock = new VirtualClock();
    const seen: number[] = [];
    const again = (): void => {
      seen.push(clock.now());
      clock.setTimeout(again, 10);
    };
    clock.setTimeout(again, 10);
    clock.advance(35);
    expect(seen).toEqual([10, 20, 30]);
  });

  it('repeats an interval until it is cleared, also from within', () => {
    const clock = new VirtualClock();
    let ticks = 0;
    const interval = clock.setInterval(() => {
      if (++ticks === 3) clock.clearInterval(interval);
    }, 5);
    clock.advance(1000);
    expect(ticks).toBe(3);
    expect(clock.pending).toBe(0);
  });

  it('forgets a cleared timer at once, given as itself or as its number', () => {
    const clock = new VirtualClock();
    const first = clock.setTimeout(() => expect.unreachable(), 1);
    const second = clock.setTimeout(() => expect.unreachable(), 1);
    expect(first.hasRef()).toBe(true);
    clock.clearTimeout(first);
    clock.clearTimeout(Number(second));
    clock.clearTimeout(second);
    clock.clearTimeout(undefined);
    expect(first.hasRef()).toBe(false);
    expect(clock.pending).toBe(0);
    expect(clock.nextDeadline()).toBeUndefined();
    clock.advance(10);
  });

  it('runs until no timer is armed and says how many fired', () => {
    const clock = new VirtualClock();
    clock.setTimeout(() => clock.setTimeout(() => undefined, 3_600_000), 50);
    expect(clock.runUntilIdle()).toBe(2);
    expect(clock.now()).toBe(3_600_050);
  });

  it('stops at a bound when a timer re-arms itself for ever', async () => {
    const clock = new VirtualClock({ firingsMax: 100 });
    let fired = 0;
    clock.setInterval(() => fired++, 10);
    expect(() => clock.runUntilIdle()).toThrow('firingsMax');
    expect(fired).toBe(100);
    expect(() => clock.advance(10_000)).toThrow('firingsMax');
    await expect(clock.advanceAsync(10_000)).rejects.toThrow('firingsMax');
  });

  it('lets awaiting code run between timers when advanced asynchronously', async () => {
    const clock = new VirtualClock();
    const sleep = (ms: number): Promise<void> => new Promise((resolve) => clock.setTimeout(resolve, ms));
    const seen: number[] = [];
    const work = (async () => {
      for (let round = 0; round < 3; round++) {
        await sleep(100);
        seen.push(clock.now());
      }
    })();
    await clock.advanceAsync(300);
    await work;
    expect(seen).toEqual([100, 200, 300]);
    expect(clock.now()).toBe(300);
  });

  it('hands a throwing callback to whoever advances and goes on afterwards', () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    clock.setTimeout(() => {
      throw new Error('boom');
    }, 1);
    clock.setTimeout(() => seen.push('next'), 2);
    expect(() => clock.advance(5)).toThrow('boom');
    clock.advance(5);
    expect(seen).toEqual(['next']);
  });

  it('refuses to go back, to be advanced from within, and delays a real timer would cut short', () => {
    const clock = new VirtualClock();
    expect(() => clock.advance(-1)).toThrow(RangeError);
    expect(() => clock.advance(Number.NaN)).toThrow(RangeError);
    expect(() => clock.setTimeout(() => undefined, TIMER_DELAY_MS_MAX + 1)).toThrow(RangeError);
    clock.setTimeout(() => clock.advance(1), 1);
    expect(() => clock.advance(1)).toThrow('may not advance');
  });

  it('agrees with a sorted list for a thousand random timers, a third of them cleared', () => {
    const random = seededRandom(2024);
    const clock = new VirtualClock();
    const fired: number[] = [];
    const wanted: { due: number; index: number }[] = [];
    for (let index = 0; index < 1000; index++) {
      const due = random.int(0, 200);
      const timer = clock.setTimeout(() => fired.push(index), due);
      if (random.chance(1 / 3)) clock.clearTimeout(timer);
      else wanted.push({ due, index });
    }
    clock.advance(200);
    expect(fired).toEqual(wanted.sort((x, y) => x.due - y.due || x.index - y.index).map(({ index }) => index));
  });
});
