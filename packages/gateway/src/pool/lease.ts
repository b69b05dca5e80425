import type { FailureCause } from './failures.js';
import type { Pod } from './member.js';

/**
 * A pod that was chosen, on lease: it counts as a connection of that pod until `failed` or `closed`. One of the two must be called in the
 * end; whatever comes after it has no effect.
 */
export interface Pick {
  readonly pod: Pod;
  /** The pod has answered as it should: the handshake is through, or a response has begun. */
  established(): void;
  /** It has not, or an open connection has ended as it should not. */
  failed(cause: FailureCause): void;
  /** The connection has ended in order, or nobody wanted it any more before it was open. */
  closed(): void;
}

/** What became of a lease, told in the order in which it happens. */
export interface LeaseEvents {
  established(): void;
  failed(cause: FailureCause, wasOpen: boolean): void;
  abandoned(): void;
  /** It is over; before `failed` and `abandoned`, and alone when an open connection closed in order. */
  ended(): void;
}

export class Lease implements Pick {
  readonly pod: Pod;
  readonly #events: LeaseEvents;
  #phase: 'connecting' | 'open' | 'over' = 'connecting';

  constructor(pod: Pod, events: LeaseEvents) {
    this.pod = pod;
    this.#events = events;
  }

  established(): void {
    if (this.#phase !== 'connecting') return;
    this.#phase = 'open';
    this.#events.established();
  }

  failed(cause: FailureCause): void {
    if (this.#phase === 'over') return;
    const wasOpen = this.#phase === 'open';
    this.#phase = 'over';
    this.#events.ended();
    this.#events.failed(cause, wasOpen);
  }

  closed(): void {
    if (this.#phase === 'over') return;
    const wasOpen = this.#phase === 'open';
    this.#phase = 'over';
    this.#events.ended();
    if (!wasOpen) this.#events.abandoned();
  }
}
