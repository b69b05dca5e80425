import { randomBytes } from 'node:crypto';
import type { Log } from './ledger.js';
import { ageLimit, overflows } from './rules.js';
import type { Content, Entry, ReadLimit, Retention, StreamKey } from './store.js';

interface Kept extends Entry {
  readonly atMs: number;
}

/** Long enough that two histories of a stream never share one, short enough for every frame that names it. */
export function newEpoch(): string {
  return randomBytes(6).toString('base64url');
}

/** A stream in memory: its newest entries, payloads by reference, in a queue whose dropped front is reclaimed in bulk. */
export class MemoryLog implements Log {
  readonly key: StreamKey;
  readonly epoch = newEpoch();
  end = 0;
  bytes = 0;
  /** Since when `expire` has seen nobody write to it or follow it. */
  idleSinceMs: number | undefined;
  #entries: (Kept | undefined)[] = [];
  /** Where in `#entries` the oldest one is. */
  #head = 0;

  constructor(key: StreamKey) {
    this.key = key;
  }

  get first(): number {
    return this.end - this.count + 1;
  }

  get count(): number {
    return this.#entries.length - this.#head;
  }

  append({ data, binary }: Content, atMs: number, retention: Retention): void {
    this.idleSinceMs = undefined;
    this.end += 1;
    this.bytes += data.byteLength;
    this.#entries.push({ offset: this.end, data, binary, atMs });
    while (overflows(this, retention)) this.#shift();
    this.dropOld(ageLimit(atMs, retention));
  }

  /** Drops the entries written before this time. */
  dropOld(limitMs: number): void {
    for (let oldest = this.#entries[this.#head]; oldest !== undefined; oldest = this.#entries[this.#head]) {
      if (oldest.atMs >= limitMs) return;
      this.#shift();
    }
  }

  /** Drops the entries up to this offset. */
  drop(through: number): void {
    if (through < this.end) {
      while (this.first <= through) this.#shift();
    } else if (this.count > 0) {
      this.#entries = [];
      this.#head = 0;
      this.bytes = 0;
    }
  }

  read(after: number, limit: ReadLimit): Entry[] {
    const { first } = this;
    const entries: Entry[] = [];
    let bytes = 0;
    for (let offset = Math.max(after + 1, first); offset <= this.end; offset++) {
      const entry = this.#entries[this.#head + offset - first]!;
      entries.push(entry);
      bytes += entry.data.byteLength;
      if (entries.length >= limit.entries || bytes >= limit.bytes) break;
    }
    return entries;
  }

  #shift(): void {
    this.bytes -= this.#entries[this.#head]!.data.byteLength;
    this.#entries[this.#head++] = undefined;
    // The dropped front is at least half of the queue: each entry is moved once at most for each one dropped.
    if (this.#head >= 32 && this.#head * 2 >= this.#entries.length) {
      this.#entries.splice(0, this.#head);
      this.#head = 0;
    }
  }
}
