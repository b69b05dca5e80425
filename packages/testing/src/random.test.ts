import { describe, expect, it } from 'vitest';
import { announceSeed, randomSeed, SEED_LIMIT, seededRandom } from './random.js';

const draw = (random: () => number, count: number) => Array.from({ length: count }, () => random());

describe('seededRandom', () => {
  it('gives the same numbers for the same seed and others for its neighbour', () => {
    expect(draw(seededRandom(7), 100)).toEqual(draw(seededRandom(7), 100));
    expect(draw(seededRandom(7), 4)).not.toEqual(draw(seededRandom(8), 4));
  });

  it('keeps its first numbers for ever, so that a seed in an old report still replays', () => {
    expect(Array.from({ length: 4 }, () => seededRandom(1).fork(2).int(0, 999))).toHaveLength(4);
    expect(draw(seededRandom(1), 3).map((x) => Math.floor(x * SEED_LIMIT))).toMatchInlineSnapshot(`
      [
        942367711,
        2702487149,
        1435577371,
      ]
    `);
  });

  it('spreads evenly over [0, 1) and over small ranges', () => {
    const random = seededRandom(42);
    const numbers = draw(random, 100_000);
    expect(Math.min(...numbers.slice(0, 50_000))).toBeGreaterThanOrEqual(0);
    expect(numbers.every((x) => x < 1)).toBe(true);
    const buckets = Array.from({ length: 10 }, () => 0);
    for (const x of numbers) {
      const bucket = Math.floor(x * 10);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(500);
    const faces = new Set(Array.from({ length: 500 }, () => random.int(-3, 3)));
    expect([...faces].sort((x, y) => x - y)).toEqual([-3, -2, -1, 0, 1, 2, 3]);
  });

  it('forks by label alone: draws before the fork change nothing', () => {
    const early = seededRandom(9).fork(3);
    const parent = seededRandom(9);
    draw(parent, 50);
    expect(draw(parent.fork(3), 10)).toEqual(draw(early, 10));
    expect(draw(parent.fork(4), 10)).not.toEqual(draw(parent.fork(3), 10));
    expect(new Set(Array.from({ length: 1000 }, (_, label) => parent.fork(label).seed)).size).toBe(1000);
  });

  it('refuses what is no seed, no range and no list', () => {
    for (const seed of [-1, 0.5, Number.NaN, SEED_LIMIT]) expect(() => seededRandom(seed)).toThrow(RangeError);
    expect(() => seededRandom(1).int(2, 1)).toThrow(RangeError);
    expect(() => seededRandom(1).pick([])).toThrow('nothing to pick from');
  });
});

describe('randomSeed', () => {
  it('takes the seed from HOLDFAST_SEED', () => {
    expect(randomSeed({ HOLDFAST_SEED: '123' })).toBe(123);
  });

  it('makes a usable seed when there is none', () => {
    expect(() => seededRandom(randomSeed({}))).not.toThrow();
  });

  it('refuses a seed it would not print the same way', () => {
    for (const text of ['x', '1.5', '-1', String(SEED_LIMIT)]) {
      expect(() => randomSeed({ HOLDFAST_SEED: text })).toThrow('HOLDFAST_SEED');
    }
  });
});

describe('announceSeed', () => {
  it('prints the seed and the command that replays it', () => {
    const lines: string[] = [];
    announceSeed("cut at a client's byte", 5, { write: (line) => lines.push(line) });
    announceSeed('soak', 6, { command: 'npm run soak', write: (line) => lines.push(line) });
    expect(lines).toEqual([
      "cut at a client's byte: seed: 5 (replay: HOLDFAST_SEED=5 npx vitest run -t 'cut at a client'\\''s byte')",
      'soak: seed: 6 (replay: HOLDFAST_SEED=6 npm run soak)',
    ]);
  });
});
