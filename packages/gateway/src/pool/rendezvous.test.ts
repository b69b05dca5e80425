import { announceSeed, randomSeed } from '@holdfast/testing';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { hash32 } from './hash.js';
import { rank, type Candidate } from './rendezvous.js';

// Thousands of hashes take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const seed = randomSeed();
announceSeed('rendezvous', seed, {
  command: 'npx vitest run --project unit packages/gateway/src/pool/rendezvous.test.ts',
});

const candidate = (id: string, weight = 1): Candidate => ({ id, weight, hash: hash32(id) });
const first = (key: string, candidates: readonly Candidate[]): string | undefined => rank(key, candidates)[0]?.id;
const ids = (candidates: readonly Candidate[]): string[] => candidates.map(({ id }) => id);

const address = fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 65_535 })).map(([host, port]) => `${host}:${port}`);
const pods = fc.uniqueArray(fc.tuple(address, fc.integer({ min: 1, max: 10 })), {
  minLength: 2,
  maxLength: 20,
  selector: ([id]) => id,
});
const keys = (count: number, salt: number): string[] => Array.from({ length: count }, (_, n) => `${salt}-${n}`);

/** Six standard deviations of a share of `count` draws, and some more for small shares, whose tail is longer. */
const spread = (count: number, share: number): number => 10 + 6 * Math.sqrt(count * share * (1 - share));

describe('rank', () => {
  it('gives the same order to every gateway, whatever order it knows the pods in', () => {
    const property = fc.property(pods, fc.string(), fc.integer(), (found, key, turn) => {
      const candidates = found.map(([id, weight]) => candidate(id, weight));
      const cut = Math.abs(turn) % candidates.length;
      const turned = [...candidates.slice(cut), ...candidates.slice(0, cut)].reverse();
      expect(ids(rank(key, turned))).toEqual(ids(rank(key, candidates)));
    });
    fc.assert(property, { seed, numRuns: 300 });
  });

  it('leaves the order of the others as it was when a pod goes, so that keys are back when it is back', () => {
    const property = fc.property(pods, fc.string(), fc.nat(), (found, key, which) => {
      const candidates = found.map(([id, weight]) => candidate(id, weight));
      const gone = candidates[which % candidates.length];
      const left = candidates.filter((other) => other !== gone);
      expect(ids(rank(key, left))).toEqual(ids(rank(key, candidates)).filter((id) => id !== gone?.id));
    });
    fc.assert(property, { seed, numRuns: 300 });
  });

  it('moves no key but to the pod that comes, and to it only its share', () => {
    const property = fc.property(pods, fc.nat(), (found, salt) => {
      const [[newId, newWeight], ...old] = found as [[string, number], ...[string, number][]];
      const before = old.map(([id, weight]) => candidate(id, weight));
      const after = [...before, candidate(newId, newWeight)];
      let moved = 0;
      for (const key of keys(1_000, salt)) {
        const to = first(key, after);
        if (to === first(key, before)) continue;
        expect(to).toBe(newId);
        moved++;
      }
      const share = newWeight / after.reduce((sum, { weight }) => sum + weight, 0);
      expect(Math.abs(moved - 1_000 * share)).toBeLessThanOrEqual(spread(1_000, share));
    });
    fc.assert(property, { seed, numRuns: 30 });
  });

  it('spreads keys as the weights say', () => {
    const property = fc.property(pods, fc.nat(), (found, salt) => {
      const candidates = found.map(([id, weight]) => candidate(id, weight));
      const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
      const counts = new Map<string | undefined, number>();
      for (const key of keys(1_000, salt)) {
        const id = first(key, candidates);
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
      for (const { id, weight } of candidates) {
        const share = weight / total;
        expect(Math.abs((counts.get(id) ?? 0) - 1_000 * share)).toBeLessThanOrEqual(spread(1_000, share));
      }
    });
    fc.assert(property, { seed, numRuns: 30 });
  });

  it('takes from all others alike when a weight grows, and nothing between them', () => {
    const property = fc.property(pods, fc.nat(), (found, salt) => {
      const before = found.map(([id, weight]) => candidate(id, weight));
      const heavier = before.map((pod, n) => (n === 0 ? { ...pod, weight: pod.weight + 3 } : pod));
      const moved = keys(200, salt).filter((key) => first(key, before) !== first(key, heavier));
      expect(moved.filter((key) => first(key, heavier) !== before[0]?.id)).toEqual([]);
    });
    fc.assert(property, { seed, numRuns: 30 });
  });

  it('is the same in every version: these orders never change', () => {
    const four = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80', '10.0.0.4:80'].map((id) => candidate(id));
    const orders = ['alice', 'bob', 'carol', ''].map((key) => ids(rank(key, four)).map((id) => id.slice(7, 8)));
    expect(orders.map((order) => order.join(''))).toMatchInlineSnapshot(`
      [
        "2431",
        "1342",
        "3421",
        "1243",
      ]
    `);
  });
});
