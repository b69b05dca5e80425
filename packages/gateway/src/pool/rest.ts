export interface RestOptions {
  /** Failures within `failTimeoutMs` after which the pod rests; 0 for never. Default 3 (nginx's `max_fails` has 1). */
  readonly maxFails: number;
  /** Both the time in which failures are counted and how long the rest is. Default 10,000 ms (nginx's `fail_timeout`). */
  readonly failTimeoutMs: number;
}

/**
 * Passive health as nginx has it: after `maxFails` failures within `failTimeoutMs` a pod rests for `failTimeoutMs`; then one attempt
 * decides whether it rests again. A success within the time takes no failure back: a pod that fails every other attempt rests too.
 */
export class Rest {
  readonly #options: RestOptions;
  /** Times of the latest failures, oldest first; never more than `maxFails`. */
  #failedMs: number[] = [];
  #untilMs: number | undefined;
  #trying = false;

  constructor(options: RestOptions) {
    this.#options = options;
  }

  /** When the rest is over; `undefined` without one. */
  get untilMs(): number | undefined {
    return this.#untilMs;
  }

  /** Whether an attempt may be made now. After a rest the first caller gets the one attempt. */
  allows(nowMs: number): boolean {
    if (this.#untilMs === undefined) return true;
    if (nowMs < this.#untilMs || this.#trying) return false;
    this.#trying = true;
    return true;
  }

  succeeded(): void {
    if (this.#untilMs !== undefined) this.#failedMs = [];
    this.#untilMs = undefined;
    this.#trying = false;
  }

  failed(nowMs: number): void {
    const { maxFails, failTimeoutMs } = this.#options;
    this.#trying = false;
    if (maxFails === 0) return;
    this.#failedMs = [...this.#failedMs, nowMs].filter((atMs) => nowMs - atMs < failTimeoutMs).slice(-maxFails);
    const isTrial = this.#untilMs !== undefined;
    if (isTrial || this.#failedMs.length >= maxFails) this.#untilMs = nowMs + failTimeoutMs;
  }

  /** An attempt that {@link allows} granted came to no verdict. */
  abandoned(): void {
    this.#trying = false;
  }

  /** There is nobody better, or somebody knows that the pod is back: let one attempt decide now. */
  relent(nowMs: number): void {
    if (this.#untilMs !== undefined && this.#untilMs > nowMs) this.#untilMs = nowMs;
  }
}
