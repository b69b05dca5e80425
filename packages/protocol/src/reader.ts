import { InFlight, type Credit } from './credit.js';
import type { LogEntry, LogSlice } from './server-output.js';

/** What a reader wants done next. */
export type Step =
  | { readonly do: 'send'; readonly entry: LogEntry }
  /** Entries `from` to `to` are lost; `from` 0 if the stream began anew. */
  | { readonly do: 'gap'; readonly from: number; readonly to: number }
  /** The stream began anew under a live transport: acks of the old one may be on their way, so only a resume can go on. */
  | { readonly do: 'reattach' };

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

  /** Whether all that is known to exist was sent. */
  get atEnd(): boolean {
    return !this.#stale && this.#sent >= this.#end;
  }

  /** Whether something lies behind the cursor that has not been asked for. */
  get wantsRead(): boolean {
    return !this.reading && !this.atEnd && this.#credit.open;
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

  /** The stream is not followed any more: what is in flight will not be acknowledged. */
  leave(): void {
    this.#inFlight.acked(Infinity);
  }

  /** An entry that was written just now. True if it is the next and may go out; else it waits in the log. */
  takes(entry: LogEntry): boolean {
    this.grown(entry.offset);
    if (entry.offset !== this.#sent + 1 || this.reading || this.#stale) return false;
    return this.#send(entry);
  }

  /** What a slice of the log means: entries to send while credit lasts, and a gap first if history is missing. */
  *take(slice: LogSlice): Generator<Step> {
    this.reading = false;
    if (this.#stale) {
      this.#stale = false;
      this.#epoch = slice.epoch;
      this.#end = slice.end;
      this.#sent = slice.first - 1;
      this.#acked = this.#sent;
      yield { do: 'gap', from: 0, to: this.#sent };
    }
    if (slice.epoch !== this.#epoch) {
      yield { do: 'reattach' };
      return;
    }
    this.grown(slice.end);
    if (slice.first > this.#sent + 1) {
      const from = this.#sent + 1;
      this.#sent = slice.first - 1;
      yield { do: 'gap', from, to: this.#sent };
    }
    for (const entry of slice.entries) {
      // What lies before was sent meanwhile; what lies behind answers the read of a transport that is gone.
      if (entry.offset !== this.#sent + 1) continue;
      if (!this.#send(entry)) return;
      yield { do: 'send', entry };
    }
  }

  #send({ offset, data }: LogEntry): boolean {
    if (!this.#inFlight.send(offset, data.length)) return false;
    this.#sent = offset;
    return true;
  }
}
