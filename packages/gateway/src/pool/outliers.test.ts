import { announceSeed, randomSeed } from '@holdfast/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { findOutliers, OUTLIERS, type Comparable } from './outliers.js';

const seed = randomSeed();
announceSeed('outliers', seed, { command: 'npx vitest run --project unit packages/gateway/src/pool/outliers.test.ts' });

const pod = (id: string, failed: number, succeeded: number, ejectedUntilMs?: number): Comparable => ({
  id,
  recent: { failed, succeeded },
  ejectedUntilMs,
});
const found = (pods: Comparable[], options = OUTLIERS): string[] =>
  Array.from(findOutliers(pods, options), ({ id }) => id);

it.each([
  ['one that fails while the others do not', [pod('a', 5, 5), pod('b', 0, 10), pod('c', 0, 10)], ['a']],
  ['none when all fail alike', [pod('a', 10, 0), pod('b', 10, 0), pod('c', 9, 1)], []],
  ['none that is not three times as bad', [pod('a', 6, 4), pod('b', 3, 7), pod('c', 3, 7)], []],
  ['none that fails seldom', [pod('a', 29, 71), pod('b', 0, 100), pod('c', 0, 100)], []],
  ['none that was hardly tried', [pod('a', 9, 0), pod('b', 0, 100), pod('c', 0, 100)], []],
  ['none of two: half is more than a third', [pod('a', 50, 0), pod('b', 0, 50)], []],
  ['none when one of three is left out already', [pod('a', 9, 1), pod('b', 0, 10), pod('c', 0, 0, 9)], []],
  ['none without anything to compare it with', [pod('a', 9, 1), pod('b', 0, 0), pod('c', 0, 0)], []],
])('finds %s', (_, pods, expected) => expect(found(pods)).toEqual(expected));

it('takes the worst first, as far as the floor allows', () => {
  const good = ['c', 'd', 'e', 'f'].map((id) => pod(id, 0, 10));
  expect(found([pod('a', 5, 5), pod('b', 6, 4), ...good])).toEqual(['b', 'a']);
  expect(found([pod('a', 5, 5), pod('b', 6, 4), ...good], { ...OUTLIERS, ejectedShareMax: 0.2 })).toEqual(['b']);
});

it('never leaves out more than the share, whatever happened', () => {
  const count = fc.integer({ min: 0, max: 50 });
  const any = fc.array(fc.tuple(count, count, fc.boolean()), { maxLength: 12 });
  const property = fc.property(any, fc.double({ min: 0, max: 1, noNaN: true }), (samples, ejectedShareMax) => {
    const pods = samples.map(([failed, ok, isOut], n) => pod(`${n}`, failed, ok, isOut ? 1 : undefined));
    const already = pods.filter(({ ejectedUntilMs }) => ejectedUntilMs !== undefined).length;
    const out = found(pods, { ...OUTLIERS, ejectedShareMax }).length;
    expect(out).toBeLessThanOrEqual(Math.max(0, pods.length * ejectedShareMax - already));
  });
  fc.assert(property, { seed, numRuns: 500 });
});
