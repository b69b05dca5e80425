/** Where the server takes time from, so that tests and simulations can hand it another. */
export interface Clock {
  /** Milliseconds that never go back: for intervals. */
  monotonicMs(): number;
  /** Milliseconds since 1970, the same on all pods within a second or so: for what is stored. */
  wallMs(): number;
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Resolves after so long. Unlike a timer it keeps the process alive: for work that must come to an end. */
  wait(delayMs: number): Promise<void>;
  /** Runs the callback when the event-loop turn of now is over. */
  endOfTurn(callback: () => void): void;
}

/** The clock of the machine. Its timers do not keep a process alive: sockets do. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs).unref(),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
  wait: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
  endOfTurn: (callback) => void setImmediate(callback),
};
