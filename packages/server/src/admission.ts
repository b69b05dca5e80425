import { CircuitBreaker, errors, TokenBucket, type BreakerOptions, type ErrorKind } from '@holdfast/protocol';
import type { Clock } from './clock.js';

export interface AdmissionOptions {
  /** Sessions and plain sockets that one server holds at most. Default 100,000. */
  readonly maxSessions: number;
  /** New sessions a second, with a burst of as many. A resume costs nothing. Default 1,000. */
  readonly acceptsPerSecond: number;
  /** Upgrades that have not been through with their first frame. Default 1,000. */
  readonly maxHandshakes: number;
  /** Stops new work for a while after failures to establish sessions in a row. Default 5 failures, 10 s. */
  readonly breaker: BreakerOptions;
}

export const DEFAULT_ADMISSION: AdmissionOptions = {
  maxSessions: 100_000,
  acceptsPerSecond: 1_000,
  maxHandshakes: 1_000,
  breaker: { failures: 5, openMs: 10_000 },
};

/** Why a connection is not let in, and when to come back. */
export interface Refusal {
  readonly error: ErrorKind;
  readonly retryMs: number;
}

/** A connection that was let in, until its handshake is over. */
export interface Admitted {
  /** `established` and `failed` are verdicts on the server; a handshake that its client gave up says nothing. */
  over(verdict?: 'established' | 'failed'): void;
}

/** Decides whether one more connection is let in, before any work is done for it. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #clock: Clock;
  readonly #held: () => number;
  readonly #accepts: TokenBucket;
  readonly #breaker: CircuitBreaker;
  #handshakes = 0;
  #draining = false;

  /** `held` tells how many sessions and plain sockets there are. */
  constructor(options: AdmissionOptions, clock: Clock, held: () => number) {
    this.#options = options;
    this.#clock = clock;
    this.#held = held;
    const { acceptsPerSecond, breaker } = options;
    this.#accepts = new TokenBucket({ perSecond: acceptsPerSecond, burst: acceptsPerSecond }, clock.monotonicMs());
    this.#breaker = new CircuitBreaker(breaker);
  }

  get handshakes(): number {
    return this.#handshakes;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** From now on everybody is sent to another pod. */
  drain(): void {
    this.#draining = true;
  }

  /** Whether a connection may begin its handshake. */
  admit(isNew: boolean): Admitted | Refusal {
    // Another pod can be reached at once, so there is nothing to wait for but the network's own spread.
    if (this.#draining) return busy(100);
    if (this.#handshakes >= this.#options.maxHandshakes) return busy(1_000);
    const refusal = isNew ? this.admitNew() : undefined;
    if (refusal) return refusal;
    const nowMs = this.#clock.monotonicMs();
    const isTrial = this.#breaker.state(nowMs) === 'half-open';
    // Asked last: in half-open its yes is the one attempt there is.
    if (!this.#breaker.allows(nowMs)) return busy(Math.max(this.#breaker.waitMs(nowMs), 500));
    this.#handshakes++;
    return this.#admitted(isTrial);
  }

  /** Whether there is room for one more session. Asked again for a connection that seemed to come back and did not. */
  admitNew(): Refusal | undefined {
    if (this.#held() >= this.#options.maxSessions) return busy(5_000);
    const nowMs = this.#clock.monotonicMs();
    return this.#accepts.take(nowMs) ? undefined : busy(this.#accepts.waitMs(nowMs));
  }

  #admitted(isTrial: boolean): Admitted {
    let isOver = false;
    return {
      over: (verdict) => {
        if (isOver) return;
        isOver = true;
        this.#handshakes--;
        if (verdict === 'established') this.#breaker.succeeded();
        else if (verdict === 'failed') this.#breaker.failed(this.#clock.monotonicMs());
        else if (isTrial) this.#breaker.abandoned();
      },
    };
  }
}

const busy = (retryMs: number): Refusal => ({ error: errors.BUSY, retryMs });
