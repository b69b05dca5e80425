import { type Deferred, deferred } from './deferred.js';
import { TimeoutError } from './until.js';

/** Anything with `on` and `off`, such as Node's EventEmitter. */
export interface EmitterLike {
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** Anything with `addEventListener`, such as a WebSocket. */
export interface TargetLike {
  addEventListener(event: string, listener: (event: unknown) => void): void;
  removeEventListener(event: string, listener: (event: unknown) => void): void;
}

/** What a collector keeps. */
export interface CollectOptions<T> {
  /** Turns the event's arguments into the item that is kept. Default: the first argument. */
  map?: (...args: never[]) => T;
  /** How many items are kept at most; one more stops the collector and fails its waits. Default 10,000. */
  itemsMax?: number;
}

/** The events seen so far, and waits for more. */
export interface Collector<T> extends Disposable {
  /** Everything collected, oldest first. */
  readonly items: readonly T[];
  /** Resolves with the first `count` items as soon as there are so many; rejects after `timeoutMs` (default 5,000). */
  waitFor(count: number, timeoutMs?: number): Promise<T[]>;
  /** Stops listening. Items stay, waits under way reject. */
  stop(): void;
}

/** Listens to one event from now on and keeps what it brings, so that a test need not listen before the event in time. */
export function collect<T = unknown>(
  source: EmitterLike | TargetLike,
  event: string,
  options: CollectOptions<T> = {},
): Collector<T> {
  const { itemsMax = 10_000 } = options;
  const map = (options.map ?? ((first: unknown) => first)) as (...args: unknown[]) => T;
  const items: T[] = [];
  const waits = new Set<{ count: number; found: Deferred<T[]> }>();
  let stopped: Error | undefined;

  const stop = (reason: Error): void => {
    if (stopped !== undefined) return;
    stopped = reason;
    if ('on' in source) source.off(event, listener);
    else source.removeEventListener(event, listener);
    for (const { found } of waits) found.reject(reason);
    waits.clear();
  };
  const listener = (...args: unknown[]): void => {
    if (items.length === itemsMax) {
      stop(new Error(`more than ${itemsMax} '${event}' events came (itemsMax)`));
      return;
    }
    items.push(map(...args));
    for (const wait of waits) {
      if (items.length < wait.count) continue;
      waits.delete(wait);
      wait.found.resolve(items.slice(0, wait.count));
    }
  };
  if ('on' in source) source.on(event, listener);
  else source.addEventListener(event, listener);

  return {
    items,
    stop: () => stop(new Error(`the collector of '${event}' was stopped`)),
    [Symbol.dispose]: () => stop(new Error(`the collector of '${event}' was disposed of`)),
    waitFor: async (count, timeoutMs = 5000) => {
      if (items.length >= count) return items.slice(0, count);
      if (stopped !== undefined) throw stopped;
      const wait = { count, found: deferred<T[]>() };
      waits.add(wait);
      const timer = setTimeout(() => {
        waits.delete(wait);
        const seen = `${items.length} of ${count} '${event}' events`;
        wait.found.reject(new TimeoutError(`timed out after ${timeoutMs} ms with ${seen}`));
      }, timeoutMs);
      try {
        return await wait.found.promise;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
