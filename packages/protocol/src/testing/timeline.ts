/** A virtual clock: what is to happen, in the order of time, and among equals in the order of asking. */
export class Timeline {
  #nowMs = 0;
  #events: { readonly atMs: number; readonly run: () => void }[] = [];

  get nowMs(): number {
    return this.#nowMs;
  }

  /** When the next event is; Infinity if there is none. */
  get nextMs(): number {
    return this.#events[0]?.atMs ?? Infinity;
  }

  at(atMs: number, run: () => void): void {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle] as { atMs: number }).atMs <= atMs) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, { atMs: Math.max(atMs, this.#nowMs), run });
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.#nowMs + delayMs, run);
  }

  /** Moves the clock to the next event and runs it. */
  step(): void {
    const event = this.#events.shift();
    if (!event) return;
    this.#nowMs = event.atMs;
    event.run();
  }

  /** Moves the clock on to a time before the next event. */
  skipTo(atMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, Math.min(atMs, this.nextMs));
  }
}
