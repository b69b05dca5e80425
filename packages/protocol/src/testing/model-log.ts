import type { LogEntry, LogSlice } from '../server-output.js';

/** One stream: contiguous offsets from 1, and an epoch that changes when history is lost. */
export class ModelLog {
  #epoch: string;
  #first = 1;
  #entries: LogEntry[] = [];

  constructor(epoch: string) {
    this.#epoch = epoch;
  }

  get epoch(): string {
    return this.#epoch;
  }

  get end(): number {
    return this.#first + this.#entries.length - 1;
  }

  append(data: Uint8Array, binary: boolean): LogEntry {
    const entry = { offset: this.end + 1, data, binary };
    this.#entries.push(entry);
    return entry;
  }

  read(after: number, messages: number, bytes: number): LogSlice {
    const entries: LogEntry[] = [];
    let size = 0;
    for (const entry of this.#entries.slice(Math.max(0, after + 1 - this.#first))) {
      if (entries.length >= messages || (entries.length > 0 && size >= bytes)) break;
      entries.push(entry);
      size += entry.data.length;
    }
    return { epoch: this.#epoch, first: this.#first, end: this.end, entries };
  }

  /** Retention drops all but the newest entries. */
  trim(keep: number): void {
    const drop = Math.max(0, this.#entries.length - keep);
    this.#entries.splice(0, drop);
    this.#first += drop;
  }

  /** The store has lost the stream and begins it anew. */
  lose(epoch: string): void {
    this.#epoch = epoch;
    this.#first = 1;
    this.#entries = [];
  }
}
