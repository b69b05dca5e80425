import type { Pod } from '../pool/index.js';

/** Connections that lose a pod together are led to others at this rate, as pods that drain ask their clients to move. */
const MOVES_PER_SECOND = 500;
const SPREAD_MS_MAX = 5_000;

/** Knows how many connections a carrier has at each pod, so that those of one that is lost do not fall upon the next all at once. */
export class Crowd {
  readonly #counts = new Map<Pod, number>();

  change(pod: Pod | undefined, by: 1 | -1): void {
    if (!pod) return;
    const count = this.countAt(pod) + by;
    if (count > 0) this.#counts.set(pod, count);
    else this.#counts.delete(pod);
  }

  countAt(pod: Pod): number {
    return this.#counts.get(pod) ?? 0;
  }
}

/** Where one connection is in a {@link Crowd}: at its last pod until it is at another one. */
export class CrowdPlace {
  readonly #crowd: Crowd;
  #pod: Pod | undefined;

  constructor(crowd: Crowd) {
    this.#crowd = crowd;
  }

  moveTo(pod: Pod | undefined): void {
    this.#crowd.change(this.#pod, -1);
    this.#crowd.change(pod, 1);
    this.#pod = pod;
  }

  /** Over how long those who were at the pod of now should spread, now that it is lost. */
  get spreadMs(): number {
    const others = this.#pod ? this.#crowd.countAt(this.#pod) - 1 : 0;
    return Math.min(SPREAD_MS_MAX, (others / MOVES_PER_SECOND) * 1_000);
  }
}
