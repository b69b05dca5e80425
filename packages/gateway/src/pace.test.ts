import { VirtualClock } from '@holdfast/testing';
import { expect, it } from 'vitest';
import { Pace } from './pace.js';

it('does what it is given at its rate, in random places of each step, and in order of the steps', () => {
  const clock = new VirtualClock();
  const pace = new Pace(50, clock, () => 0.5);
  const doneMs: number[] = [];
  pace.add(Array.from({ length: 12 }, () => () => doneMs.push(clock.now())));
  clock.advance(1_000);
  expect(doneMs).toEqual([50, 50, 50, 50, 50, 150, 150, 150, 150, 150, 250, 250]);
});

it.each([2, 14, 15, 24])('keeps %i a second, which is no whole number in each step', (perSecond) => {
  const clock = new VirtualClock();
  const pace = new Pace(perSecond, clock, () => 0);
  let done = 0;
  pace.add(Array.from({ length: 1_000 }, () => () => void done++));
  clock.advance(9_999);
  expect(Math.abs(done - 10 * perSecond)).toBeLessThanOrEqual(1);
  pace.perSecond = 100;
  clock.advance(1_000);
  expect(Math.abs(done - 10 * perSecond - 100)).toBeLessThanOrEqual(10);
});

it('begins again for what comes later, and forgets what waits when it is stopped', () => {
  const clock = new VirtualClock();
  const pace = new Pace(10, clock, () => 0);
  let done = 0;
  const act = (): void => void done++;
  pace.add([act]);
  clock.advance(500);
  pace.add([act, act, act]);
  clock.advance(150);
  expect(done).toBe(3);
  pace.stop();
  clock.advance(1_000);
  expect(done).toBe(3);
});
