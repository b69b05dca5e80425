import { Credit, InFlight } from './credit.js';
import type { ErrorKind } from './error.js';
import { ORDER, TOO_LARGE, WINDOW } from './errors.js';
import type { Policy } from './policy.js';
import { sizeOf } from './utf8.js';

/** Takes in a client's messages: each number once and in order, and no more than the window at a time. */
export class Intake {
  readonly #maxPayloadBytes: number;
  /** What was received and not committed, under the window that the policy gives the client. */
  readonly #uncommitted: InFlight;
  #received: number;
  #watermark: number;

  constructor({ window, maxPayloadBytes }: Policy, watermark: number) {
    this.#maxPayloadBytes = maxPayloadBytes;
    this.#uncommitted = new InFlight(new Credit(window));
    this.#received = watermark;
    this.#watermark = watermark;
  }

  /** Highest message that was given to the application. */
  get received(): number {
    return this.#received;
  }

  /** Highest one whose effects are committed. */
  get watermark(): number {
    return this.#watermark;
  }

  /** Takes a message if it is the next; else says why not. */
  take(n: number, data: string | Uint8Array): 'fresh' | 'duplicate' | ErrorKind {
    if (n <= this.#received) return 'duplicate';
    if (n !== this.#received + 1) return ORDER;
    const bytes = sizeOf(data);
    if (bytes > this.#maxPayloadBytes) return TOO_LARGE;
    if (!this.#uncommitted.send(n, bytes)) return WINDOW;
    this.#received = n;
    return 'fresh';
  }

  /** Returns how many messages are committed that were not before. */
  committed(watermark: number): number {
    const count = watermark - this.#watermark;
    if (count <= 0) return 0;
    this.#watermark = watermark;
    this.#uncommitted.acked(watermark);
    return count;
  }
}
