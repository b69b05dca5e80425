import { AckClock } from './ack-clock.js';
import { CLOSE, closeCodeOf, closeReason } from './close-codes.js';
import { decode } from './decode.js';
import { encode } from './encode.js';
import { Credit, InFlight } from './credit.js';
import { isFault, type ErrorKind } from './error.js';
import * as errors from './errors.js';
import { Fifo } from './fifo.js';
import type { Frame, FrameOf, Payload, ResumeBody, TopicCursor, Window } from './frames.js';
import { LIMITS } from './limits.js';
import { carriesAck, Link, type TransportId } from './link.js';
import { Liveness } from './liveness.js';
import type { Policy } from './policy.js';
import { Reader } from './reader.js';
import type { LogEntry, LogSlice, ServerOutput } from './server-output.js';
import { next, SERVER_STATES, type ServerEvent, type ServerState } from './states.js';
import { sizeOf } from './utf8.js';

/** What the store knows of a session when a pod takes it on. */
export interface ServerSessionState {
  readonly id: string;
  readonly watermark: number;
  /** `epoch` and `end` as they are now. */
  readonly stream: { readonly epoch: string; readonly end: number; readonly acked: number };
  /** `epoch` and `offset` as they were when the session followed the topic, or acknowledged it; `end` as it is now. */
  readonly topics: readonly {
    readonly topic: string;
    readonly epoch: string;
    readonly offset: number;
    readonly end: number;
    /** The epoch of the stream as it is now, where the store knows it. */
    readonly streamEpoch?: string;
  }[];
  readonly closing?: { readonly code: number; readonly reason: string };
}

export interface ServerSessionOptions {
  readonly pod: string;
  readonly policy: Policy;
  /** How long a client may take to answer a bye. */
  readonly closeMs: number;
  /** Makes the buffers of data frames. */
  readonly allocate?: (length: number) => Uint8Array;
}

/**
 * A pod's end of a session, without I/O. It numbers nothing and stores nothing: the log does. It holds a cursor over each of
 * the session's streams and decides what to transmit, what to read, and what of the client's is new. Getters, handlers,
 * commands and {@link poll} are used as with `ClientSession`.
 */
export class ServerSession {
  readonly id: string;
  readonly #options: ServerSessionOptions;
  readonly #outputs = new Fifo<ServerOutput>();
  readonly #readers = new Map<string, Reader>();
  #state: ServerState = 'detached';
  #link: Link | undefined;
  #credit = new Credit({ messages: 1, bytes: 1 });
  /** Highest message of the client that was given to the application. */
  #received: number;
  /** Highest one whose effects are committed. */
  #watermark: number;
  /** What was received and not committed, under the window that the policy gives the client. */
  readonly #uncommitted: InFlight;
  #closing: { readonly code: number; readonly reason: string } | undefined;
  #saidBye = false;
  #heardBye = false;
  /** Stamp of a ping that is answered when the transport takes more: a client that asks and never reads must not cost memory. */
  #owedPong: number | undefined;
  #confirmed = true;
  #rttMs: number | undefined;

  constructor(state: ServerSessionState, options: ServerSessionOptions) {
    this.id = state.id;
    this.#options = options;
    this.#received = state.watermark;
    this.#watermark = state.watermark;
    this.#closing = state.closing;
    this.#uncommitted = new InFlight(new Credit(options.policy.window));
    this.refresh(state);
  }

  // ------------------------------------------------------------------------------------------------------------ getters

  get state(): ServerState {
    return this.#state;
  }

  get transport(): TransportId | undefined {
    return this.#link?.id;
  }

  get received(): number {
    return this.#received;
  }

  get watermark(): number {
    return this.#watermark;
  }

  get topics(): string[] {
    return Array.from(this.#readers.keys()).filter((topic) => topic !== '');
  }

  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  get dueMs(): number {
    return this.#link?.dueMs ?? Infinity;
  }

  poll(): ServerOutput | undefined {
    return this.#outputs.shift();
  }

  // ---------------------------------------------------------------------------------------------------------- attaching

  /** The first transport of a new session. */
  welcome(transport: TransportId, window: Window, token: string, nowMs: number): void {
    const link = this.#begin(transport, window, nowMs);
    const { pod, policy } = this.#options;
    const epoch = this.#reader('').epoch;
    this.#transmit(link, { type: 'welcome', body: { session: this.id, token, epoch, pod, policy } });
    this.#pump();
  }

  /**
   * The session was attached to anew, here, and nobody else has held it meanwhile: the store's word on its streams is newer than
   * ours. If others have held it, what this machine remembers is void: fence it and make a new one.
   */
  refresh({ stream, topics }: Pick<ServerSessionState, 'stream' | 'topics'>): void {
    const streams = [{ topic: '', epoch: stream.epoch, offset: stream.acked, end: stream.end }, ...topics];
    const current = new Set(streams.map(({ topic }) => topic));
    for (const topic of this.#readers.keys()) if (!current.has(topic)) this.#readers.delete(topic);
    for (const position of streams) {
      const reader = this.#readers.get(position.topic);
      if (reader) reader.refresh(position);
      else this.#readers.set(position.topic, new Reader(this.#credit, position));
    }
  }

  /** A transport has proved the session's token: it carries the session from the client's cursors on. */
  resume(transport: TransportId, body: ResumeBody, token: string, nowMs: number): void {
    const link = this.#begin(transport, body.window, nowMs);
    this.#confirmed = false;
    for (const cursor of [{ topic: '', epoch: body.epoch, offset: body.received }, ...body.topics]) {
      this.#goOn(cursor);
    }
    const { pod, policy } = this.#options;
    const session = this.#reader('');
    const topics = Array.from(this.#readers, ([topic, { epoch, sent, end }]) => ({ topic, epoch, offset: sent, end }));
    this.#transmit(link, {
      type: 'resumed',
      body: {
        token,
        epoch: session.epoch,
        pod,
        policy,
        received: this.#watermark,
        offset: session.sent,
        end: session.end,
        topics: topics.filter(({ topic }) => topic !== ''),
      },
    });
    this.#pump();
  }

  // ----------------------------------------------------------------------------------------------------------- handlers

  handleData(transport: TransportId, data: string | Uint8Array, binary: boolean, nowMs: number): void {
    const link = this.#link;
    if (link?.id !== transport) return;
    link.liveness?.heard(nowMs);
    const frame = decode(data, binary);
    if (isFault(frame)) return this.hangUp(frame.fault, frame.detail);
    if (!link.carries(frame.type, 'client')) return this.hangUp(errors.STATE, frame.type);
    if (!this.#confirmed) {
      this.#confirmed = true;
      this.#outputs.push({ type: 'confirm' });
    }
    this.#receive(link, frame, nowMs);
    this.#pump();
  }

  handleLost(transport: TransportId, code: number, reason: string): void {
    if (this.#link?.id === transport) this.#detach(code, reason);
  }

  handleTimeout(nowMs: number): void {
    const link = this.#link;
    if (!link) return;
    if (link.limitMs !== undefined && nowMs >= link.limitMs) return this.hangUp(errors.SILENT);
    if (link.liveness && nowMs >= link.liveness.dueMs) {
      const pulse = link.liveness.check(nowMs);
      if (pulse === 'dead') return this.hangUp(errors.SILENT);
      if (pulse === 'ping') this.#transmit(link, { type: 'ping', stamp: Math.floor(nowMs), ack: this.#watermark });
    }
    this.#acknowledgeIfDue(link, nowMs);
  }

  /** The effects of all messages up to `watermark` are committed: they can be acknowledged. */
  handleCommitted(watermark: number, nowMs: number): void {
    if (watermark <= this.#watermark) return;
    this.#link?.acks?.owe(watermark - this.#watermark, 0, nowMs);
    this.#watermark = watermark;
    this.#uncommitted.acked(watermark);
    if (this.#link) this.#acknowledgeIfDue(this.#link, nowMs);
  }

  /**
   * An entry was written to a stream just now: it goes out at once if it is next and the window is open. Give the epoch of the
   * stream, if it is known: another one than before means that history was lost.
   */
  handleEntry(topic: string, entry: LogEntry, epoch?: string): void {
    const reader = this.#readers.get(topic);
    if (!reader || !this.#isSame(topic, reader, epoch)) return;
    if (this.#link && reader.takes(entry)) this.#sendEntry(this.#link, topic, entry);
    else this.handleGrown(topic, entry.offset, epoch);
  }

  /** A stream has grown, by another pod or in a way that only the log tells. */
  handleGrown(topic: string, end: number, epoch?: string): void {
    const reader = this.#readers.get(topic);
    if (!reader || !this.#isSame(topic, reader, epoch)) return;
    reader.grown(end);
    this.#pump();
  }

  /** The answer to a `read`. */
  handleSlice(topic: string, slice: LogSlice): void {
    const reader = this.#readers.get(topic);
    const link = this.#link;
    if (!reader?.answered() || !link) return this.#pump();
    let moved = false;
    for (const step of reader.take(slice, this.#mayRenew(topic, reader))) {
      if (step.do === 'reattach') return this.#reattach(topic);
      if (step.do === 'refuse') return this.hangUp(errors.ACK, `${topic} ${reader.sent}`);
      if (step.do === 'send') this.#sendEntry(link, topic, step.entry);
      else this.#transmit(link, { type: 'gap', from: step.from, to: step.to, epoch: reader.epoch, topic });
      moved = true;
    }
    // A slice that brings nothing (the log lags behind its own news) is asked for again when something else happens, not at once.
    if (moved) this.#pump();
  }

  /** A read failed: it may be tried again. */
  handleReadFailed(topic: string): void {
    this.#readers.get(topic)?.answered();
  }

  /** The session follows a topic from behind `offset`: committed. It has grown to `end` meanwhile. */
  handleSubscribed(topic: string, epoch: string, offset: number, end = offset): void {
    if (this.#readers.has(topic)) return;
    this.#readers.set(topic, new Reader(this.#credit, { epoch, offset, end }));
    if (this.#link) this.#transmit(this.#link, { type: 'sub', n: offset, epoch, topic });
    this.#pump();
  }

  handleUnsubscribed(topic: string): void {
    const reader = this.#readers.get(topic);
    if (topic === '' || !reader) return;
    reader.leave();
    this.#readers.delete(topic);
    if (this.#link) this.#transmit(this.#link, { type: 'unsub', topic });
    this.#pump();
  }

  /** The application has closed the session: committed. The client is told when it has everything that was sent before. */
  handleClosing(code: number, reason: string, nowMs: number): void {
    this.#closing ??= { code, reason };
    if (this.#link) this.#link.limitMs = nowMs + this.#options.closeMs;
    this.#pump();
  }

  /** The session is removed: its client is told, if it is there. */
  handleEnded(): void {
    if (this.#state === 'gone') return;
    const link = this.#link;
    this.#step('end');
    this.#link = undefined;
    if (!link) return;
    if (!this.#saidBye) this.#sayBye(link, 1000, '');
    this.#outputs.push({ type: 'hangup', transport: link.id, code: CLOSE.normal, reason: '' });
  }

  /** The session is another pod's now, or has expired. */
  handleFenced(error: ErrorKind = errors.FENCED): void {
    if (this.#state === 'gone') return;
    const link = this.#link;
    this.#step('fence');
    this.#link = undefined;
    if (link)
      this.#outputs.push({ type: 'hangup', transport: link.id, code: closeCodeOf(error), reason: closeReason(error) });
  }

  /** Whether the transport takes more: when it has too much to write, the rest stays in the log. */
  handleWritable(writable: boolean): void {
    this.#credit.paused = !writable;
    if (!writable) return;
    if (this.#link && this.#owedPong !== undefined) {
      this.#transmit(this.#link, { type: 'pong', stamp: this.#owedPong, ack: this.#watermark });
      this.#owedPong = undefined;
    }
    this.#pump();
  }

  // ----------------------------------------------------------------------------------------------------------- commands

  /** Sends past the log: to the client that is there now, or to nobody. Tells whether it went out. */
  volatile(payload: Payload): boolean {
    const link = this.#link;
    if (!link || link.phase === 'leaving' || !this.#credit.allows(sizeOf(payload.data))) return false;
    this.#transmit(link, { type: 'v', data: payload.data, binary: payload.binary });
    return true;
  }

  /** Asks the client to attach elsewhere, at a random moment from `afterMs` on, within `withinMs`. */
  drain(afterMs: number, withinMs: number): void {
    if (this.#link) this.#transmit(this.#link, { type: 'drain', afterMs, withinMs });
  }

  /** Asks whether the client is there, when nothing is waiting to be heard anyway. */
  ping(nowMs: number): void {
    if (this.#link) this.#transmit(this.#link, { type: 'ping', stamp: Math.floor(nowMs), ack: this.#watermark });
  }

  /** Gives the transport up, for a reason; the session stays. */
  hangUp(error: ErrorKind, detail = '', code = closeCodeOf(error)): void {
    const link = this.#link;
    if (!link) return;
    this.#outputs.push({ type: 'hangup', transport: link.id, code, reason: closeReason(error) });
    this.#detach(code, detail ? `${error.code} ${detail}` : error.code);
  }

  // ------------------------------------------------------------------------------------------------------------- frames

  #receive(link: Link, frame: Frame, nowMs: number): void {
    switch (frame.type) {
      case 'm':
      case 'r':
        if (!this.#ackSession(frame.ack)) return;
        return this.#arrived(link, frame, nowMs);
      case 'ack':
        if (!this.#ackSession(frame.ack)) return;
        for (const { topic, offset } of frame.topics) {
          const reader = this.#readers.get(topic);
          // A topic that was left meanwhile is no news, an offset that was never sent is a fault.
          if (reader && !this.#ackReader(topic, reader, offset)) return;
        }
        return;
      case 'ping':
        if (!this.#ackSession(frame.ack)) return;
        if (this.#credit.paused) this.#owedPong = frame.stamp;
        else this.#transmit(link, { type: 'pong', stamp: frame.stamp, ack: this.#watermark });
        return;
      case 'pong':
        if (!this.#ackSession(frame.ack)) return;
        this.#rttMs = Math.max(0, Math.floor(nowMs) - frame.stamp);
        this.#outputs.push({ type: 'pong' });
        return;
      case 'pace': {
        const { pingMs, deadMs, backgroundPingMs, backgroundDeadMs } = this.#options.policy;
        const background = { pingMs: backgroundPingMs, deadMs: backgroundDeadMs };
        link.liveness?.setBeat(frame.pace === 'foreground' ? { pingMs, deadMs } : background, nowMs);
        return;
      }
      case 'bye':
        if (this.#heardBye) return this.hangUp(errors.STATE, frame.type);
        this.#heardBye = true;
        if (this.#saidBye) this.#outputs.push({ type: 'told' });
        else this.#outputs.push({ type: 'bye', code: frame.code, reason: frame.reason });
        return;
      default:
        return;
    }
  }

  #arrived(link: Link, frame: FrameOf<'m' | 'r'>, nowMs: number): void {
    if (link.phase === 'leaving') return;
    if (frame.n <= this.#received) return link.acks?.owe(1, 0, nowMs);
    if (frame.n !== this.#received + 1) return this.hangUp(errors.ORDER, `${frame.n}`);
    const bytes = sizeOf(frame.data);
    if (bytes > this.#options.policy.maxPayloadBytes) return this.hangUp(errors.TOO_LARGE, `${bytes}`);
    if (!this.#uncommitted.send(frame.n, bytes)) return this.hangUp(errors.WINDOW);
    this.#received = frame.n;
    const redelivered = frame.type === 'r';
    this.#outputs.push({ type: 'deliver', n: frame.n, redelivered, data: frame.data, binary: frame.binary });
  }

  #ackSession(offset: number): boolean {
    return this.#ackReader('', this.#reader(''), offset);
  }

  #ackReader(topic: string, reader: Reader, offset: number): boolean {
    const before = reader.acked;
    if (!reader.ack(offset)) {
      this.hangUp(errors.ACK, `${offset}`);
      return false;
    }
    if (reader.acked > before) this.#outputs.push({ type: 'acked', topic, offset });
    return true;
  }

  // ----------------------------------------------------------------------------------------------------------- delivery

  #pump(): void {
    const link = this.#link;
    if (!link || link.phase === 'leaving') return;
    let wanting: [string, Reader][] | undefined;
    for (const item of this.#readers) if (item[1].wantsRead) (wanting ??= []).push(item);
    if (wanting) this.#read(wanting);
    if (this.#closing && !this.#saidBye && this.#reader('').atEnd) {
      this.#saidBye = true;
      this.#sayBye(link, this.#closing.code, this.#closing.reason);
    }
  }

  /** Asks for no more than what may go out. The streams share it, or one session could hold a window for each of its topics. */
  #read(wanting: readonly [string, Reader][]): void {
    let sharing = 0;
    for (const reader of this.#readers.values()) if (reader.isReading) sharing++;
    sharing += wanting.length;
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

  /** An end that hears `bye` knows from the ack before it what was taken of all that it had said. */
  #sayBye(link: Link, code: number, reason: string): void {
    this.#acknowledge(link);
    this.#transmit(link, { type: 'bye', code, reason });
  }

  #acknowledgeIfDue(link: Link, nowMs: number): void {
    if (link.acks?.dueMs !== undefined && nowMs >= link.acks.dueMs) this.#acknowledge(link);
  }

  #acknowledge(link: Link): void {
    this.#transmit(link, { type: 'ack', ack: this.#watermark, topics: [] });
  }

  #sendEntry(link: Link, topic: string, { offset, data, binary }: LogEntry): void {
    if (topic === '') this.#transmit(link, { type: 'm', n: offset, ack: this.#watermark, data, binary });
    else this.#transmit(link, { type: 't', n: offset, topic, data, binary });
  }

  #transmit(link: Link, frame: Frame): void {
    if (!link.carries(frame.type, 'server')) return;
    if (carriesAck(frame)) link.acks?.paid();
    const { data, binary } = encode(frame, this.#options.allocate);
    this.#outputs.push({ type: 'transmit', transport: link.id, data, binary });
  }

  // -------------------------------------------------------------------------------------------------------------- state

  #begin(transport: TransportId, window: Window, nowMs: number): Link {
    if (this.#link) {
      const { id } = this.#link;
      this.#outputs.push({ type: 'hangup', transport: id, code: CLOSE.fenced, reason: closeReason(errors.FENCED) });
    }
    const { policy } = this.#options;
    const link = new Link(transport);
    link.phase = 'greeting';
    link.liveness = new Liveness({ pingMs: policy.pingMs, deadMs: policy.deadMs }, nowMs);
    link.acks = new AckClock(policy.ackMs, policy.window);
    this.#link = link;
    if (this.#closing) link.limitMs = nowMs + this.#options.closeMs;
    this.#credit = new Credit(window);
    this.#saidBye = false;
    this.#heardBye = false;
    this.#owedPong = undefined;
    for (const reader of this.#readers.values()) reader.begin(this.#credit);
    this.#step('attach');
    return link;
  }

  #detach(code: number, reason: string): void {
    this.#link = undefined;
    this.#step('lost');
    this.#outputs.push({ type: 'detached', code, reason });
  }

  #isSame(topic: string, reader: Reader, epoch = reader.epoch): boolean {
    if (epoch === reader.epoch) return true;
    if (this.#mayRenew(topic, reader)) {
      reader.doubt();
      this.#pump();
    } else this.#reattach(topic);
    return false;
  }

  /** Whether no ack can be on its way that means the stream before. Those of the session stream ride on everything. */
  #mayRenew(topic: string, reader: Reader): boolean {
    return topic !== '' && reader.isUntouched;
  }

  /** A stream that begins anew under a live transport is taken up by a resume: the client says what it had of the old one. */
  #reattach(topic: string): void {
    this.hangUp(errors.STORE, `a new epoch of ${topic || 'the session'}`, CLOSE.restart);
  }

  /** Sets the reader of a stream to where the client says it is. */
  #goOn({ topic, epoch, offset }: TopicCursor): void {
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

  #reader(topic: string): Reader {
    return this.#readers.get(topic) as Reader;
  }

  #step(event: ServerEvent): void {
    const state = next(SERVER_STATES, this.#state, event);
    if (state === undefined) throw new Error(`holdfast: ${event} in state ${this.#state}`);
    this.#state = state;
  }
}
