import type { Window } from './frames.js';

/**
 * Decides when what was received must be acknowledged by a frame of its own: after `ackMs`, or at once when a quarter of the
 * window waits, so that a sender at full speed never runs dry. A frame that carries the number anyway stops the clock.
 */
export class AckClock {
  readonly #ackMs: number;
  readonly #messages: number;
  readonly #bytes: number;
  #waitingMessages = 0;
  #waitingBytes = 0;
  #dueMs: number | undefined;

  constructor(ackMs: number, window: Window) {
    this.#ackMs = ackMs;
    this.#messages = Math.max(1, Math.floor(window.messages / 4));
    this.#bytes = Math.max(1, window.bytes / 4);
  }

  get dueMs(): number | undefined {
    return this.#dueMs;
  }

  owe(messages: number, bytes: number, nowMs: number): void {
    this.#waitingMessages += messages;
    this.#waitingBytes += bytes;
    if (this.#waitingMessages >= this.#messages || this.#waitingBytes >= this.#bytes) this.#dueMs = nowMs;
    else this.#dueMs ??= nowMs + this.#ackMs;
  }

  paid(): void {
    this.#waitingMessages = 0;
    this.#waitingBytes = 0;
    this.#dueMs = undefined;
  }
}
