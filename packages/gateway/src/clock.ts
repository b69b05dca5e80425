/** Time and timers as an argument, so that a test moves them by hand. */
export interface Clock {
  /** Milliseconds from some fixed moment; never goes back. */
  now(): number;
  /** Calls back once, `delayMs` from now. */
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** The machine's monotonic clock. Its timers keep no process alive: listeners and sockets do. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs).unref(),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
};

/** Waits, and keeps the process alive meanwhile: nothing else may do so yet. */
export const wait = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => {
    const timer = clock.setTimeout(resolve, ms) as { ref?: () => unknown } | undefined;
    timer?.ref?.();
  });
