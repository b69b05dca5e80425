import { ageLimit, type Content, type Entry, overflows, type ReadLimit, type Retention } from '@holdfast/store';
import type { Binary } from './environment.js';
import { entryKey } from './keys.js';
import type { LmdbLog } from './records.js';

/** Flags, the time of writing, and the payload bytes written to the stream up to here; then the payload. */
const HEADER = { flagsAt: 0, timeAt: 1, totalAt: 7, bytes: 13 };
const BINARY = 1;

/** The entries of all streams, one key each. It keeps the counts of the log that it is given, and writes no log itself. */
export class Entries {
  readonly #table: Binary;
  readonly #retention: Retention;
  /** Entries removed in this transaction. */
  removed = 0;

  constructor(table: Binary, retention: Retention) {
    this.#table = table;
    this.#retention = retention;
  }

  append(log: LmdbLog, { data, binary }: Content, atMs: number): void {
    log.end += 1;
    log.total += data.byteLength;
    log.idleSinceMs = undefined;
    // The clocks of two pods differ: what is written now may be older than what is there.
    log.dueMs = Math.min(log.dueMs ?? atMs, atMs);
    const value = Buffer.allocUnsafe(HEADER.bytes + data.byteLength);
    value[HEADER.flagsAt] = binary ? BINARY : 0;
    value.writeUIntBE(atMs, HEADER.timeAt, 6);
    value.writeUIntBE(log.total, HEADER.totalAt, 6);
    value.set(data, HEADER.bytes);
    this.#table.putSync(entryKey(log.prefix, log.end), value);
    while (overflows(log, this.#retention)) this.drop(log, log.first);
    this.dropOld(log, ageLimit(atMs, this.#retention));
  }

  /** Drops the entries up to this offset. */
  drop(log: LmdbLog, through: number): void {
    const last = Math.min(through, log.end);
    if (last < log.first) return;
    log.dropped = last === log.end ? log.total : this.#header(log, last).total;
    for (let offset = log.first; offset <= last; offset++) this.#table.removeSync(entryKey(log.prefix, offset));
    this.removed += last - log.first + 1;
    log.first = last + 1;
  }

  /** Drops the oldest entries while they were written before this time, and finds out when to look again. */
  dropOld(log: LmdbLog, limitMs: number): void {
    if (log.dueMs === undefined || log.dueMs >= limitMs) return;
    let dueMs: number | undefined;
    let through = log.first - 1;
    while (dueMs === undefined && through < log.end) {
      const { atMs } = this.#header(log, through + 1);
      if (atMs < limitMs) through += 1;
      else dueMs = atMs;
    }
    this.drop(log, through);
    log.dueMs = dueMs;
  }

  read(log: LmdbLog, after: number, limit: ReadLimit): Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    const first = Math.max(after + 1, log.first);
    if (first > log.end) return entries;
    const range = { start: entryKey(log.prefix, first), end: entryKey(log.prefix, log.end + 1), limit: limit.entries };
    for (const { value } of this.#table.getRange(range)) {
      const data = value.subarray(HEADER.bytes);
      entries.push({ offset: first + entries.length, data, binary: value[HEADER.flagsAt] === BINARY });
      bytes += data.byteLength;
      if (bytes >= limit.bytes) break;
    }
    return entries;
  }

  #header(log: LmdbLog, offset: number): { atMs: number; total: number } {
    // Not copied: it is good until the next look into the store.
    const value = this.#table.getBinaryFast(entryKey(log.prefix, offset))!;
    return { atMs: value.readUIntBE(HEADER.timeAt, 6), total: value.readUIntBE(HEADER.totalAt, 6) };
  }
}
