import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { type Clock, realClock } from './clock.js';

/** How long and how often `until` looks. */
export interface UntilOptions {
  /** Gives up after this many milliseconds, with a last look then. Default 5,000. */
  timeoutMs?: number;
  /** Milliseconds between two looks. Default 10. */
  everyMs?: number;
  /**
   * What is waited for, in words: the failure says `timed out after 5000 ms waiting for WHAT`. A function is asked when
   * it fails, so that the message can show the state then. Default "the condition".
   */
  what?: string | (() => string);
  /** The clock that both times are measured on. Default: the machine's. */
  clock?: Clock;
}

/** `until` or a collector gave up; `cause` is what the condition threw last, when it did throw. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

type Falsy = false | 0 | 0n | '' | null | undefined;

/**
 * Resolves with the predicate's first truthy value. A predicate may be asynchronous, and one that throws counts as "not yet", so
 * a server that does not listen so far is no failure; the last error is kept as the cause of the timeout.
 */
export async function until<T>(
  predicate: () => T | PromiseLike<T>,
  options: UntilOptions = {},
): Promise<Exclude<Awaited<T>, Falsy>> {
  const { timeoutMs = 5000, everyMs = 10, what = 'the condition', clock = realClock } = options;
  let seen: { value: unknown } | { error: unknown } | undefined;
  let timeUp = false;
  let wake: () => void = () => undefined;
  const deadline = clock.setTimeout(() => {
    timeUp = true;
    wake();
  }, timeoutMs);
  const wokenByDeadline = new Promise<void>((resolve) => (wake = resolve));

  const look = async (): Promise<void> => {
    try {
      seen = { value: await predicate() };
    } catch (error) {
      seen = { error };
    }
  };
  try {
    for (;;) {
      await Promise.race([look(), timeUp ? nextTurn() : wokenByDeadline]);
      if (seen !== undefined && 'value' in seen && seen.value) return seen.value as Exclude<Awaited<T>, Falsy>;
      if (timeUp) break;
      let pause: unknown;
      await Promise.race([
        new Promise<void>((resolve) => (pause = clock.setTimeout(resolve, everyMs))),
        wokenByDeadline,
      ]);
      clock.clearTimeout(pause);
    }
  } finally {
    clock.clearTimeout(deadline);
  }
  const waitedFor = `timed out after ${timeoutMs} ms waiting for ${typeof what === 'function' ? what() : what}`;
  if (seen === undefined) throw new TimeoutError(`${waitedFor}: it has not answered yet`);
  if ('error' in seen) throw new TimeoutError(`${waitedFor}: ${String(seen.error)}`, { cause: seen.error });
  throw new TimeoutError(`${waitedFor}: last seen ${inspect(seen.value, { depth: 2, breakLength: Infinity })}`);
}
