import { VirtualClock } from '@holdfast/testing';
import { describe, expect, test } from 'vitest';
import { Deadlines, type Due } from './deadlines.js';
import { serverClock } from './server.fixture.js';

class Item implements Due {
  readonly calledMs: number[] = [];
  constructor(
    public dueMs: number,
    private readonly clock: VirtualClock,
    private readonly then: (item: Item) => void = (item) => (item.dueMs = Infinity),
  ) {}
  handleDue(): void {
    this.calledMs.push(this.clock.now());
    this.then(this);
  }
}

function setUp() {
  const clock = new VirtualClock({ startMs: 1_000 });
  return { clock, deadlines: new Deadlines(serverClock(clock)) };
}

test('everybody is called within a grain of 25 ms of the time', () => {
  const { clock, deadlines } = setUp();
  const items = [1_001, 1_024, 1_500, 61_003].map((dueMs) => new Item(dueMs, clock));
  for (const item of items) deadlines.watch(item);
  const times = items.map(({ dueMs }) => dueMs);
  clock.advance(120_000);
  for (const [i, { calledMs }] of items.entries()) {
    expect(calledMs).toHaveLength(1);
    expect(Math.abs(Number(calledMs[0]) - Number(times[i]))).toBeLessThanOrEqual(25);
  }
  expect(clock.pending).toBe(0);
});

test('many deadlines cost one timer', () => {
  const { clock, deadlines } = setUp();
  for (let i = 0; i < 1_000; i++) deadlines.watch(new Item(2_000 + i, clock));
  expect(clock.pending).toBe(1);
});

test('a deadline that has moved is asked anew when it comes, and one that is earlier than before is met', () => {
  const { clock, deadlines } = setUp();
  const later = new Item(1_100, clock);
  const earlier = new Item(9_000, clock);
  deadlines.watch(later);
  deadlines.watch(earlier);
  later.dueMs = 5_000;
  earlier.dueMs = 2_000;
  deadlines.watch(earlier);
  clock.advance(2_000);
  expect(later.calledMs).toEqual([]);
  expect(earlier.calledMs).toEqual([2_000]);
  clock.advance(10_000);
  expect(later.calledMs).toEqual([5_000]);
});

test('who is called and wants to be called again is', () => {
  const { clock, deadlines } = setUp();
  const item = new Item(2_000, clock, (due) => (due.dueMs += 1_000));
  deadlines.watch(item);
  clock.advance(3_500);
  expect(item.calledMs).toEqual([2_000, 3_000, 4_000]);
});

describe('who is forgotten', () => {
  test('is not called', () => {
    const { clock, deadlines } = setUp();
    const item = new Item(2_000, clock);
    deadlines.watch(item);
    deadlines.forget(item);
    clock.advance(5_000);
    expect(item.calledMs).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('by one that is due in the same moment is not called, and not watched any more', () => {
    const { clock, deadlines } = setUp();
    const items: Item[] = [];
    const forgetOthers = (item: Item): void => {
      item.dueMs = Infinity;
      for (const other of items) if (other !== item) deadlines.forget(other);
    };
    for (let i = 0; i < 2; i++) items.push(new Item(2_000, clock, forgetOthers));
    for (const item of items) deadlines.watch(item);
    clock.advance(60_000);
    expect(items.map(({ calledMs }) => calledMs.length)).toEqual([1, 0]);
    expect(clock.pending).toBe(0);
  });
});

test('nothing is watched after the stop', () => {
  const { clock, deadlines } = setUp();
  deadlines.watch(new Item(2_000, clock));
  deadlines.stop();
  deadlines.watch(new Item(2_000, clock));
  expect(clock.pending).toBe(0);
});
