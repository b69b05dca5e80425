import type { Duplex } from 'node:stream';
import type { Clock } from './clock.js';

/**
 * Since when the network has taken nothing of what a socket has to write. One write is watched at a time: if it does not end, none
 * does. A long one on a slow link ends late, so what the system has taken of it counts as well.
 */
export class WriteWatch {
  readonly #socket: Duplex;
  readonly #clock: Clock;
  #sinceMs = Infinity;
  #queuedBytes: number | undefined;

  constructor(socket: Duplex, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
  }

  get active(): boolean {
    return this.#sinceMs !== Infinity;
  }

  /** Infinity when nothing is watched. */
  get sinceMs(): number {
    if (!this.active) return Infinity;
    const queuedBytes = queuedBytesOf(this.#socket);
    if (queuedBytes !== undefined && queuedBytes < (this.#queuedBytes ?? 0)) this.#sinceMs = this.#clock.monotonicMs();
    this.#queuedBytes = queuedBytes;
    return this.#sinceMs;
  }

  /** A write has begun. */
  begin(): void {
    this.#sinceMs = this.#clock.monotonicMs();
    this.#queuedBytes = undefined;
  }

  /** It has ended, well or not. */
  end(): void {
    this.#sinceMs = Infinity;
  }
}

/** What Node has handed to the system of the write of now, and the system has not taken. Node's own socket timeout looks there too. */
function queuedBytesOf(socket: Duplex): number | undefined {
  const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null };
  return handle?.writeQueueSize;
}
