import type { Pod } from '../pool/index.js';

/** Connections that leave a pod together are led to others at this rate, as pods that drain ask their clients to move. */
const MOVES_PER_SECOND = 500;
const SPREAD_MS_MAX = 5_000;

/** How many connections a carrier has at each pod, so that those of one that is lost do not fall upon the next all at once. */
export class Crowd {
  readonly #counts = new Map<Pod, number>();

  enter(pod: Pod): void {
    this.#counts.set(pod, (this.#counts.get(pod) ?? 0) + 1);
  }

  leave(pod: Pod): void {
    const count = (this.#counts.get(pod) ?? 1) - 1;
    if (count > 0) this.#counts.set(pod, count);
    else this.#counts.delete(pod);
  }

  /** Over how long those who leave a pod should spread. To be asked before the first of them has {@link leave left}. */
  spreadMs(pod: Pod): number {
    return Math.min(SPREAD_MS_MAX, (((this.#counts.get(pod) ?? 1) - 1) / MOVES_PER_SECOND) * 1_000);
  }
}
