import { expect, it } from 'vitest';
import { ModelProcess } from './model-process.js';
import { Timeline } from './timeline.js';

function stand(dueMs: number) {
  const timeline = new Timeline();
  const did: string[] = [];
  const process = new ModelProcess(timeline, () => undefined);
  const machine = {
    dueMs,
    handleTimeout: (nowMs: number) => {
      did.push(`timer ${nowMs}`);
      machine.dueMs = Infinity;
    },
  };
  process.machines = [machine];
  return { timeline, process, machine, did };
}

it('runs late timers first when it goes on, and reads what waits after them', () => {
  const { timeline, process, did } = stand(100);
  process.stop(5_000);
  timeline.at(50, () => process.run(() => did.push('read')));
  while (timeline.nextMs < Infinity) timeline.step();
  expect(did).toEqual(['timer 5000', 'read']);
});

it('fires timers of a hidden page only at multiples of their grain', () => {
  const { process } = stand(1_001);
  process.timerGrainMs = 1_000;
  expect(process.dueMs).toBe(2_000);
});

it('throws when a machine is due again and again at one instant', () => {
  const { process, machine } = stand(0);
  machine.handleTimeout = () => undefined;
  expect(() => {
    for (let i = 0; i < 1_000; i++) process.runTimers();
  }).toThrow('a busy loop at 0 ms');
});
