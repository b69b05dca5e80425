import { AckClock } from './ack-clock.js';
import type { Random } from './backoff.js';
import type { CircuitBreaker } from './breaker.js';
import type { ClientOutput, ClientStatistics } from './client-output.js';
import { CLOSE, closeCodeOf, closeReason, retryHint, verdictOf } from './close-codes.js';
import { decode } from './decode.js';
import { encode } from './encode.js';
import { Connector } from './connector.js';
import { Dialer, type ConnectLimits } from './dialer.js';
import { isFault, type ErrorKind } from './error.js';
import * as errors from './errors.js';
import { Fifo } from './fifo.js';
import type { Frame, FrameOf, Pace, Payload, Window } from './frames.js';
import { Inbox } from './inbox.js';
import { LIMITS } from './limits.js';
import { carriesAck, Link, type TransportId } from './link.js';
import { Liveness, type Pulse } from './liveness.js';
import { Outbox } from './outbox.js';
import { DEFAULT_POLICY, type Policy } from './policy.js';
import { CLIENT_STATES, next, type ClientEvent, type ClientState } from './states.js';
import { sizeOf } from './utf8.js';

export interface ClientSessionOptions {
  readonly window: Window;
  readonly limits: ConnectLimits;
  /** Failed attempts in a row after which the client gives up; Infinity for never. */
  readonly maxAttempts: number;
  /** Bound on what is accepted and not acknowledged. */
  readonly maxBufferedBytes: number;
  /** Whether a server that does not speak holdfast.v1 is good enough. */
  readonly fallback: boolean;
  /** Shared by all sockets to one endpoint. */
  readonly breaker: CircuitBreaker;
  readonly random: Random;
  /** Asked at every attach, for the `auth` member of the first frame. */
  readonly auth?: () => string | undefined;
}

/** What happened outside that may have changed the network. */
export type Hint = 'online' | 'offline' | 'visible' | 'hidden' | 'woken';

interface Identity {
  readonly id: string;
  token: string;
  pod: string;
}

/**
 * The client's end of a session, without I/O. Its methods are of four kinds:
 *
 * - getters tell how things stand;
 * - `handle...` methods take in what happened: a transport opened, said something, was lost, a time has come;
 * - commands are what the application wants: `connect`, `send`, `close`;
 * - {@link poll} gives out what the driver must do. Call it until it returns undefined after every handler and command, then set
 *   a timer for {@link dueMs} and call {@link handleTimeout} when it fires.
 *
 * Time is milliseconds of any clock that never goes back. Calling a method never calls back into the application.
 */
export class ClientSession {
  readonly #options: ClientSessionOptions;
  readonly #dialer: Dialer;
  readonly #connector: Connector;
  readonly #outbox = new Outbox();
  readonly #inbox = new Inbox();
  readonly #outputs = new Fifo<ClientOutput>();
  #state: ClientState = 'connecting';
  #identity: Identity | undefined;
  #policy: Policy = DEFAULT_POLICY;
  #link: Link | undefined;
  #plain: TransportId | undefined;
  #pace: Pace = 'foreground';
  /** The transport of now may be fenced by a resume of our own. */
  #contested = false;
  #closing: { readonly code: number; readonly reason: string; readonly limitMs: number } | undefined;
  /** Our bye is on the transport of now. */
  #saidBye = false;
  /** Messages replayed since `recovering` was told; undefined when all is well. */
  #replayed: number | undefined;
  #count = {
    transports: 0,
    recoveries: 0,
    moves: 0,
    sent: 0,
    resent: 0,
    received: 0,
    replayed: 0,
    duplicates: 0,
    missing: 0,
  };
  #rttMs: number | undefined;

  constructor(options: ClientSessionOptions) {
    this.#options = options;
    this.#dialer = new Dialer(options.limits, options.breaker, options.random);
    this.#connector = new Connector(this.#dialer, options.fallback);
  }

  // ------------------------------------------------------------------------------------------------------------ getters

  get state(): ClientState {
    return this.#state;
  }

  /** The public id; undefined before the welcome. */
  get id(): string | undefined {
    return this.#identity?.id;
  }

  get pod(): string | undefined {
    return this.#identity?.pod;
  }

  /** Bytes accepted by {@link send} that no live transport has taken. */
  get bufferedBytes(): number {
    return this.#outbox.unsentBytes;
  }

  /** When {@link handleTimeout} wants to be called; Infinity for not at all. */
  get dueMs(): number {
    if (this.#state === 'closed') return Infinity;
    return Math.min(this.#connector.dueMs, this.#link?.dueMs ?? Infinity, this.#closing?.limitMs ?? Infinity);
  }

  get statistics(): ClientStatistics {
    return {
      ...this.#count,
      attempts: this.#connector.attempts,
      rttMs: this.#rttMs,
      waitingMessages: this.#outbox.messages,
      waitingBytes: this.#outbox.bytes,
    };
  }

  poll(): ClientOutput | undefined {
    return this.#outputs.shift();
  }

  // ----------------------------------------------------------------------------------------------------------- commands

  connect(nowMs: number): void {
    this.#dialer.want(nowMs);
    this.handleTimeout(nowMs);
  }

  /**
   * Why a message of so many bytes would not be accepted, with others waiting to come before it that only the driver knows of. What a plain transport holds is such; how large one message for a plain server may be is between the two.
   */
  refusal(bytes: number, aheadBytes: number, aheadMessages = 0): ErrorKind | undefined {
    const waitingBytes = aheadBytes + this.#outbox.bytes;
    if (this.#plain === undefined && bytes > this.#policy.maxPayloadBytes) return errors.MESSAGE_TOO_LARGE;
    if (this.#plain !== undefined && waitingBytes === 0) return undefined;
    const waitingMessages = aheadMessages + this.#outbox.messages;
    const isFull = waitingBytes + bytes > this.#options.maxBufferedBytes || waitingMessages >= LIMITS.waitingMessages;
    return isFull ? errors.BUFFER_FULL : undefined;
  }

  /** Accepts a message, or says why not. What is accepted is delivered, or its loss is told by the close. */
  send(payload: Payload, nowMs: number): ErrorKind | undefined {
    if (this.#state === 'closed') return errors.ENDED;
    if (this.#plain !== undefined) {
      this.#outputs.push({ type: 'transmit', transport: this.#plain, ...payload });
      return undefined;
    }
    const bytes = sizeOf(payload.data);
    const refusal = this.refusal(bytes, 0);
    if (refusal) return refusal;
    this.#outbox.push(payload, bytes);
    this.#pump(nowMs);
    return undefined;
  }

  /** Ends the session once everything accepted has been sent, or after the limit. */
  close(code: number, reason: string, nowMs: number): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    if (this.#state === 'connecting') return this.#finish('close', 1006, '', false);
    this.#step('close');
    this.#closing = { code, reason, limitMs: nowMs + this.#options.limits.closeMs };
    if (this.#plain !== undefined) this.#outputs.push({ type: 'shut', transport: this.#plain, code, reason });
    else this.#pump(nowMs);
  }

  // ----------------------------------------------------------------------------------------------------------- handlers

  /** The transport has opened; `holdfast` tells whether the server agreed to holdfast.v1. */
  handleOpen(transport: TransportId, holdfast: boolean, nowMs: number): void {
    const candidate = this.#connector.candidate;
    if (candidate?.id !== transport) return;
    if (!holdfast && (this.#identity || !this.#options.fallback)) {
      this.#hangUp(transport, CLOSE.normal);
      return this.#attemptFailed(1006, '', nowMs);
    }
    const opened = this.#connector.opened(holdfast, nowMs + this.#options.limits.handshakeMs, nowMs);
    if (opened === 'degrade') this.#degrade(this.#connector.accept().id);
    if (opened === 'greet') this.#greet(candidate);
    this.handleTimeout(nowMs);
  }

  handleData(transport: TransportId, data: string | Uint8Array, binary: boolean, nowMs: number): void {
    if (transport === this.#plain) {
      this.#outputs.push({ type: 'message', data, binary });
      return;
    }
    if (this.#connector.isSpare(transport)) {
      const spare = this.#connector.heard(transport, { data, binary });
      if (spare) this.#believe(spare);
      return;
    }
    const link = this.#linkOf(transport);
    if (!link) return;
    link.liveness?.heard(nowMs);
    const frame = decode(data, binary);
    if (isFault(frame)) return this.#broken(link, frame.fault, frame.detail, nowMs);
    if (!link.carries(frame.type, 'server')) return this.#broken(link, errors.STATE, frame.type, nowMs);
    this.#receive(link, frame, nowMs);
    if (link !== this.#link) return;
    if (frame.type !== 'welcome' && frame.type !== 'resumed') this.#proved(link);
    this.#pump(nowMs);
  }

  /** The transport has closed or failed; 1006 where there is no better code. `retryMs` is what the server asked for. */
  handleLost(transport: TransportId, code: number, reason: string, nowMs: number, retryMs = retryHint(reason)): void {
    if (transport === this.#plain) {
      this.#plain = undefined;
      return this.#finish('gone', code, reason, code !== 1006);
    }
    if (this.#connector.isSpare(transport)) {
      this.#connector.takeSpare();
      return;
    }
    if (this.#connector.candidate?.id === transport) return this.#attemptFailed(code, reason, nowMs, retryMs);
    if (this.#link?.id === transport) this.#lost(code, reason, nowMs, retryMs);
  }

  /** The server is there and knows no subprotocol at all. */
  handlePlainServer(transport: TransportId, nowMs: number): void {
    if (this.#connector.candidate?.id !== transport) return;
    if (this.#identity || !this.#options.fallback) return this.#attemptFailed(1006, '', nowMs);
    this.#connector.knowPlain(nowMs);
    this.handleTimeout(nowMs);
  }

  handleTimeout(nowMs: number): void {
    if (this.#state === 'closed') return;
    if (this.#closing && nowMs >= this.#closing.limitMs) return this.#finish('expired', 1006, '', false);
    const candidate = this.#connector.candidate;
    if (candidate?.limitMs !== undefined && nowMs >= candidate.limitMs) {
      this.#hangUp(candidate.id, CLOSE.handshake, errors.HANDSHAKE);
      this.#attemptFailed(1006, '', nowMs);
    }
    const dial = this.#connector.dial(nowMs, this.#identity?.id);
    if (dial) this.#outputs.push(dial);
    this.#pump(nowMs);
    const link = this.#link;
    if (link?.liveness && nowMs >= link.liveness.dueMs) this.#pulse(link, link.liveness.check(nowMs), nowMs);
  }

  handleHint(hint: Hint, nowMs: number): void {
    if (hint === 'offline') return this.#dialer.goOffline();
    if (hint === 'visible' || hint === 'hidden') this.#setPace(hint === 'hidden' ? 'background' : 'foreground', nowMs);
    if (hint === 'hidden') return;
    this.#dialer.hurry(nowMs);
    if (this.#link?.liveness) {
      this.#pulse(this.#link, this.#link.liveness.probe(this.#options.limits.pingMs, nowMs), nowMs);
    }
    this.handleTimeout(nowMs);
  }

  // -------------------------------------------------------------------------------------------------------- connections

  #greet(link: Link): void {
    const { window } = this.#options;
    const auth = this.#options.auth?.();
    const identity = this.#identity;
    if (!identity)
      return this.#transmit(link, { type: 'hello', body: { window, ...(auth !== undefined && { auth }) } });
    this.#contested = true;
    this.#transmit(link, {
      type: 'resume',
      body: {
        session: identity.id,
        token: identity.token,
        attempt: this.#connector.attempts,
        epoch: this.#inbox.epoch,
        received: this.#inbox.offset,
        topics: this.#inbox.topics,
        window,
        ...(auth !== undefined && { auth }),
      },
    });
  }

  #degrade(transport: TransportId): void {
    this.#step('degraded');
    this.#plain = transport;
    for (const id of this.#connector.stop())
      this.#outputs.push({ type: 'hangup', transport: id, code: 1000, reason: '' });
    this.#outputs.push({ type: 'open', transport });
  }

  #believe(spare: { readonly id: TransportId; readonly said: readonly Payload[] }): void {
    this.#degrade(spare.id);
    for (const payload of spare.said) this.#outputs.push({ type: 'message', ...payload });
  }

  #attemptFailed(code: number, reason: string, nowMs: number, retryMs?: number): void {
    const spare = this.#connector.failed(nowMs, !this.#identity);
    if (spare) return this.#believe(spare);
    const verdict = verdictOf(code);
    if (verdict === 'anew' || verdict === 'never') return this.#refused(code, reason);
    if (this.#dialer.failuresInARow >= this.#options.maxAttempts) {
      this.#outputs.push({
        type: 'error',
        error: errors.UNREACHABLE,
        detail: `${this.#dialer.failuresInARow} attempts`,
      });
      return this.#finish('refused', 1006, errors.UNREACHABLE.code, false);
    }
    this.#dialer.wantAgain(
      nowMs,
      this.#policy,
      verdict === 'later' ? (retryMs ?? this.#policy.retryMaxMs / 4) : retryMs,
    );
  }

  /** The server will not go on with the session. If it has ended because we said so, all is well. */
  #refused(code: number, reason: string): void {
    const asAsked = this.#closing && this.#saidBye && code === CLOSE.expired && this.#outbox.messages === 0;
    if (this.#closing && asAsked) this.#finish('refused', this.#closing.code, this.#closing.reason, true);
    else this.#finish('refused', code, reason, false);
  }

  /** The transport of now works. */
  #proved(link: Link): void {
    if (link.proved) return;
    link.proved = true;
    this.#dialer.proved();
  }

  /** The transport that carried the session is gone. */
  #lost(code: number, reason: string, nowMs: number, retryMs?: number): void {
    if (!this.#link?.proved) this.#dialer.disproved();
    this.#link = undefined;
    this.#outbox.rewind();
    const verdict = code === CLOSE.fenced && this.#contested ? 'resume' : verdictOf(code);
    if (verdict === 'anew' || verdict === 'never') return this.#refused(code, reason);
    this.#step('lost');
    if (this.#state === 'recovering' && this.#replayed === undefined) {
      this.#replayed = 0;
      this.#outputs.push({ type: 'recovering', code, reason });
    }
    if (!this.#connector.candidate) {
      this.#dialer.wantAgain(
        nowMs,
        this.#policy,
        verdict === 'later' ? (retryMs ?? this.#policy.retryMaxMs / 4) : retryMs,
      );
    }
  }

  /** The server has broken the protocol on a transport. The session itself is sound: it goes on from its cursors. */
  #broken(link: Link, error: ErrorKind, detail: string, nowMs: number): void {
    this.#outputs.push({ type: 'error', error, detail });
    this.#hangUp(link.id, closeCodeOf(error), error);
    if (link === this.#link) this.#lost(1006, error.code, nowMs);
    else this.#attemptFailed(1006, error.code, nowMs);
  }

  #pulse(link: Link, pulse: Pulse, nowMs: number): void {
    if (pulse === 'ping') this.#transmit(link, { type: 'ping', stamp: Math.floor(nowMs), ack: this.#inbox.ack });
    if (pulse !== 'dead') return;
    this.#hangUp(link.id, CLOSE.silent, errors.SILENT);
    this.#lost(CLOSE.silent, errors.SILENT.code, nowMs);
  }

  #setPace(pace: Pace, nowMs: number): void {
    if (pace === this.#pace) return;
    this.#pace = pace;
    const link = this.#link;
    if (!link) return;
    link.liveness?.setBeat(this.#beat, nowMs);
    this.#transmit(link, { type: 'pace', pace });
  }

  get #beat(): { pingMs: number; deadMs: number } {
    const { pingMs, deadMs, backgroundPingMs, backgroundDeadMs } = this.#policy;
    return this.#pace === 'foreground' ? { pingMs, deadMs } : { pingMs: backgroundPingMs, deadMs: backgroundDeadMs };
  }

  #linkOf(transport: TransportId): Link | undefined {
    const candidate = this.#connector.candidate;
    return this.#link?.id === transport ? this.#link : candidate?.id === transport ? candidate : undefined;
  }

  // ------------------------------------------------------------------------------------------------------------- frames

  #receive(link: Link, frame: Frame, nowMs: number): void {
    if (
      (frame.type === 'm' || frame.type === 'ack' || frame.type === 'ping' || frame.type === 'pong') &&
      carriesAck(frame)
    ) {
      if (!this.#outbox.ack(frame.ack)) return this.#broken(link, errors.ACK, `${frame.ack}`, nowMs);
    }
    switch (frame.type) {
      case 'welcome':
        return this.#welcomed(frame, nowMs);
      case 'resumed':
        return this.#resumed(frame, nowMs);
      case 'm':
        return this.#arrived(link, '', frame.n, frame, nowMs);
      case 't':
        return this.#arrived(link, frame.topic, frame.n, frame, nowMs);
      case 'v':
        this.#count.received++;
        this.#outputs.push({ type: 'message', data: frame.data, binary: frame.binary });
        return;
      case 'sub':
        if (!this.#inbox.subscribed(frame.topic, frame.epoch, frame.n)) {
          return this.#broken(link, errors.TOPICS, '', nowMs);
        }
        return this.#recoveredIfComplete();
      case 'unsub':
        this.#inbox.unsubscribed(frame.topic);
        return this.#recoveredIfComplete();
      case 'gap':
        return this.#skipped(link, frame, nowMs);
      case 'ping':
        return this.#transmit(link, { type: 'pong', stamp: frame.stamp, ack: this.#inbox.ack });
      case 'pong':
        this.#rttMs = Math.max(0, Math.floor(nowMs) - frame.stamp);
        return;
      case 'drain':
        // The new transport is made before the old one is left, at a moment of our own inside the window we were given.
        this.#dialer.want(nowMs + frame.afterMs + this.#options.random() * frame.withinMs);
        return;
      case 'bye':
        return this.#farewell(link, frame);
      default:
        return;
    }
  }

  #welcomed({ body }: FrameOf<'welcome'>, nowMs: number): void {
    if (this.#identity) return this.#broken(this.#connector.candidate as Link, errors.STATE, 'welcome', nowMs);
    this.#identity = { id: body.session, token: body.token, pod: body.pod };
    this.#inbox.begin(body.epoch);
    this.#attach(body.policy, 0, nowMs);
    this.#step('welcomed');
    this.#outputs.push({ type: 'open', transport: (this.#link as Link).id });
  }

  #resumed({ body }: FrameOf<'resumed'>, nowMs: number): void {
    const identity = this.#identity;
    if (!identity) return this.#broken(this.#connector.candidate as Link, errors.STATE, 'resumed', nowMs);
    // Spent tokens are dead: what comes now may be wrong in all else.
    identity.token = body.token;
    const candidate = this.#connector.candidate as Link;
    const { received } = body;
    if (received > this.#outbox.everSent) return this.#broken(candidate, errors.ACK, `${received}`, nowMs);
    if (received < this.#outbox.acked) return this.#refused(CLOSE.expired, errors.EXPIRED.code);
    if (!this.#inbox.resume(body.epoch, body.offset, body.end, body.topics)) {
      return this.#broken(candidate, errors.ORDER, `resumed ${body.offset}`, nowMs);
    }
    identity.pod = body.pod;
    const old = this.#link;
    this.#attach(body.policy, received, nowMs);
    if (old) {
      this.#count.moves++;
      this.#outputs.push({ type: 'moved', pod: body.pod });
      this.#hangUp(old.id, CLOSE.moved);
    } else {
      this.#count.recoveries++;
    }
    this.#step('resumed');
    // Shows that we have the new token, so that the one before dies now.
    this.#acknowledge(this.#link as Link);
    this.#recoveredIfComplete();
  }

  /** Makes the candidate the transport of the session. */
  #attach(policy: Policy, received: number, nowMs: number): void {
    const spare = this.#connector.takeSpare();
    if (spare) this.#hangUp(spare.id, CLOSE.normal);
    const link = this.#connector.accept();
    link.limitMs = undefined;
    this.#policy = policy;
    link.liveness = new Liveness(this.#beat, nowMs);
    link.acks = new AckClock(policy.ackMs, this.#options.window);
    this.#link = link;
    this.#contested = false;
    this.#saidBye = false;
    this.#count.transports++;
    this.#outbox.begin(policy.window, received);
    if (this.#pace === 'background') this.#transmit(link, { type: 'pace', pace: 'background' });
  }

  #arrived(link: Link, topic: string, n: number, payload: Payload, nowMs: number): void {
    const wasReplay = this.#inbox.replaying;
    const arrival = this.#inbox.accept(topic, n);
    if (arrival === 'hole') return this.#broken(link, errors.ORDER, `${topic} ${n}`, nowMs);
    // A topic that we have just left may still be on its way to us.
    if (arrival === 'unknown') return;
    link.acks?.owe(1, sizeOf(payload.data), nowMs);
    if (arrival === 'duplicate') {
      this.#count.duplicates++;
      return;
    }
    this.#count.received++;
    if (wasReplay) {
      this.#count.replayed++;
      if (this.#replayed !== undefined) this.#replayed++;
    }
    this.#outputs.push({
      type: 'message',
      data: payload.data,
      binary: payload.binary,
      ...(topic !== '' && { topic }),
    });
    this.#recoveredIfComplete();
  }

  #skipped(link: Link, frame: FrameOf<'gap'>, nowMs: number): void {
    const { topic, from, to, epoch } = frame;
    const skipped = this.#inbox.skip(topic, from, to, epoch);
    if (skipped === 'hole') return this.#broken(link, errors.ORDER, `gap ${topic} ${from}`, nowMs);
    if (skipped === 'unknown') return;
    link.acks?.owe(1, 0, nowMs);
    if (skipped === 'duplicate') return;
    if (skipped.from > 0) this.#count.missing += to - skipped.from + 1;
    this.#outputs.push({ type: 'gap', topic, from: skipped.from, to });
    this.#recoveredIfComplete();
  }

  #recoveredIfComplete(): void {
    if (this.#replayed === undefined || this.#inbox.replaying || !this.#link) return;
    this.#outputs.push({ type: 'recovered', replayed: this.#replayed });
    this.#replayed = undefined;
  }

  #farewell(link: Link, { code, reason }: FrameOf<'bye'>): void {
    if (this.#closing && this.#saidBye) {
      if (this.#outbox.messages === 0) return this.#finish('bye', this.#closing.code, this.#closing.reason, true);
      // This is no answer: the server closed at the same time, and has not taken all that we had said before.
      return this.#finish('bye', code, reason, false);
    }
    this.#transmit(link, { type: 'bye', code, reason: '' });
    this.#finish('bye', code, reason, true);
  }

  // ------------------------------------------------------------------------------------------------------------ sending

  /** Transmits what may go out now. */
  #pump(nowMs: number): void {
    const link = this.#link;
    if (!link) return;
    if (link.phase !== 'leaving') this.#pumpMessages(link);
    if (link.acks?.dueMs !== undefined && nowMs >= link.acks.dueMs) this.#acknowledge(link);
  }

  #pumpMessages(link: Link): void {
    for (let message = this.#outbox.next(); message; message = this.#outbox.next()) {
      if (message.again) this.#count.resent++;
      else this.#count.sent++;
      this.#transmit(link, {
        type: message.again ? 'r' : 'm',
        n: message.n,
        ack: this.#inbox.ack,
        data: message.data,
        binary: message.binary,
      });
    }
    if (this.#closing && this.#outbox.allSent) {
      this.#saidBye = true;
      this.#transmit(link, { type: 'bye', code: this.#closing.code, reason: this.#closing.reason });
    }
  }

  #acknowledge(link: Link): void {
    do {
      this.#transmit(link, { type: 'ack', ack: this.#inbox.ack, topics: this.#inbox.takeAcks() });
    } while (this.#inbox.owesTopics);
  }

  #transmit(link: Link, frame: Frame): void {
    if (!link.carries(frame.type, 'client')) return;
    if (carriesAck(frame) && !this.#inbox.owesTopics) link.acks?.paid();
    const { data, binary } = encode(frame);
    this.#outputs.push({ type: 'transmit', transport: link.id, data, binary });
  }

  // ------------------------------------------------------------------------------------------------------------- ending

  #hangUp(transport: TransportId, code: number, error?: ErrorKind): void {
    this.#outputs.push({ type: 'hangup', transport, code, reason: error ? closeReason(error) : '' });
  }

  #finish(event: ClientEvent, code: number, reason: string, wasClean: boolean): void {
    this.#step(event);
    for (const id of this.#connector.stop()) this.#hangUp(id, CLOSE.normal);
    const transport = this.#link?.id ?? this.#plain;
    if (transport !== undefined) this.#hangUp(transport, CLOSE.normal);
    this.#link = undefined;
    this.#plain = undefined;
    this.#outputs.push({ type: 'close', code, reason, wasClean });
  }

  #step(event: ClientEvent): void {
    const state = next(CLIENT_STATES, this.#state, event);
    if (state === undefined) throw new Error(`holdfast: ${event} in state ${this.#state}`);
    this.#state = state;
  }
}
