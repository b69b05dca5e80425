import { VirtualClock } from '@holdfast/testing';
import { expect, it } from 'vitest';
import { IdleTimer, SendTimer } from './timers.js';

it('calls back after so much silence, counted from what happened last, and once', () => {
  const clock = new VirtualClock();
  const idleMs: number[] = [];
  const timer = new IdleTimer(clock, 100, () => idleMs.push(clock.now()));
  clock.advance(60);
  timer.touch();
  clock.advance(80);
  timer.touch();
  clock.advance(99);
  expect(idleMs).toEqual([]);
  clock.advance(500);
  expect(idleMs).toEqual([240]);
});

it('calls back for a peer that takes nothing, and waits for one that takes a little', () => {
  const clock = new VirtualClock();
  let stuck = 0;
  const timer = new SendTimer(clock, 100, () => stuck++);
  const socket = { writableLength: 10 };
  timer.begin(socket);
  for (let left = 9; left > 5; left--) {
    clock.advance(90);
    socket.writableLength = left;
  }
  expect(stuck).toBe(0);
  clock.advance(300);
  expect(stuck).toBe(1);
  timer.begin(socket);
  timer.stop();
  clock.advance(300);
  expect(stuck).toBe(1);
});
