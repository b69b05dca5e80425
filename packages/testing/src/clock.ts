/** Time and timers as an argument: the machine's own, or a `VirtualClock`. */
export interface Clock {
  /** Milliseconds from some fixed moment; never goes back. */
  now(): number;
  /** Calls back once, `delayMs` from now. */
  setTimeout(callback: () => void, delayMs: number): unknown;
  /** Forgets a timer; one that has fired, or `undefined`, is no error. */
  clearTimeout(timer: unknown): void;
}

/** The machine's monotonic clock and timers. */
export const realClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
};
