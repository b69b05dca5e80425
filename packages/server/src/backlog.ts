/** Entries are counted in lots of this many: an exact count of each would cost memory for every client that is behind. */
const LOT = 64;

/**
 * How many bytes a session has been sent that its client has not acknowledged: what `bufferedAmount` tells a producer that
 * wants to go no faster than its consumer. Lots are freed whole, so the figure errs on the high side, by one lot at most.
 */
export class Backlog {
  readonly #lots: { end: number; bytes: number; entries: number }[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  sent(offset: number, bytes: number): void {
    this.#bytes += bytes;
    const last = this.#lots.at(-1);
    if (last && last.entries < LOT) {
      last.end = offset;
      last.bytes += bytes;
      last.entries++;
    } else {
      this.#lots.push({ end: offset, bytes, entries: 1 });
    }
  }

  acked(offset: number): void {
    for (let lot = this.#lots[0]; lot && lot.end <= offset; lot = this.#lots[0]) {
      this.#lots.shift();
      this.#bytes -= lot.bytes;
    }
  }
}
