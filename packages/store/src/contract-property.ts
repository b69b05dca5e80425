import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { OpenStore } from './contract-kit.js';
import { ModelStore } from './contract-model.js';
import { Pair } from './contract-pair.js';
import { step, stepMs } from './contract-steps.js';
import type { Retention } from './store.js';

/** Small enough that every bound is met within a few steps. */
const RETENTION: Retention = { entries: 5, bytes: 24, ageMs: 200 };

export interface PropertyOptions {
  /** Draws the sequences of calls. Print it. */
  readonly seed: number;
  /** How many sequences are tried. Default 150. */
  readonly runs?: number;
}

/** Any sequence of calls has the results that the model says. */
export function propertyContract(open: OpenStore, { seed, runs = 150 }: PropertyOptions): void {
  it(
    'does what the model does, whatever is asked of it in whatever order',
    async () => {
      const sequences = fc.array(fc.tuple(step, stepMs), { minLength: 1, maxLength: 60, size: 'max' });
      const property = fc.asyncProperty(sequences, async (steps) => {
        const test = await open({ retention: RETENTION });
        const pair = new Pair(test.store, new ModelStore(RETENTION));
        try {
          for (const [next, byMs] of steps) {
            if (next.do === 'reopen' && test.reopen !== undefined) pair.store = await test.reopen();
            const { actual, expected } = await pair.take(next, byMs);
            expect(actual).toEqual(expected);
          }
        } finally {
          await pair.store.close();
        }
      });
      await fc.assert(property, { seed, numRuns: runs, endOnFailure: true });
    },
    60_000 + runs * 1_000,
  );
}
