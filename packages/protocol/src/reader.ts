import { InFlight, type Credit } from './credit.js';
import type { LogEntry, LogSlice } from './server-output.js';

/** What a reader wants done next. */
export type Step =
  | { readonly do: 'send'; readonly entry: LogEntry }
  /** Entries `from` to `to` are lost; `from` 0 if the stream began anew. */
  | { readonly do: 'gap'; readonly from: number; readonly to: number };

/**
 * One session's cursor over one stream. This is the whole of delivery: a live message, a replay after a reconnect, a slow
 * consumer that catches up and a session that moved are all "send what lies behind the cursor while the credit lasts".
 */
export class Reader {
  readonly #credit: Credit;
  readonly #inFlight: InFlight;
  #epoch: string;
  /** Last offset that was sent, or skipped by a gap. */
  #sent: number;
  /** Last offset that is known to exist. */
  #end: number;
  #acked: number;
  /** The client's cursor belongs to a stream that is no more. */
  #stale = false;
  /** A read is on its way. */
  reading = false;

  constructor(credit: Credit, epoch: string, offset: number, end: number) {
    this.#credit = credit;
    this.#inFlight = new InFlight(credit);
    this.#epoch = epoch;
    this.#sent = offset;
    this.#acked = offset;
    this.#end = Math.max(end, offset);
  }

  get epoch(): string {
    return this.#epoch;
  }

  get sent(): number {
    return this.#sent;
  }

  get end(): number {
    return this.#end;
  }

  get acked(): number {
    return this.#acked;
  }

  /** Whether something lies behind the cursor that has not been asked for. */
  get wantsRead(): boolean {
    return !this.reading && (this.#stale || this.#sent < this.#end) && this.#credit.allows(0);
  }

  /** The stream is another one than the client knew: what it has of the old one counts for nothing. */
  beginAnew(): void {
    this.#stale = true;
  }

  /** The stream has grown. */
  grown(end: number): void {
    if (end > this.#end) this.#end = end;
  }

  /** False if the peer acknowledges what it was never sent. */
  ack(offset: number): boolean {
    if (offset > this.#sent) return false;
    if (offset > this.#acked) {
      this.#acked = offset;
      this.#inFlight.acked(offset);
    }
    return true;
  }

  /** An entry that was written just now. True if it is the next and may go out; else it waits in the log. */
  takes(entry: LogEntry): boolean {
    this.grown(entry.offset);
    if (entry.offset !== this.#sent + 1 || this.reading || this.#stale) return false;
    return this.#spend(entry);
  }

  /** What a slice of the log means: entries to send while credit lasts, and a gap first if history is missing. */
  *take(slice: LogSlice): Generator<Step> {
    this.reading = false;
    if (slice.epoch !== this.#epoch || this.#stale) {
      this.#epoch = slice.epoch;
      this.#stale = false;
      this.#end = slice.end;
      this.#sent = slice.first - 1;
      this.#acked = this.#sent;
      this.#inFlight.acked(Infinity);
      yield { do: 'gap', from: 0, to: this.#sent };
    }
    this.grown(slice.end);
    if (slice.first > this.#sent + 1) {
      const from = this.#sent + 1;
      this.#sent = slice.first - 1;
      yield { do: 'gap', from, to: this.#sent };
    }
    for (const entry of slice.entries) {
      if (entry.offset !== this.#sent + 1) continue;
      if (!this.#spend(entry)) return;
      yield { do: 'send', entry };
    }
  }

  #spend(entry: LogEntry): boolean {
    if (!this.#credit.allows(entry.data.length)) return false;
    this.#inFlight.sent(entry.offset, entry.data.length);
    this.#sent = entry.offset;
    return true;
  }
}
