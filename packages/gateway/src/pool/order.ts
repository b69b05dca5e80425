import { loadBound } from './load-bound.js';
import { rank, type Candidate } from './rendezvous.js';
import { inTurn, leastLoaded, type Turn } from './turns.js';

/** Where a connection would like to go. */
export interface Affinity {
  /** Connections with the same key go to the same pod, as long as it takes any. */
  readonly key?: string | undefined;
  /** Id of a pod that is better still, whatever the key says: where a persistent cookie has been before. */
  readonly pod?: string | undefined;
  /** How to choose without a key. Default `round-robin`. */
  readonly balance?: 'round-robin' | 'least' | undefined;
  /** How much more than its share a pod may have before a key goes to its next choice, as 1.25. Default: any. */
  readonly maxLoad?: number | undefined;
}

export interface Choice extends Candidate, Turn {
  readonly load: number;
}

/** The pods in the order in which a connection tries them. Lazy, because taking turns has an effect on the next. */
export function* orderOf<C extends Choice>(choices: readonly C[], affinity: Affinity): Generator<C, void, undefined> {
  const preferred = choices.find(({ id }) => id === affinity.pod);
  if (preferred !== undefined) yield preferred;
  const others = choices.filter((choice) => choice !== preferred);
  if (affinity.key === undefined) yield* byTurns(others, affinity.balance ?? 'round-robin');
  else yield* byKey(others, affinity.key, boundOf(choices, affinity.maxLoad ?? Infinity));
}

function* byKey<C extends Choice>(
  choices: readonly C[],
  key: string,
  isFull: (choice: C) => boolean,
): Generator<C, void, undefined> {
  const ranked = rank(key, choices);
  yield* ranked.filter((choice) => !isFull(choice));
  yield* ranked.filter(isFull);
}

function boundOf(choices: readonly Choice[], maxLoad: number): (choice: Choice) => boolean {
  let load = 1;
  let shares = 0;
  for (const choice of choices) {
    load += choice.load;
    shares += choice.share;
  }
  return (choice) => choice.load >= loadBound(load, choice.share / shares, maxLoad);
}

function* byTurns<C extends Choice>(
  choices: readonly C[],
  balance: 'round-robin' | 'least',
): Generator<C, void, undefined> {
  for (let left = choices; left.length > 0;) {
    const turn = inTurn(balance === 'least' ? leastLoaded(left) : left) as C;
    yield turn;
    left = left.filter((choice) => choice !== turn);
  }
}
