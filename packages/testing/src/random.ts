import { randomInt } from 'node:crypto';

/**
 * A seeded generator of numbers. It is callable, so it fits wherever a function such as `Math.random` is asked for.
 * The same seed gives the same numbers on every machine and every version of Node.
 */
export interface Random {
  /** The next number, 0 <= x < 1, with 32 random bits. */
  (): number;
  /** The seed it started from. */
  readonly seed: number;
  /** A whole number, `min` <= n <= `max`. */
  int(min: number, max: number): number;
  /** True with this probability (0 to 1). */
  chance(probability: number): boolean;
  /** One item of a list that is not empty. */
  pick<T>(items: readonly T[]): T;
  /**
   * Another generator that depends on this one's seed and `label` only, not on how many numbers were drawn. Give each actor
   * of a test its own: what one draws then never changes what another draws, in whatever order they run.
   */
  fork(label: number): Random;
}

/** Seeds are whole numbers below this (2^32). */
export const SEED_LIMIT = 0x1_0000_0000;

/** Scatters 32 bits, so that neighbouring seeds start far apart (the finalizer of MurmurHash3). */
function scatter(bits: number): number {
  let h = bits | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A generator (sfc32, a 128-bit state) for a whole-number seed, 0 <= seed < 2^32. */
export function seededRandom(seed: number): Random {
  if (!Number.isInteger(seed) || seed < 0 || seed >= SEED_LIMIT) {
    throw new RangeError(`a seed is a whole number from 0 to ${SEED_LIMIT - 1}, not ${seed}`);
  }
  let a = scatter(seed);
  let b = scatter(seed + 0x9e37_79b9);
  let c = scatter(seed + 0x3c6e_f372);
  let counter = 1;

  function next(): number {
    const bits = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + bits;
    return (bits >>> 0) / SEED_LIMIT;
  }
  // The first outputs still show the seed's structure; sfc32 asks for a dozen rounds before use.
  for (let round = 0; round < 12; round++) next();

  const int = (min: number, max: number): number => {
    if (!Number.isInteger(min) || !Number.isInteger(max) || max < min || max - min >= SEED_LIMIT) {
      throw new RangeError(`no whole number from ${min} to ${max} can be drawn`);
    }
    return min + Math.floor(next() * (max - min + 1));
  };
  return Object.assign(next, {
    seed,
    int,
    chance: (probability: number) => next() < probability,
    pick: <T>(items: readonly T[]): T => {
      if (items.length === 0) throw new RangeError('nothing to pick from');
      return items[int(0, items.length - 1)] as T;
    },
    fork: (label: number) => seededRandom(scatter(scatter(seed) + Math.imul(label + 1, 0x9e37_79b9))),
  });
}

/** The seed in the environment variable `HOLDFAST_SEED`; without one, a new seed. */
export function randomSeed(env: Record<string, string | undefined> = process.env): number {
  const text = env['HOLDFAST_SEED'];
  if (text === undefined || text === '') return randomInt(SEED_LIMIT);
  const seed = Number(text);
  if (!/^\d+$/.test(text) || seed >= SEED_LIMIT) {
    throw new RangeError(`HOLDFAST_SEED is a whole number from 0 to ${SEED_LIMIT - 1}, not "${text}"`);
  }
  return seed;
}

/** How a seed is announced. */
export interface AnnounceOptions {
  /** The command that runs this test again. Default: vitest, filtered by the name. */
  command?: string;
  /** Where the line goes. Default: `console.log`. */
  write?: (line: string) => void;
}

/** Prints `NAME: seed: N (replay: HOLDFAST_SEED=N COMMAND)`, so that a failure seen once can be seen again. */
export function announceSeed(name: string, seed: number, options: AnnounceOptions = {}): void {
  const { command = `npx vitest run -t '${name.replaceAll("'", `'\\''`)}'`, write = console.log } = options;
  write(`${name}: seed: ${seed} (replay: HOLDFAST_SEED=${seed} ${command})`);
}
