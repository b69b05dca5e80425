/** `closed` lets everything through, `open` nothing, `half-open` one attempt that decides. */
export type BreakerState = 'closed' | 'open' | 'half-open';

export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** How long it stays open. */
  readonly openMs: number;
}

export interface BreakerStatistics {
  readonly state: BreakerState;
  readonly failuresInARow: number;
  readonly opened: number;
  readonly refused: number;
}

/**
 * A circuit breaker: after some failures in a row it spares the other side further attempts for a time, then lets one through.
 * The client has one for each endpoint, the server one for admission.
 */
export class CircuitBreaker {
  readonly #options: BreakerOptions;
  #failures = 0;
  #openUntilMs: number | undefined;
  #trying = false;
  #opened = 0;
  #refused = 0;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  /** Whether an attempt may be made now. In `half-open` the first caller gets the one attempt. */
  allows(nowMs: number): boolean {
    const state = this.state(nowMs);
    if (state === 'closed') return true;
    if (state === 'half-open' && !this.#trying) {
      this.#trying = true;
      return true;
    }
    this.#refused++;
    return false;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#openUntilMs = undefined;
    this.#trying = false;
  }

  failed(nowMs: number): void {
    this.#failures++;
    this.#trying = false;
    if (this.#failures < this.#options.failures) return;
    if (this.#openUntilMs === undefined) this.#opened++;
    this.#openUntilMs = nowMs + this.#options.openMs;
  }

  /** An attempt that {@link allows} granted came to no verdict. */
  abandoned(): void {
    this.#trying = false;
  }

  /** Something tells that the world has changed (the network is back): try now. */
  relent(nowMs: number): void {
    if (this.#openUntilMs !== undefined && this.#openUntilMs > nowMs) this.#openUntilMs = nowMs;
  }

  /** How long until an attempt may be made; 0 unless open. */
  waitMs(nowMs: number): number {
    return this.#openUntilMs === undefined ? 0 : Math.max(0, this.#openUntilMs - nowMs);
  }

  state(nowMs: number): BreakerState {
    if (this.#openUntilMs === undefined) return 'closed';
    return nowMs < this.#openUntilMs ? 'open' : 'half-open';
  }

  statistics(nowMs: number): BreakerStatistics {
    return {
      state: this.state(nowMs),
      failuresInARow: this.#failures,
      opened: this.#opened,
      refused: this.#refused,
    };
  }
}

/** Settings of connecting that go together, by environment. */
export interface Preset {
  readonly breaker: BreakerOptions;
  /** Failed attempts in a row after which the client gives up. */
  readonly maxAttempts: number;
}

export const PRESETS: Readonly<Record<'development' | 'staging' | 'production', Preset>> = {
  /** Permissive: a server that is restarted by hand every minute is normal. */
  development: { breaker: { failures: 50, openMs: 1_000 }, maxAttempts: Infinity },
  staging: { breaker: { failures: 3, openMs: 15_000 }, maxAttempts: 5 },
  production: { breaker: { failures: 5, openMs: 60_000 }, maxAttempts: Infinity },
};
