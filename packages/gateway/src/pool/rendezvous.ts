import { hash32 } from './hash.js';

/** What a key may go to. */
export interface Candidate {
  /** {@link hash32} of the pod's id, computed once. */
  readonly hash: number;
  readonly id: string;
  /** Above 0. */
  readonly weight: number;
}

/**
 * How much a key is drawn to a pod: the highest score wins (rendezvous hashing, weighted by the logarithmic method). It depends on the
 * key and this pod alone, so whatever happens to other pods moves no key that is not theirs: of n equal pods, one that comes takes
 * 1/n of the keys, and one that goes leaves its keys spread over the others.
 */
export function score(key: string, { hash, weight }: Candidate): number {
  // Between 0 and 1, and neither of them, so that the logarithm is finite and below 0.
  const uniform = (hash32(key, hash) + 0.5) / 0x1_0000_0000;
  return weight / -Math.log(uniform);
}

/** The pods in the order in which a key tries them. Every gateway comes to the same order, whatever order it knows the pods in. */
export function rank<C extends Candidate>(key: string, candidates: Iterable<C>): C[] {
  return Array.from(candidates, (candidate) => ({ candidate, score: score(key, candidate) }))
    .sort((a, b) => b.score - a.score || (a.candidate.id < b.candidate.id ? -1 : 1))
    .map(({ candidate }) => candidate);
}
