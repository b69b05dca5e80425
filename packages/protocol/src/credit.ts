import { Fifo } from './fifo.js';
import type { Window } from './frames.js';

/** What a peer lets us have in flight, and how much of it is used, over all streams together. */
export class Credit {
  #window: Window;
  #messages = 0;
  #bytes = 0;
  /** The transport has enough to write for now. */
  paused = false;

  constructor(window: Window) {
    this.#window = window;
  }

  /** Whether a message may go out. One that is larger than the whole window goes alone. */
  allows(bytes: number): boolean {
    if (this.paused) return false;
    if (this.#messages === 0) return true;
    return this.#messages < this.#window.messages && this.#bytes + bytes <= this.#window.bytes;
  }

  /** How many messages may go out, and how many bytes: what a read from the log should bring. */
  get left(): Window {
    return {
      messages: Math.max(0, this.#window.messages - this.#messages),
      bytes: Math.max(0, this.#window.bytes - this.#bytes),
    };
  }

  spend(bytes: number): void {
    this.#messages++;
    this.#bytes += bytes;
  }

  free(messages: number, bytes: number): void {
    this.#messages -= messages;
    this.#bytes -= bytes;
  }
}

/** The messages of one stream that are in flight. */
export class InFlight {
  readonly #credit: Credit;
  readonly #queue = new Fifo<{ readonly n: number; readonly bytes: number }>();

  constructor(credit: Credit) {
    this.#credit = credit;
  }

  sent(n: number, bytes: number): void {
    this.#credit.spend(bytes);
    this.#queue.push({ n, bytes });
  }

  /** Everything up to `n` has arrived. */
  acked(n: number): void {
    for (let head = this.#queue.at(0); head && head.n <= n; head = this.#queue.at(0)) {
      this.#queue.shift();
      this.#credit.free(1, head.bytes);
    }
  }
}
