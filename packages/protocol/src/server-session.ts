import { AckClock } from './ack-clock.js';
import { CLOSE, closeCodeOf, closeReason } from './close-codes.js';
import { decode } from './decode.js';
import { encode } from './encode.js';
import { Delivery, type Outcome } from './delivery.js';
import { isFault, type ErrorKind } from './error.js';
import * as errors from './errors.js';
import { Fifo } from './fifo.js';
import type { Frame, FrameOf, Payload, ResumeBody, TopicRange, Window } from './frames.js';
import { Intake } from './intake.js';
import { carriesAck, Link, type TransportId } from './link.js';
import { Liveness } from './liveness.js';
import { streamsOf, type ServerSessionOptions, type ServerSessionState } from './server-options.js';
import type { LogEntry, LogSlice, ServerOutput } from './server-output.js';
import { next, SERVER_STATES, type ServerEvent, type ServerState } from './states.js';
import { sizeOf } from './utf8.js';

/**
 * A pod's end of a session, without I/O. It numbers nothing and stores nothing: the log does. It holds a cursor over each of
 * the session's streams and decides what to transmit, what to read, and what of the client's is new. Getters, handlers,
 * commands and {@link poll} are used as with `ClientSession`.
 */
export class ServerSession {
  readonly id: string;
  readonly #options: ServerSessionOptions;
  readonly #outputs = new Fifo<ServerOutput>();
  readonly #delivery: Delivery;
  readonly #intake: Intake;
  #state: ServerState = 'detached';
  #link: Link | undefined;
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
    this.#closing = state.closing;
    this.#intake = new Intake(options.policy, state.watermark);
    const voice = {
      frame: (frame: Frame) => this.#say(frame),
      entry: (topic: string, { offset: n, data, binary }: LogEntry) =>
        this.#say(
          topic === '' ? { type: 'm', n, ack: this.watermark, data, binary } : { type: 't', n, topic, data, binary },
        ),
    };
    this.#delivery = new Delivery(this.#outputs, voice, streamsOf(state));
  }

  // ------------------------------------------------------------------------------------------------------------ getters

  get state(): ServerState {
    return this.#state;
  }

  get transport(): TransportId | undefined {
    return this.#link?.id;
  }

  get received(): number {
    return this.#intake.received;
  }

  get watermark(): number {
    return this.#intake.watermark;
  }

  get topics(): string[] {
    return this.#delivery.ranges.map(({ topic }) => topic).filter((topic) => topic !== '');
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
    const [{ epoch }] = this.#delivery.ranges as [TopicRange];
    this.#transmit(link, { type: 'welcome', body: { session: this.id, token, epoch, pod, policy } });
    this.#pump();
  }

  /**
   * The session was attached to anew, here, and nobody else has held it meanwhile: the store's word on its streams is newer than
   * ours. If others have held it, what this machine remembers is void: fence it and make a new one.
   */
  refresh(state: Pick<ServerSessionState, 'stream' | 'topics'>): void {
    this.#delivery.refresh(streamsOf(state));
  }

  /** A transport has proved the session's token: it carries the session from the client's cursors on. */
  resume(transport: TransportId, body: ResumeBody, token: string, nowMs: number): void {
    const link = this.#begin(transport, body.window, nowMs);
    this.#confirmed = false;
    this.#delivery.goOn({ topic: '', epoch: body.epoch, offset: body.received });
    for (const cursor of body.topics) this.#delivery.goOn(cursor);
    const { pod, policy } = this.#options;
    const [{ epoch, offset, end }, ...topics] = this.#delivery.ranges as [TopicRange, ...TopicRange[]];
    const { watermark: received } = this;
    this.#transmit(link, { type: 'resumed', body: { token, epoch, pod, policy, received, offset, end, topics } });
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
      if (pulse === 'ping') this.#transmit(link, { type: 'ping', stamp: Math.floor(nowMs), ack: this.watermark });
    }
    this.#acknowledgeIfDue(link, nowMs);
  }

  /** The effects of all messages up to `watermark` are committed: they can be acknowledged. */
  handleCommitted(watermark: number, nowMs: number): void {
    const count = this.#intake.committed(watermark);
    const link = this.#link;
    if (count === 0 || !link) return;
    link.acks?.owe(count, 0, nowMs);
    this.#acknowledgeIfDue(link, nowMs);
  }

  /**
   * An entry was written to a stream just now: it goes out at once if it is next and the window is open. Give the epoch of the
   * stream, if it is known: another one than before means that history was lost.
   */
  handleEntry(topic: string, entry: LogEntry, epoch?: string): void {
    this.#settle(this.#delivery.entry(topic, entry, this.#link !== undefined, epoch));
  }

  /** A stream has grown, by another pod or in a way that only the log tells. */
  handleGrown(topic: string, end: number, epoch?: string): void {
    this.#settle(this.#delivery.grown(topic, end, epoch));
  }

  /** The answer to a `read`. Each is answered once, by this or by {@link handleReadFailed}. */
  handleSlice(topic: string, slice: LogSlice): void {
    if (!this.#link) return this.#delivery.readFailed(topic);
    this.#settle(this.#delivery.slice(topic, slice));
  }

  /** A read failed: it is tried again when something else happens. */
  handleReadFailed(topic: string): void {
    this.#delivery.readFailed(topic);
  }

  /** The session follows a topic from behind `offset`: committed. It has grown to `end` meanwhile. */
  handleSubscribed(topic: string, epoch: string, offset: number, end = offset): void {
    this.#delivery.subscribed(topic, epoch, offset, end);
    this.#pump();
  }

  handleUnsubscribed(topic: string): void {
    this.#delivery.unsubscribed(topic);
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
    this.#delivery.paused = !writable;
    if (!writable) return;
    if (this.#link && this.#owedPong !== undefined) {
      this.#transmit(this.#link, { type: 'pong', stamp: this.#owedPong, ack: this.watermark });
      this.#owedPong = undefined;
    }
    this.#pump();
  }

  // ----------------------------------------------------------------------------------------------------------- commands

  /** Sends past the log: to the client that is there now, or to nobody. Tells whether it went out. */
  volatile(payload: Payload): boolean {
    const link = this.#link;
    if (!link || link.phase === 'leaving' || !this.#delivery.allows(sizeOf(payload.data))) return false;
    this.#transmit(link, { type: 'v', data: payload.data, binary: payload.binary });
    return true;
  }

  /** Asks the client to attach elsewhere, at a random moment from `afterMs` on, within `withinMs`. */
  drain(afterMs: number, withinMs: number): void {
    if (this.#link) this.#transmit(this.#link, { type: 'drain', afterMs, withinMs });
  }

  /** Asks whether the client is there, when nothing is waiting to be heard anyway. */
  ping(nowMs: number): void {
    if (this.#link) this.#transmit(this.#link, { type: 'ping', stamp: Math.floor(nowMs), ack: this.watermark });
  }

  /** Gives the transport up, for a reason; the session stays. */
  hangUp(error: ErrorKind, detail = '', code = closeCodeOf(error), retryMs?: number): void {
    const link = this.#link;
    if (!link) return;
    this.#outputs.push({ type: 'hangup', transport: link.id, code, reason: closeReason(error, retryMs) });
    this.#detach(code, detail ? `${error.code} ${detail}` : error.code);
  }

  // ------------------------------------------------------------------------------------------------------------- frames

  #receive(link: Link, frame: Frame, nowMs: number): void {
    if (carriesAck(frame)) {
      const trouble = this.#delivery.acked('', frame.ack);
      if (trouble !== undefined) return this.#settle(trouble);
    }
    switch (frame.type) {
      case 'm':
      case 'r':
        return this.#arrived(link, frame, nowMs);
      case 'ack':
        for (const { topic, offset } of frame.topics) this.#delivery.acked(topic, offset);
        return;
      case 'ping':
        if (this.#delivery.paused) this.#owedPong = frame.stamp;
        else this.#transmit(link, { type: 'pong', stamp: frame.stamp, ack: this.watermark });
        return;
      case 'pong':
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
    const result = this.#intake.take(frame.n, frame.data);
    if (result === 'duplicate') return link.acks?.owe(1, 0, nowMs);
    if (result !== 'fresh') return this.hangUp(result, `${frame.n}`);
    const { n, data, binary } = frame;
    this.#outputs.push({ type: 'deliver', n, redelivered: frame.type === 'r', data, binary });
  }

  // ----------------------------------------------------------------------------------------------------------- delivery

  #pump(): void {
    const link = this.#link;
    if (!link || link.phase === 'leaving') return;
    this.#delivery.pump();
    if (this.#closing && !this.#saidBye && this.#delivery.isThrough) {
      this.#saidBye = true;
      this.#sayBye(link, this.#closing.code, this.#closing.reason);
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
    this.#transmit(link, { type: 'ack', ack: this.watermark, topics: [] });
  }

  #settle(outcome: Outcome): void {
    if (typeof outcome === 'object') this.hangUp(outcome.error, outcome.detail, outcome.code);
    else if (outcome) this.#pump();
  }

  #say(frame: Frame): void {
    if (this.#link) this.#transmit(this.#link, frame);
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
    this.#delivery.begin(window);
    this.#saidBye = false;
    this.#heardBye = false;
    this.#owedPong = undefined;
    this.#step('attach');
    return link;
  }

  #detach(code: number, reason: string): void {
    this.#link = undefined;
    this.#step('lost');
    this.#outputs.push({ type: 'detached', code, reason });
  }

  #step(event: ServerEvent): void {
    const state = next(SERVER_STATES, this.#state, event);
    if (state === undefined) throw new Error(`holdfast: ${event} in state ${this.#state}`);
    this.#state = state;
  }
}
