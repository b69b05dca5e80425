import type { Clock } from './clock.js';

/** Steps in which a rate is kept. */
const STEP_MS = 100;

/** Ten tenths are less than one. */
const ROUNDING = 1e-9;

const perStepOf = (perSecond: number): number => (perSecond * STEP_MS) / 1_000;

/** Does something to each of many, so many a second and in random places of each step, so that they do not all come back at once. */
export class Pace {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #waiting: (() => void)[] = [];
  readonly #timers = new Set<unknown>();
  #perStep: number;
  /** Acts that may be done, the broken part of one too. */
  #credit = 0;
  #step: unknown;
  #idle: (() => void) | undefined;

  constructor(perSecond: number, clock: Clock, random: () => number) {
    this.#perStep = perStepOf(perSecond);
    this.#clock = clock;
    this.#random = random;
  }

  /** What waits already follows a new rate too. */
  set perSecond(perSecond: number) {
    this.#perStep = perStepOf(perSecond);
  }

  add(acts: Iterable<() => void>): void {
    for (const act of acts) this.#waiting.push(act);
    if (this.#step === undefined) this.#next();
  }

  /** Resolves when all that was added has been done. */
  async done(): Promise<void> {
    if (this.#step === undefined && this.#timers.size === 0) return;
    await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  stop(): void {
    this.#waiting.length = 0;
    this.#clock.clearTimeout(this.#step);
    for (const timer of this.#timers) this.#clock.clearTimeout(timer);
    this.#timers.clear();
    this.#step = undefined;
    this.#idle?.();
  }

  #next(): void {
    this.#credit += this.#perStep;
    const due = Math.floor(this.#credit + ROUNDING);
    this.#credit -= due;
    for (const act of this.#waiting.splice(0, due)) {
      const timer = this.#clock.setTimeout(() => {
        this.#timers.delete(timer);
        act();
      }, this.#random() * STEP_MS);
      this.#timers.add(timer);
    }
    this.#step = this.#clock.setTimeout(() => {
      this.#step = undefined;
      if (this.#waiting.length > 0 || this.#timers.size > 0) return this.#next();
      this.#credit = 0;
      return this.#idle?.();
    }, STEP_MS);
  }
}
