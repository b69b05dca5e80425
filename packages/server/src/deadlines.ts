import type { Clock } from './clock.js';

/** Something that wants to be called at some time of the monotonic clock. */
export interface Due {
  /** When it wants to be called; Infinity for not at all. */
  readonly dueMs: number;
  handleDue(nowMs: number): void;
}

/** Deadlines this close together share a timer. Liveness counts in seconds, so this costs it nothing. */
const GRAIN_MS = 25;

/**
 * One timer for the deadlines of many. Most deadlines of a busy session move before they come, so an entry is not moved with
 * them: when it comes, the owner is asked anew.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #slots = new Map<number, Set<Due>>();
  readonly #slotOf = new Map<Due, number>();
  #timer: unknown;
  #timerSlot = Infinity;
  #stopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Makes sure that `due` is called at its time or before. */
  watch(due: Due): void {
    if (due.dueMs === Infinity || this.#stopped) return;
    const slot = Math.ceil(due.dueMs / GRAIN_MS);
    const known = this.#slotOf.get(due);
    if (known !== undefined) {
      if (known <= slot) return;
      this.#remove(due, known);
    }
    this.#slotOf.set(due, slot);
    const items = this.#slots.get(slot);
    if (items) items.add(due);
    else this.#slots.set(slot, new Set([due]));
    this.#arm(slot);
  }

  forget(due: Due): void {
    const known = this.#slotOf.get(due);
    if (known === undefined) return;
    this.#slotOf.delete(due);
    this.#remove(due, known);
  }

  stop(): void {
    this.#stopped = true;
    this.#clock.clearTimeout(this.#timer);
    this.#slots.clear();
    this.#slotOf.clear();
  }

  #remove(due: Due, slot: number): void {
    const items = this.#slots.get(slot);
    items?.delete(due);
    if (items?.size === 0) this.#slots.delete(slot);
  }

  #arm(slot: number): void {
    if (slot >= this.#timerSlot) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timerSlot = slot;
    const delayMs = Math.max(0, slot * GRAIN_MS - this.#clock.monotonicMs());
    this.#timer = this.#clock.setTimeout(() => this.#fire(), delayMs);
  }

  #fire(): void {
    const nowMs = this.#clock.monotonicMs();
    // A timer may fire a fraction early; what it was set for is due all the same.
    const upTo = Math.max(this.#timerSlot, Math.floor(nowMs / GRAIN_MS));
    this.#timerSlot = Infinity;
    const slots = Array.from(this.#slots.keys()).filter((slot) => slot <= upTo);
    for (const slot of slots) {
      const items = this.#slots.get(slot);
      this.#slots.delete(slot);
      for (const due of items ?? []) {
        // One that came before in this loop may have had this one forgotten.
        if (!this.#slotOf.delete(due)) continue;
        if (nowMs >= due.dueMs - GRAIN_MS) due.handleDue(Math.max(nowMs, due.dueMs));
        this.watch(due);
      }
    }
    let next = Infinity;
    for (const slot of this.#slots.keys()) next = Math.min(next, slot);
    if (next < Infinity) this.#arm(next);
  }
}
