import type { Socket } from 'node:net';
import type { Clock } from './clock.js';
import { checkShape, type Shape } from './faults.js';

/** Portions a second into which a throttled direction is divided. */
const PORTIONS_PER_SECOND = 100;

/** What a pipe works with. */
export interface ChaosPipeOptions {
  source: Socket;
  sink: Socket;
  clock: Clock;
  /** Bytes waiting above which the source is no longer read; one read of the socket (64 KiB) can come on top. */
  bufferBytes: number;
  /** The source's end was passed on, or swallowed: nothing more will come out. */
  onDone: () => void;
}

interface Waiting {
  /** Bytes to forward, or `null`: the end of the stream. */
  readonly bytes: Buffer | null;
  readonly dueMs: number;
}

/**
 * One direction of a link. One piece is written at a time and the next only when the system has taken it, so the sink's back-pressure
 * reaches the source through a bounded queue, and a byte count is exact: when it is reached nothing beyond was written.
 */
export class ChaosPipe {
  /** Bytes read from the source. */
  bytesRead = 0;
  /** Bytes written to the sink. */
  bytesForwarded = 0;
  /** Bytes read and thrown away. */
  bytesSwallowed = 0;
  /** The end of the stream was passed on or swallowed. */
  done = false;
  #shape: Shape = {};
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #writing = false;
  #frozen = false;
  #ending = false;
  #swallowing = false;
  #freeAtMs = -Infinity;
  #timer: unknown;
  #marks: { at: number; reached: () => void }[] = [];
  readonly #options: ChaosPipeOptions;

  constructor(options: ChaosPipeOptions) {
    this.#options = options;
    options.source.on('data', (bytes: Buffer) => this.#take(bytes));
    options.source.on('end', () => this.#takeEnd());
    options.source.on('close', () => this.#swallowing && this.#finished());
  }

  /** Whether bytes are thrown away from now on. */
  get swallowing(): boolean {
    return this.#swallowing;
  }

  /** Bytes read that wait to be forwarded. */
  get bytesWaiting(): number {
    return this.#queuedBytes;
  }

  /** Carries bytes differently from now on; those that wait keep the delay they had. */
  shape(shape: Shape): void {
    checkShape(shape);
    this.#shape = { ...shape };
    this.#freeAtMs = this.#options.clock.now();
    this.#wake();
  }

  /** Calls back once `bytes` more were forwarded; until it has, nothing beyond them is written. 0 calls back at once. */
  mark(bytes: number, reached: () => void): void {
    if (!Number.isSafeInteger(bytes) || bytes < 0)
      throw new RangeError(`a fault comes after 0 bytes or more, not ${bytes}`);
    this.#marks.push({ at: this.bytesForwarded + bytes, reached });
    this.#marks.sort((a, b) => a.at - b.at);
    this.#passMarks();
  }

  /** Stops reading and writing. */
  freeze(): void {
    this.#frozen = true;
    this.#updateReading();
  }

  /** Goes on after `freeze` where it stopped. */
  thaw(): void {
    this.#frozen = false;
    this.#updateReading();
    this.#pump();
  }

  /** Forwards what waits, then ends the sink in order; what is read later is thrown away. */
  finish(): void {
    if (this.#ending || this.#swallowing) return;
    this.#ending = true;
    this.#enqueue(null);
  }

  /** Throws away what waits and all that is read from now on; the sink is told nothing. */
  swallow(): void {
    if (this.#swallowing) return;
    this.#swallowing = true;
    this.bytesSwallowed += this.#queuedBytes;
    this.release();
    this.#updateReading();
    const { source } = this.#options;
    if (source.readableEnded || source.destroyed) this.#finished();
  }

  /** Forgets what waits and the timer; the link has ended. */
  release(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#marks = [];
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #take(bytes: Buffer): void {
    this.bytesRead += bytes.length;
    if (this.#swallowing || this.#ending) this.bytesSwallowed += bytes.length;
    else this.#enqueue(bytes);
  }

  #takeEnd(): void {
    if (this.#swallowing) this.#finished();
    else this.finish();
  }

  #enqueue(bytes: Buffer | null): void {
    const nowMs = this.#options.clock.now();
    // Only a backlog may make up for a late timer: time in which there was nothing to forward is not saved up.
    if (this.#queue.length === 0) this.#freeAtMs = Math.max(this.#freeAtMs, nowMs);
    this.#queue.push({ bytes, dueMs: nowMs + (this.#shape.delayMs ?? 0) });
    this.#queuedBytes += bytes?.length ?? 0;
    this.#updateReading();
    this.#pump();
  }

  #updateReading(): void {
    const { source, bufferBytes } = this.#options;
    const discards = this.#swallowing || this.#ending;
    if (discards || (!this.#frozen && this.#queuedBytes < bufferBytes)) source.resume();
    else source.pause();
  }

  #pump(): void {
    const head = this.#queue[0];
    if (head === undefined || this.#writing || this.#frozen || this.#timer !== undefined) return;
    const { clock } = this.#options;
    const waitMs = Math.max(head.dueMs, this.#freeAtMs) - clock.now();
    if (waitMs > 0) {
      this.#timer = clock.setTimeout(() => this.#wake(), waitMs);
    } else if (head.bytes === null) {
      this.#queue.shift();
      this.#options.sink.end(() => this.#finished());
    } else {
      this.#write(head.bytes, head.dueMs);
    }
  }

  #write(waiting: Buffer, dueMs: number): void {
    const { bytesPerSecond = Infinity, chunkBytes = Infinity } = this.#shape;
    const portionBytes = Math.max(1, Math.floor(bytesPerSecond / PORTIONS_PER_SECOND));
    const untilMark = (this.#marks[0]?.at ?? Infinity) - this.bytesForwarded;
    const piece = waiting.subarray(0, Math.min(waiting.length, portionBytes, chunkBytes, untilMark));
    if (piece.length === waiting.length) this.#queue.shift();
    else this.#queue[0] = { bytes: waiting.subarray(piece.length), dueMs };
    this.#queuedBytes -= piece.length;
    this.bytesForwarded += piece.length;
    const latestStartMs = this.#options.clock.now() - 1000 / PORTIONS_PER_SECOND;
    this.#freeAtMs = Math.max(this.#freeAtMs, latestStartMs) + (piece.length * 1000) / bytesPerSecond;
    this.#writing = true;
    this.#options.sink.write(piece, (error) => {
      // A piece of its own for the receiver too, if that runs in this very process: its turn to read comes in between.
      if (chunkBytes < Infinity && !error) setImmediate(() => this.#written());
      else this.#written(error);
    });
  }

  #written(error?: Error | null): void {
    this.#writing = false;
    if (error) {
      // The sink is gone. Its own 'close' event tells the link; here nothing can be forwarded any more.
      this.swallow();
      return;
    }
    this.#passMarks();
    this.#updateReading();
    this.#pump();
  }

  #passMarks(): void {
    for (let mark = this.#marks[0]; mark !== undefined && mark.at <= this.bytesForwarded && !this.#writing;) {
      this.#marks.shift();
      mark.reached();
      mark = this.#marks[0];
    }
  }

  #wake(): void {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pump();
  }

  #finished(): void {
    if (this.done) return;
    this.done = true;
    this.#options.onDone();
  }
}
