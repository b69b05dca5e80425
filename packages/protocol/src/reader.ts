import { InFlight, type Credit } from './credit.js';
import type { LogEntry, LogSlice } from './server-output.js';

/** What a reader wants done next. */
export type Step =
  | { readonly do: 'send'; readonly entry: LogEntry }
  /** Entries `from` to `to` are lost; `from` 0 if the stream began anew. */
  | { readonly do: 'gap'; readonly from: number; readonly to: number }
  /** The stream began anew under a live transport: acks of the old one may be on their way, so only a resume can go on. */
  | { readonly do: 'reattach' }
  /** The client claims to have what the log never had. */
  | { readonly do: 'refuse' };

/** What is known of a stream, and of a session's place in it. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
  readonly end: number;
  /** The epoch of the stream as it is now, where it is known and may be another one. */
  readonly streamEpoch?: string;
}

/**
 * One session's cursor over one stream. This is the whole of delivery: a live message, a replay after a reconnect, a slow
 * consumer that catches up and a session that moved are all "send what lies behind the cursor while the credit lasts".
 */
export class Reader {
  #credit: Credit;
  #inFlight: InFlight;
  #epoch: string;
  /** Where it began on this transport. */
  #start: number;
  /** Last offset that was sent, or skipped by a gap. */
  #sent: number;
  /** What the client has acknowledged last, and in which epoch: it may not have heard of the one of now. */
  #acked: number;
  #ackedEpoch: string;
  /** Last offset that is known to exist. */
  #end: number;
  /** The client's cursor belongs to a stream that is no more. */
  #isStale = false;
  /** It may: the log has to say. */
  #isDoubtful: boolean;
  /** A read is on its way. */
  #isReading = false;

  /** `sent` where the client was sent more than `offset` before, on the transport of now. */
  constructor(credit: Credit, { epoch, offset, end, streamEpoch = epoch }: Position, sent = offset) {
    this.#credit = credit;
    this.#inFlight = new InFlight(credit);
    this.#epoch = epoch;
    this.#start = sent;
    this.#sent = sent;
    this.#acked = offset;
    this.#ackedEpoch = epoch;
    this.#end = end;
    this.#isDoubtful = streamEpoch !== epoch || offset > end;
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

  get isReading(): boolean {
    return this.#isReading;
  }

  /** Whether nothing was sent on this transport. */
  get isUntouched(): boolean {
    return this.#sent === this.#start;
  }

  /** Whether all that is known to exist was sent. */
  get atEnd(): boolean {
    return !this.#isStale && !this.#isDoubtful && this.#sent >= this.#end;
  }

  /** Whether something lies behind the cursor that has not been asked for. */
  get wantsRead(): boolean {
    return !this.#isReading && !this.atEnd && this.#credit.open;
  }

  /** The store tells anew how things stand. What we know of a stream that is no more, its end above all, is void. */
  refresh({ epoch, offset, end, streamEpoch = epoch }: Position): void {
    if (this.#epoch === streamEpoch) return this.grown(end);
    this.#epoch = epoch;
    this.#acked = offset;
    this.#ackedEpoch = epoch;
    this.#end = end;
    this.#isDoubtful = streamEpoch !== epoch;
  }

  /**
   * A new transport: goes on behind what the client has acknowledged, or behind where it says that it is. What it says of an epoch
   * or an offset that is not known here is for the log to judge.
   */
  begin(credit: Credit, offset = this.#acked, epoch = this.#ackedEpoch): void {
    this.#credit = credit;
    this.#inFlight = new InFlight(credit);
    this.#isStale = false;
    if (epoch !== this.#epoch || offset > this.#end) this.#isDoubtful = true;
    this.#epoch = epoch;
    this.#start = offset;
    this.#sent = offset;
    this.#acked = offset;
    this.#ackedEpoch = epoch;
    this.#isReading = false;
  }

  /** A new transport whose client knew another stream under this name: what it has of that counts for nothing. */
  beginAnew(credit: Credit): void {
    this.begin(credit, 0, this.#epoch);
    this.#isStale = true;
  }

  /** Someone says that the stream has another epoch. */
  doubt(): void {
    this.#isDoubtful = true;
  }

  /** The stream has grown. */
  grown(end: number): void {
    if (end > this.#end) this.#end = end;
  }

  /** False if the peer acknowledges what it was never sent. */
  ack(offset: number): boolean {
    if (offset > this.#sent) return false;
    if (offset > this.#acked || this.#ackedEpoch !== this.#epoch) {
      this.#acked = offset;
      this.#ackedEpoch = this.#epoch;
      this.#inFlight.acked(offset);
    }
    return true;
  }

  /** The stream is not followed any more: what is in flight will not be acknowledged. */
  leave(): void {
    this.#inFlight.acked(Infinity);
  }

  /** The log is asked for what lies behind {@link sent}. */
  asked(): void {
    this.#isReading = true;
  }

  /** The log has answered, well or badly. */
  answered(): void {
    this.#isReading = false;
  }

  /** An entry that was written just now. True if it is the next and may go out; else it waits in the log. */
  takes(entry: LogEntry): boolean {
    this.grown(entry.offset);
    if (entry.offset !== this.#sent + 1 || this.#isReading || this.#isStale || this.#isDoubtful) return false;
    return this.#send(entry);
  }

  /**
   * What a slice of the log means: entries to send while credit lasts, and a gap first if history is missing. Another epoch than
   * the client's is told with a gap, too, where `isSafe`: where no ack of the old stream can be on its way.
   */
  *take(slice: LogSlice, isSafe: boolean): Generator<Step> {
    const isNew = this.#isStale || (isSafe && slice.epoch !== this.#epoch);
    // What rang while this slice was read may have meant the new stream: look once more.
    this.#isDoubtful = isNew;
    if (isNew) {
      this.#isStale = false;
      this.#epoch = slice.epoch;
      this.#end = slice.end;
      this.#sent = slice.first - 1;
      yield { do: 'gap', from: 0, to: this.#sent };
    } else if (slice.epoch !== this.#epoch) {
      yield { do: 'reattach' };
      return;
    } else if (this.isUntouched && this.#sent > slice.end) {
      yield { do: 'refuse' };
      return;
    }
    this.grown(slice.end);
    if (slice.first > this.#sent + 1) {
      const from = this.#sent + 1;
      this.#sent = slice.first - 1;
      yield { do: 'gap', from, to: this.#sent };
    }
    for (const entry of slice.entries) {
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
