import { expect, it } from 'vitest';
import { Timeline } from './timeline.js';

it('runs events in the order of time, and among equals in the order of asking', () => {
  const timeline = new Timeline();
  const ran: string[] = [];
  for (const [atMs, name] of [
    [5, 'c'],
    [1, 'a'],
    [5, 'd'],
    [3, 'b'],
  ] as const) {
    timeline.at(atMs, () => ran.push(`${name}@${timeline.nowMs}`));
  }
  timeline.after(5, () => timeline.after(0, () => ran.push('nested')));
  while (timeline.nextMs < Infinity) timeline.step();
  expect(ran).toEqual(['a@1', 'b@3', 'c@5', 'd@5', 'nested']);
});

it('never goes back, and never past an event', () => {
  const timeline = new Timeline();
  timeline.skipTo(10);
  timeline.at(5, () => undefined);
  timeline.after(5, () => undefined);
  expect(timeline.nextMs).toBe(10);
  timeline.step();
  timeline.skipTo(100);
  expect(timeline.nowMs).toBe(15);
  timeline.skipTo(1);
  expect(timeline.nowMs).toBe(15);
});
