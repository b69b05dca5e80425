import { Fifo } from './fifo.js';
import type { Window } from './frames.js';

/** What a peer lets us have in flight, and how much of it is used, over all streams together. */
export class Credit {
  readonly #window: Window;
  #messages = 0;
  #bytes = 0;
  /** A message did not fit: nothing more is tried until something is acknowledged. */
  #full = false;
  /** The transport has enough to write for now. */
  paused = false;

  constructor(window: Window) {
    this.#window = window;
  }

  /** Whether it is worth looking for a message to send. */
  get open(): boolean {
    return !this.paused && !this.#full && this.#fits(0);
  }

  /** How many messages may go out, and how many bytes: what a read from the log should bring. */
  get left(): Window {
    return {
      messages: Math.max(0, this.#window.messages - this.#messages),
      bytes: Math.max(0, this.#window.bytes - this.#bytes),
    };
  }

  /** Whether a message of this size may go out past the streams, without being counted. */
  allows(bytes: number): boolean {
    return !this.paused && this.#fits(bytes);
  }

  /** Takes a message into the window, or tells that it does not fit. One that is larger than the whole window goes alone. */
  spend(bytes: number): boolean {
    if (this.paused) return false;
    this.#full = !this.#fits(bytes);
    if (this.#full) return false;
    this.#messages++;
    this.#bytes += bytes;
    return true;
  }

  free(bytes: number): void {
    this.#messages--;
    this.#bytes -= bytes;
    this.#full = false;
  }

  #fits(bytes: number): boolean {
    if (this.#messages === 0) return true;
    return this.#messages < this.#window.messages && this.#bytes + bytes <= this.#window.bytes;
  }
}

/** The messages of one stream that are in flight. */
export class InFlight {
  readonly #credit: Credit;
  readonly #queue = new Fifo<{ readonly n: number; readonly bytes: number }>();

  constructor(credit: Credit) {
    this.#credit = credit;
  }

  /** Sends message `n`, if the credit allows it. */
  send(n: number, bytes: number): boolean {
    if (!this.#credit.spend(bytes)) return false;
    this.#queue.push({ n, bytes });
    return true;
  }

  /** Everything up to `n` has arrived. */
  acked(n: number): void {
    for (let head = this.#queue.at(0); head && head.n <= n; head = this.#queue.at(0)) {
      this.#queue.shift();
      this.#credit.free(head.bytes);
    }
  }
}
