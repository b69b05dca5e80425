import type { Timeline } from '@holdfast/protocol/testing';

/**
 * Runs the timeline until `isOver` says so; before each step every promise that can settle has settled. No macrotask is waited
 * for: Node runs the queue of `nextTick` only when that of microtasks is empty, so a tick asked for by a microtask comes behind
 * all others.
 */
export function drive(timeline: Timeline, isOver: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => process.nextTick(step);
    const step = (): void => {
      try {
        if (isOver()) return resolve();
        timeline.step();
      } catch (error) {
        return reject(error instanceof Error ? error : new Error(String(error)));
      }
      queueMicrotask(settle);
    };
    queueMicrotask(settle);
  });
}
