import { Credit, InFlight } from './credit.js';
import { Fifo } from './fifo.js';
import type { Payload, Window } from './frames.js';
import { sizeOf } from './utf8.js';

/** A message of the client with its number. `again` tells that it was transmitted before. */
export interface Numbered extends Payload {
  readonly n: number;
  readonly again: boolean;
}

interface Held extends Payload {
  readonly bytes: number;
}

/**
 * The messages that a client has accepted from its application and that the server has not acknowledged. They are numbered
 * from 1 without a hole, kept until acknowledged, and sent under the server's window; after a resume they are sent again.
 */
export class Outbox {
  readonly #held = new Fifo<Held>();
  #credit = new Credit({ messages: 1, bytes: 1 });
  #inFlight = new InFlight(this.#credit);
  /** Number of the last message that is acknowledged; the first held one is the next. */
  #acked = 0;
  /** Number of the last message sent on this transport. */
  #sent = 0;
  #everSent = 0;
  #bytes = 0;
  #sentBytes = 0;

  /** Bytes that are held, sent or not. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes that have not been handed to the transport of now. */
  get unsentBytes(): number {
    return this.#bytes - this.#sentBytes;
  }

  get messages(): number {
    return this.#held.length;
  }

  get acked(): number {
    return this.#acked;
  }

  /** Highest number that was ever on a wire. */
  get everSent(): number {
    return this.#everSent;
  }

  get allSent(): boolean {
    return this.#sent === this.#acked + this.#held.length;
  }

  push(payload: Payload, bytes = sizeOf(payload.data)): void {
    this.#held.push({ data: payload.data, binary: payload.binary, bytes });
    this.#bytes += bytes;
  }

  /** A transport is there with this window, and the server has everything up to `received`: send the rest, from the first. */
  begin(window: Window, received: number): void {
    this.#credit = new Credit(window);
    this.#inFlight = new InFlight(this.#credit);
    this.ack(received);
    this.rewind();
  }

  /** The transport is gone: nothing of what it carried counts as sent. */
  rewind(): void {
    this.#sent = this.#acked;
    this.#sentBytes = 0;
  }

  /** The next message that the window allows. */
  next(): Numbered | undefined {
    const held = this.#held.at(this.#sent - this.#acked);
    const n = this.#sent + 1;
    if (!held || !this.#inFlight.send(n, held.bytes)) return undefined;
    this.#sent = n;
    const again = n <= this.#everSent;
    if (!again) this.#everSent = n;
    this.#sentBytes += held.bytes;
    return { n, again, data: held.data, binary: held.binary };
  }

  /** The server has everything up to `n`. False if that was never sent: the peer is wrong. An old number is no news. */
  ack(n: number): boolean {
    if (n > this.#everSent) return false;
    this.#inFlight.acked(n);
    while (this.#acked < n) {
      const held = this.#held.shift() as Held;
      this.#acked++;
      this.#bytes -= held.bytes;
      if (this.#acked <= this.#sent) this.#sentBytes -= held.bytes;
    }
    if (this.#sent < n) this.#sent = n;
    return true;
  }
}
