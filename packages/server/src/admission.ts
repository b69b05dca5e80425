import { CircuitBreaker, errors, type BreakerOptions, type ErrorKind } from '@holdfast/protocol';
import { TokenBucket } from './token-bucket.js';

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

/** Decides whether one more connection is let in, before any work is done for it. */
export class Admission {
  readonly breaker: CircuitBreaker;
  readonly #options: AdmissionOptions;
  readonly #accepts: TokenBucket;
  #handshakes = 0;
  #draining = false;

  constructor(options: AdmissionOptions, nowMs: number) {
    this.#options = options;
    this.#accepts = new TokenBucket({ perSecond: options.acceptsPerSecond, burst: options.acceptsPerSecond }, nowMs);
    this.breaker = new CircuitBreaker(options.breaker);
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

  /** Whether a connection may begin its handshake; {@link handshakeOver} must follow if it may. */
  admit(held: number, isNew: boolean, nowMs: number): Refusal | undefined {
    const refusal = this.#refusal(held, isNew, nowMs);
    if (!refusal) this.#handshakes++;
    return refusal;
  }

  /** A connection that seemed to come back wants a new session after all. */
  admitNew(nowMs: number): Refusal | undefined {
    return this.#accepts.take(nowMs) ? undefined : busy(this.#accepts.waitMs(nowMs));
  }

  handshakeOver(): void {
    this.#handshakes--;
  }

  #refusal(held: number, isNew: boolean, nowMs: number): Refusal | undefined {
    // Another pod can be reached at once, so there is nothing to wait for but the network's own spread.
    if (this.#draining) return busy(100);
    if (!this.breaker.allows(nowMs)) return busy(Math.max(this.breaker.waitMs(nowMs), 500));
    if (this.#handshakes >= this.#options.maxHandshakes) return busy(1_000);
    if (isNew && held >= this.#options.maxSessions) return busy(5_000);
    if (isNew) return this.admitNew(nowMs);
    return undefined;
  }
}

const busy = (retryMs: number): Refusal => ({ error: errors.BUSY, retryMs });
