import { backoffMs, hintedMs, type BackoffBounds, type Random } from './backoff.js';
import type { CircuitBreaker } from './breaker.js';

/** How long each step of making a connection may take. */
export interface ConnectLimits {
  /** Opening a transport, at most. Default 10 s. */
  readonly connectMs: number;
  /**
   * Opening it, attempt by attempt: most failures are found quickly, and each attempt may reach another pod. After the last of
   * them one attempt has the whole `connectMs`, for the sake of slow networks, and the list begins again.
   */
  readonly progressiveMs: readonly number[];
  /** From the open transport to `welcome` or `resumed`. Default 15 s. */
  readonly handshakeMs: number;
  /** A probe after a hint that the network has changed, at most. Default 5 s. */
  readonly pingMs: number;
  /** From close() to the end. Default 10 s. */
  readonly closeMs: number;
}

export const DEFAULT_CONNECT_LIMITS: ConnectLimits = {
  connectMs: 10_000,
  progressiveMs: [3_000, 2_000, 1_500, 1_000, 800],
  handshakeMs: 15_000,
  pingMs: 5_000,
  closeMs: 10_000,
};

/** Says when the next attempt to connect is due: backoff, the server's hints, the breaker, and whether we are offline. */
export class Dialer {
  readonly #limits: ConnectLimits;
  readonly #breaker: CircuitBreaker;
  readonly #random: Random;
  #wantedMs: number | undefined;
  #offline = false;
  #failuresInARow = 0;

  constructor(limits: ConnectLimits, breaker: CircuitBreaker, random: Random) {
    this.#limits = limits;
    this.#breaker = breaker;
    this.#random = random;
  }

  /** When {@link take} wants to be called; never while offline. */
  get dueMs(): number | undefined {
    return this.#offline ? undefined : this.#wantedMs;
  }

  get failuresInARow(): number {
    return this.#failuresInARow;
  }

  /** Dial at this time, or earlier if that was wanted already. */
  want(atMs: number): void {
    this.#wantedMs = Math.min(this.#wantedMs ?? Infinity, atMs);
  }

  /** Dial again after a failure, or after the loss of a transport. A hint can lengthen the wait and not shorten it. */
  wantAgain(nowMs: number, bounds: BackoffBounds, hintMs = 0): void {
    const waitMs = backoffMs(this.#failuresInARow, bounds, this.#random);
    this.#wantedMs = nowMs + Math.max(waitMs, hintedMs(hintMs, this.#random));
  }

  /** How long to wait before a transport is greeted once more, when it was not lost but what was behind it. */
  waitMs(askedMs: number, hasWorked: boolean, bounds: BackoffBounds): number {
    return hasWorked ? askedMs : Math.max(askedMs, backoffMs(this.#failuresInARow, bounds, this.#random));
  }

  cancel(): void {
    this.#wantedMs = undefined;
  }

  /** If an attempt is due and the breaker grants it: how long it may take to open. */
  take(nowMs: number): number | undefined {
    if (this.dueMs === undefined || nowMs < this.dueMs) return undefined;
    if (!this.#breaker.allows(nowMs)) {
      // Another socket may have the one attempt of a half-open breaker: look again soon, but not at once.
      this.#wantedMs = nowMs + Math.max(this.#breaker.waitMs(nowMs), 250) * (1 + this.#random() / 4);
      return undefined;
    }
    this.#wantedMs = undefined;
    const steps = this.#limits.progressiveMs;
    const stepMs = steps[this.#failuresInARow % (steps.length + 1)] ?? this.#limits.connectMs;
    return Math.min(stepMs, this.#limits.connectMs);
  }

  /** The server has accepted us. Failures count on until the transport has {@link proved} itself. */
  succeeded(): void {
    this.#breaker.succeeded();
    this.cancel();
  }

  failed(nowMs: number): void {
    this.#failuresInARow++;
    this.#breaker.failed(nowMs);
  }

  /** The transport works: the next failure is the first. */
  proved(): void {
    this.#failuresInARow = 0;
  }

  /** A transport was lost before it worked. What kills each as soon as it is made must not be tried at full speed. */
  disproved(): void {
    this.#failuresInARow++;
  }

  abandoned(): void {
    this.#breaker.abandoned();
  }

  goOffline(): void {
    this.#offline = true;
  }

  /** The network is back, or someone is looking at the page: do not sit out a wait that was meant for worse times. */
  hurry(nowMs: number): void {
    this.#offline = false;
    this.#breaker.relent(nowMs);
    if (this.#wantedMs !== undefined) this.want(nowMs);
  }
}
