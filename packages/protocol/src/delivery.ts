import { CLOSE } from './close-codes.js';
import { Credit } from './credit.js';
import type { ErrorKind } from './error.js';
import * as errors from './errors.js';
import type { Fifo } from './fifo.js';
import type { Frame, TopicCursor, TopicRange, Window } from './frames.js';
import { LIMITS } from './limits.js';
import { Reader, type Position } from './reader.js';
import type { LogEntry, LogSlice, ServerOutput } from './server-output.js';

/** A stream that a session follows; topic '' is its own. */
export interface Followed extends Position {
  readonly topic: string;
}

/** Why the transport cannot go on. */
export interface Trouble {
  readonly error: ErrorKind;
  readonly detail: string;
  readonly code?: number;
}

/** Trouble, or whether there may be more to do now. */
export type Outcome = Trouble | boolean;

/** What a delivery says on the transport of now, if there is one that listens. */
export interface Voice {
  readonly frame: (frame: Frame) => void;
  readonly entry: (topic: string, entry: LogEntry) => void;
}

/** Brings a session's streams to its client: a reader for each, under one credit. */
export class Delivery {
  readonly #outputs: Fifo<ServerOutput>;
  readonly #voice: Voice;
  readonly #readers = new Map<string, Reader>();
  /** Reads that nobody waits for any more: of older transports, and of topics that were left. Their answers are out of date. */
  readonly #voidReads = new Map<string, number>();
  /** What was sent, on the transport of now, of topics that were left; the newest few. */
  readonly #left = new Map<string, { readonly epoch: string; readonly sent: number }>();
  #credit = new Credit({ messages: 1, bytes: 1 });

  constructor(outputs: Fifo<ServerOutput>, voice: Voice, streams: readonly Followed[]) {
    this.#outputs = outputs;
    this.#voice = voice;
    this.refresh(streams);
  }

  /** Where each stream goes on, and how far it goes. */
  get ranges(): TopicRange[] {
    return Array.from(this.#readers, ([topic, { epoch, sent, end }]) => ({ topic, epoch, offset: sent, end }));
  }

  /** Whether everything in the session's own stream was sent. */
  get isThrough(): boolean {
    return (this.#readers.get('') as Reader).atEnd;
  }

  get paused(): boolean {
    return this.#credit.paused;
  }

  set paused(paused: boolean) {
    this.#credit.paused = paused;
  }

  /** Whether something may be sent past the streams. */
  allows(bytes: number): boolean {
    return this.#credit.allows(bytes);
  }

  /** The store's word on which streams there are. */
  refresh(streams: readonly Followed[]): void {
    const current = new Set(streams.map(({ topic }) => topic));
    for (const [topic, reader] of this.#readers) if (!current.has(topic)) this.#drop(topic, reader);
    for (const followed of streams) {
      const reader = this.#readers.get(followed.topic);
      if (reader) reader.refresh(followed);
      else this.#readers.set(followed.topic, new Reader(this.#credit, followed));
    }
  }

  /** A new transport, whose client lets us send so much. */
  begin({ messages, bytes }: Window): void {
    this.#credit = new Credit({ messages: Math.min(messages, LIMITS.inFlightMessages), bytes });
    this.#left.clear();
    for (const [topic, reader] of this.#readers) {
      this.#abandonRead(topic, reader);
      reader.begin(this.#credit);
    }
  }

  /** The client says where it is in a stream. */
  goOn({ topic, epoch, offset }: TopicCursor): void {
    const reader = this.#readers.get(topic);
    if (!reader) return;
    if (epoch === reader.epoch) {
      // A topic that was left and followed again while the client was away goes on from there.
      if (topic !== '' && offset <= reader.acked) return;
      if (offset > reader.acked) this.#outputs.push({ type: 'acked', topic, offset });
      reader.begin(this.#credit, offset);
    } else if (topic === '') reader.beginAnew(this.#credit);
    // The store has the epoch of when the topic was followed: it may be the client that is right.
    else reader.begin(this.#credit, offset, epoch);
  }

  /**
   * The client has a stream up to here. Of the session stream it cannot have what was never sent to it; an odd ack of a topic may
   * mean one that was left and followed again.
   */
  acked(topic: string, offset: number): Trouble | undefined {
    const reader = this.#readers.get(topic);
    if (!reader) return undefined;
    const before = reader.acked;
    if (!reader.ack(offset)) return topic === '' ? { error: errors.ACK, detail: `${offset}` } : undefined;
    if (reader.acked > before) this.#outputs.push({ type: 'acked', topic, offset });
    return undefined;
  }

  /** Asks the log for what may go out now. */
  pump(): void {
    let wanting: [string, Reader][] | undefined;
    for (const item of this.#readers) if (item[1].wantsRead) (wanting ??= []).push(item);
    if (wanting) this.#read(wanting);
  }

  /** The streams share what may go out, or one session could hold a window of memory for each of its topics. */
  #read(wanting: readonly [string, Reader][]): void {
    let sharing = wanting.length;
    for (const reader of this.#readers.values()) if (reader.isReading) sharing++;
    const { messages, bytes } = this.#credit.left;
    const share = {
      messages: Math.ceil(Math.min(messages, LIMITS.readMessages) / sharing),
      bytes: Math.ceil(Math.min(bytes, LIMITS.readBytes) / sharing),
    };
    for (const [topic, reader] of wanting) {
      reader.asked();
      this.#outputs.push({ type: 'read', topic, after: reader.sent, ...share });
    }
  }

  /** An entry was written just now. It goes out at once if it is next, the window is open and someone listens. */
  entry(topic: string, entry: LogEntry, isListening: boolean, epoch?: string): Outcome {
    const reader = this.#readers.get(topic);
    if (!reader || !isListening || !isSame(reader, epoch) || !reader.takes(entry)) {
      return this.grown(topic, entry.offset, epoch);
    }
    this.#voice.entry(topic, entry);
    return false;
  }

  /** A stream has grown. */
  grown(topic: string, end: number, epoch?: string): Outcome {
    const reader = this.#readers.get(topic);
    if (!reader) return false;
    if (isSame(reader, epoch)) reader.grown(end);
    else if (mayRenew(topic, reader)) reader.doubt();
    else return renewed(topic);
    return true;
  }

  /**
   * The log has answered a read. If that brings nothing (a log may lag behind its own news), it is asked again when something else
   * happens, and not at once.
   */
  slice(topic: string, slice: LogSlice): Outcome {
    const reader = this.#answered(topic);
    if (!reader) return true;
    let moved = false;
    for (const step of reader.take(slice, mayRenew(topic, reader))) {
      if (step.do === 'reattach') return renewed(topic);
      if (step.do === 'refuse') return { error: errors.ACK, detail: `${topic} ${reader.sent}` };
      if (step.do === 'send') this.#voice.entry(topic, step.entry);
      else this.#voice.frame({ type: 'gap', from: step.from, to: step.to, epoch: reader.epoch, topic });
      moved = true;
    }
    return moved;
  }

  readFailed(topic: string): void {
    this.#answered(topic);
  }

  /** The reader that waits for an answer, if one does. */
  #answered(topic: string): Reader | undefined {
    const count = this.#voidReads.get(topic);
    if (count === undefined) {
      const reader = this.#readers.get(topic);
      reader?.answered();
      return reader;
    }
    if (count > 1) this.#voidReads.set(topic, count - 1);
    else this.#voidReads.delete(topic);
    return undefined;
  }

  #abandonRead(topic: string, reader: Reader): void {
    if (reader.isReading) this.#voidReads.set(topic, (this.#voidReads.get(topic) ?? 0) + 1);
  }

  #drop(topic: string, reader: Reader): void {
    this.#abandonRead(topic, reader);
    reader.leave();
    this.#readers.delete(topic);
  }

  subscribed(topic: string, epoch: string, offset: number, end: number): void {
    if (this.#readers.has(topic)) return;
    // A read may have brought what was written behind the leaving before we heard of either.
    const left = this.#left.get(topic);
    const sent = left?.epoch === epoch ? Math.max(offset, left.sent) : offset;
    this.#readers.set(topic, new Reader(this.#credit, { epoch, offset, end }, sent));
    this.#voice.frame({ type: 'sub', n: sent, epoch, topic });
  }

  unsubscribed(topic: string): void {
    const reader = this.#readers.get(topic);
    if (topic === '' || !reader) return;
    this.#drop(topic, reader);
    this.#left.delete(topic);
    this.#left.set(topic, { epoch: reader.epoch, sent: reader.sent });
    if (this.#left.size > LIMITS.topics) this.#left.delete(this.#left.keys().next().value as string);
    this.#voice.frame({ type: 'unsub', topic });
  }
}

const isSame = (reader: Reader, epoch = reader.epoch): boolean => epoch === reader.epoch;

/** Whether no ack can be on its way that means the stream before. Those of the session stream ride on everything. */
const mayRenew = (topic: string, reader: Reader): boolean => topic !== '' && reader.isUntouched;

/** A stream that begins anew under a live transport is taken up by a resume: the client says what it had of the old one. */
const renewed = (topic: string): Trouble => ({
  error: errors.STORE,
  detail: `a new epoch of ${topic || 'the session'}`,
  code: CLOSE.restart,
});
