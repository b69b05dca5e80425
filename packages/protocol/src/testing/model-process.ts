import type { Timeline } from './timeline.js';

/** Calls at one instant without the clock moving on, after which a machine is taken to be in a busy loop. */
const SPIN_LIMIT = 50;

/**
 * Something with an event loop: it runs timers late when it was stopped, and reads what waits for it only after them. What is
 * in `machines` has the two members that every session machine has.
 */
export class ModelProcess {
  readonly #timeline: Timeline;
  readonly #flush: () => void;
  readonly #waiting: (() => void)[] = [];
  #stoppedUntilMs = 0;
  #spins = 0;
  #spinMs = -1;
  machines: { readonly dueMs: number; handleTimeout(nowMs: number): void }[] = [];
  /** Timers fire only at multiples of this, as those of a hidden page do. */
  timerGrainMs = 0;
  /** No timer fires; what arrives is answered. */
  timersAreOff = false;

  /** `flush` is called after everything that may have made machines say something. */
  constructor(timeline: Timeline, flush: () => void) {
    this.#timeline = timeline;
    this.#flush = flush;
  }

  /** When the process wants to run timers. */
  get dueMs(): number {
    if (this.timersAreOff) return Infinity;
    const dueMs = this.machines.reduce((least, machine) => Math.min(least, machine.dueMs), Infinity);
    const grain = this.timerGrainMs;
    const atMs = Math.max(dueMs, this.#stoppedUntilMs);
    return grain > 0 && dueMs < Infinity ? Math.ceil(atMs / grain) * grain : atMs;
  }

  runTimers(): void {
    const { nowMs } = this.#timeline;
    this.#spins = this.#spinMs === nowMs ? this.#spins + 1 : 0;
    this.#spinMs = nowMs;
    if (this.#spins > SPIN_LIMIT) throw new Error(`a busy loop at ${nowMs} ms`);
    for (const machine of this.machines) if (machine.dueMs <= nowMs) machine.handleTimeout(nowMs);
    this.#flush();
  }

  /** Does something in the process: now, or when it is continued. */
  run(task: () => void): void {
    if (this.#timeline.nowMs < this.#stoppedUntilMs) {
      this.#waiting.push(task);
      return;
    }
    task();
    this.#flush();
  }

  /** Nothing runs for a while: the event loop is blocked, or the process is stopped. */
  stop(ms: number): void {
    this.#stoppedUntilMs = Math.max(this.#stoppedUntilMs, this.#timeline.nowMs + ms);
    this.#timeline.at(this.#stoppedUntilMs, () => this.#continue());
  }

  #continue(): void {
    if (this.#timeline.nowMs < this.#stoppedUntilMs) return;
    if (this.dueMs <= this.#timeline.nowMs) this.runTimers();
    for (const task of this.#waiting.splice(0)) task();
    this.#flush();
  }
}
