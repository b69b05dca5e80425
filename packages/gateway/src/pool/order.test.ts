import { announceSeed, randomSeed } from '@holdfast/testing';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { hash32 } from './hash.js';
import { FREE_CONNECTIONS, loadBound } from './load-bound.js';
import { orderOf, type Affinity, type Choice } from './order.js';
import { rank } from './rendezvous.js';

// Thousands of hashes take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const seed = randomSeed();
announceSeed('order', seed, { command: 'npx vitest run --project unit packages/gateway/src/pool/order.test.ts' });

const choice = (id: string, share = 1, load = 0): Choice => ({
  id,
  hash: hash32(id),
  weight: share,
  share,
  load,
  credit: 0,
});
const first = (choices: readonly Choice[], affinity: Affinity): string | undefined => {
  for (const { id } of orderOf(choices, affinity)) return id;
  return undefined;
};

describe('round robin', () => {
  it('takes turns by weight, and none of them many times in a row', () => {
    const choices = [choice('a', 5), choice('b'), choice('c')];
    expect(Array.from({ length: 7 }, () => first(choices, {})).join('')).toBe('aabacaa');
  });

  it('gives each exactly its weight in every round', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });
    const property = fc.property(weights, (shares) => {
      const choices = shares.map((share, n) => choice(`${n}`, share));
      const total = shares.reduce((sum, share) => sum + share, 0);
      const turns = Array.from({ length: total }, () => first(choices, {}));
      expect(shares.map((_, n) => turns.filter((id) => id === `${n}`).length)).toEqual(shares);
    });
    fc.assert(property, { seed, numRuns: 200 });
  });

  it('goes on to each of the others once', () => {
    const order = [...orderOf([choice('a'), choice('b'), choice('c')], {})].map(({ id }) => id);
    expect(order).toEqual(['a', 'b', 'c']);
  });
});

describe('least connections', () => {
  it('prefers whoever has the fewest for its weight', () => {
    const choices = [choice('a', 1, 4), choice('b', 3, 6), choice('c', 2, 5)];
    expect([...orderOf(choices, { balance: 'least' })].map(({ id }) => id)).toEqual(['b', 'c', 'a']);
  });

  it('takes turns among those that are even', () => {
    const choices = [choice('a'), choice('b'), choice('c')];
    expect(Array.from({ length: 6 }, () => first(choices, { balance: 'least' })).join('')).toBe('abcabc');
  });
});

describe('a key', () => {
  const choices = (loads: readonly number[]): Choice[] => loads.map((load, n) => choice(`10.0.0.${n}:80`, 1, load));

  it('goes to its first choice although others have less to do, where nothing bounds it', () => {
    const loaded = choices([500, 0, 0]);
    for (const key of ['a', 'b', 'c', 'd']) expect(first(loaded, { key })).toBe(rank(key, loaded)[0]?.id);
  });

  it('goes to the pod it prefers, and without it where the key leads', () => {
    const found = choices([0, 0, 0]);
    expect(first(found, { key: 'a', pod: '10.0.0.2:80' })).toBe('10.0.0.2:80');
    expect(first(found, { key: 'a', pod: 'gone:80' })).toBe(rank('a', found)[0]?.id);
  });

  it('never makes a pod have more than its bound, and finds one for every key', () => {
    const property = fc.property(
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 }),
      fc.double({ min: 1, max: 2, noNaN: true }),
      fc.nat(),
      (weights, maxLoad, salt) => {
        const pods = weights.map((weight, n) => ({ ...choice(`10.0.0.${n}:80`, weight), load: 0 }));
        const shares = weights.reduce((sum, weight) => sum + weight, 0);
        for (let total = 1; total <= 400; total++) {
          // Half of all connections have one and the same key, as behind a large NAT.
          const key = total % 2 === 0 ? 'one' : `${salt}-${total}`;
          const pod = pods.find(({ id }) => id === first(pods, { key, maxLoad }));
          expect(pod).toBeDefined();
          if (pod === undefined) continue;
          pod.load++;
          expect(pod.load).toBeLessThanOrEqual(loadBound(total, pod.share / shares, maxLoad));
        }
      },
    );
    fc.assert(property, { seed, numRuns: 20 });
  });

  it('takes its next choice, not any, when the first is full', () => {
    const key = 'one';
    const [one, two] = rank(key, choices([0, 0, 0]));
    const full = choices([0, 0, 0]).map((pod) => ({ ...pod, load: pod.id === one?.id ? 40 : 20 }));
    expect(first(full, { key, maxLoad: 1.25 })).toBe(two?.id);
  });

  it('stays with its pod while there are few', () => {
    const key = 'one';
    const found = choices([0, 0, 0]);
    const home = rank(key, found)[0]?.id;
    const busy = found.map((pod) => ({ ...pod, load: pod.id === home ? FREE_CONNECTIONS - 1 : 0 }));
    expect(first(busy, { key, maxLoad: 1 })).toBe(home);
  });
});
