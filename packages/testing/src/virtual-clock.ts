import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from './clock.js';

/** The longest delay a real timer takes (2^31 - 1 ms); beyond it real timers fire at once, so the virtual clock refuses it. */
export const TIMER_DELAY_MS_MAX = 2_147_483_647;

/** Options of a `VirtualClock`. */
export interface VirtualClockOptions {
  /** What `now()` says first, in milliseconds. Default 0. */
  startMs?: number;
  /**
   * The most timers that one `advance` or `runUntilIdle` may fire before it throws; it catches timers that re-arm
   * themselves for ever. Default 100,000.
   */
  firingsMax?: number;
}

/** A timer of a `VirtualClock`, with the methods of a Node timer. */
export interface VirtualTimer {
  /** When it fires, in the clock's milliseconds. */
  readonly deadlineMs: number;
  /** No effect: a virtual clock keeps no process alive. */
  ref(): VirtualTimer;
  /** No effect, as `ref`. */
  unref(): VirtualTimer;
  /** Whether it still waits to fire. */
  hasRef(): boolean;
  /** Starts its delay anew from now. */
  refresh(): VirtualTimer;
  /** The number that `clearTimeout` also takes. */
  [Symbol.toPrimitive](): number;
}

interface Entry extends VirtualTimer {
  deadlineMs: number;
  /** The order of arming; it breaks ties between equal deadlines. */
  order: number;
  readonly id: number;
  readonly delayMs: number;
  readonly repeats: boolean;
  readonly fire: () => void;
}

/**
 * A clock that moves only when told to. Timers fire in the order of their deadlines, equal deadlines in the order in which they
 * were armed; `now()` inside a callback is that timer's deadline. The methods need no `this`, so they can be passed on one by one.
 */
export class VirtualClock implements Clock {
  #nowMs: number;
  #nextId = 1;
  #nextOrder = 1;
  #running = false;
  readonly #firingsMax: number;
  readonly #armed = new Map<number, Entry>();
  /** Sorted by deadline, then by order of arming. */
  #queue: Entry[] = [];

  constructor(options: VirtualClockOptions = {}) {
    this.#nowMs = options.startMs ?? 0;
    this.#firingsMax = options.firingsMax ?? 100_000;
  }

  /** The virtual time in milliseconds. */
  readonly now = (): number => this.#nowMs;

  /** Fires once, `delayMs` from now (default 0). */
  readonly setTimeout = <Args extends unknown[]>(
    callback: (...args: Args) => void,
    delayMs = 0,
    ...args: Args
  ): VirtualTimer => this.#create(() => callback(...args), delayMs, false);

  /** Fires every `intervalMs` (default and least: 1) until cleared. */
  readonly setInterval = <Args extends unknown[]>(
    callback: (...args: Args) => void,
    intervalMs = 1,
    ...args: Args
  ): VirtualTimer => this.#create(() => callback(...args), Math.max(1, intervalMs), true);

  /** Forgets a timer, given as itself or as its number. */
  readonly clearTimeout = (timer: unknown): void => {
    if (timer === undefined || timer === null) return;
    const entry = this.#armed.get(Number(timer));
    if (entry !== undefined) this.#disarm(entry);
  };

  /** The same as `clearTimeout`. */
  readonly clearInterval = this.clearTimeout;

  /** How many timers are armed. */
  get pending(): number {
    return this.#queue.length;
  }

  /** When the next timer fires, or `undefined` when none is armed. */
  nextDeadline(): number | undefined {
    return this.#queue[0]?.deadlineMs;
  }

  /** Moves the time on and fires, in order, all that falls due, also what callbacks arm within the span. */
  advance(byMs: number): void {
    const untilMs = this.#targetOf(byMs);
    this.#run((fireNext) => {
      while (fireNext(untilMs));
      this.#nowMs = untilMs;
    });
  }

  /** As `advance`, but after every timer it lets promises, `nextTick` and ready I/O run: for code that awaits. */
  async advanceAsync(byMs: number): Promise<void> {
    const untilMs = this.#targetOf(byMs);
    await nextTurn();
    for (let firings = 0; (this.#queue[0]?.deadlineMs ?? Infinity) <= untilMs; firings++) {
      this.#checkBound(firings);
      this.#run((fireNext) => fireNext(untilMs));
      await nextTurn();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /** Fires timers until none is armed, and returns how many fired. An interval that nobody clears crosses `firingsMax`. */
  runUntilIdle(): number {
    let firings = 0;
    this.#run((fireNext) => {
      while (fireNext(Infinity)) firings++;
    });
    return firings;
  }

  #targetOf(byMs: number): number {
    if (!(byMs >= 0 && byMs < Infinity)) throw new RangeError(`time advances by 0 ms or more, not ${byMs}`);
    return this.#nowMs + byMs;
  }

  #checkBound(firings: number): void {
    if (firings < this.#firingsMax) return;
    throw new Error(`${this.#firingsMax} timers fired and more are due: one re-arms itself for ever (firingsMax)`);
  }

  #run(body: (fireNext: (untilMs: number) => boolean) => void): void {
    if (this.#running) throw new Error('a timer callback may not advance the clock that called it');
    this.#running = true;
    let firings = 0;
    try {
      body((untilMs) => {
        const entry = this.#queue[0];
        if (entry === undefined || entry.deadlineMs > untilMs) return false;
        this.#checkBound(firings++);
        this.#nowMs = entry.deadlineMs;
        this.#disarm(entry);
        // Re-armed before the call, so that the callback can clear its own interval.
        if (entry.repeats) this.#arm(entry);
        entry.fire();
        return true;
      });
    } finally {
      this.#running = false;
    }
  }

  #create(fire: () => void, delayMs: number, repeats: boolean): VirtualTimer {
    if (!(delayMs <= TIMER_DELAY_MS_MAX)) {
      throw new RangeError(
        `a timer waits at most ${TIMER_DELAY_MS_MAX} ms, not ${delayMs}: a real one would fire at once`,
      );
    }
    const id = this.#nextId++;
    const entry: Entry = {
      id,
      fire,
      repeats,
      delayMs: Math.max(0, delayMs),
      deadlineMs: 0,
      order: 0,
      ref: () => entry,
      unref: () => entry,
      hasRef: () => this.#armed.has(id),
      refresh: () => {
        this.#disarm(entry);
        this.#arm(entry);
        return entry;
      },
      [Symbol.toPrimitive]: () => id,
    };
    this.#arm(entry);
    return entry;
  }

  #arm(entry: Entry): void {
    entry.deadlineMs = this.#nowMs + entry.delayMs;
    entry.order = this.#nextOrder++;
    this.#armed.set(entry.id, entry);
    this.#queue.splice(this.#positionOf(entry), 0, entry);
  }

  #disarm(entry: Entry): void {
    if (this.#armed.delete(entry.id)) this.#queue.splice(this.#positionOf(entry), 1);
  }

  /** Where the entry is, or belongs, in the queue. */
  #positionOf(entry: Entry): number {
    let low = 0;
    let high = this.#queue.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#queue[middle] as Entry;
      const earlier = other.deadlineMs - entry.deadlineMs || other.order - entry.order;
      if (earlier < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
