import type { ClientSessionOptions, Hint } from './client-options.js';
import type { ClientOutput, ClientStatistics } from './client-output.js';
import { CLOSE, closeCodeOf, closeReason, retryHint, verdictOf, type Verdict } from './close-codes.js';
import { decode } from './decode.js';
import { Connector } from './connector.js';
import { Dialer } from './dialer.js';
import { isFault, type ErrorKind } from './error.js';
import * as errors from './errors.js';
import { Fifo } from './fifo.js';
import type { Frame, FrameOf, Payload } from './frames.js';
import { LIMITS } from './limits.js';
import type { Link, TransportId } from './link.js';
import { CLIENT_STATES, next, type ClientEvent, type ClientState } from './states.js';
import { Traffic } from './traffic.js';
import { sizeOf } from './utf8.js';

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
  readonly #outputs = new Fifo<ClientOutput>();
  readonly #traffic: Traffic;
  #state: ClientState = 'connecting';
  #identity: Identity | undefined;
  #plain: TransportId | undefined;
  /** When the transport before was fenced, if it was: if the session is refused within its life, another one has it. */
  #fencedMs: number | undefined;
  #closing: { readonly code: number; readonly reason: string; readonly limitMs: number } | undefined;
  /** Our bye is on the transport of now. */
  #saidBye = false;
  #count = { transports: 0, recoveries: 0, moves: 0 };

  constructor(options: ClientSessionOptions) {
    this.#options = options;
    this.#dialer = new Dialer(options.limits, options.breaker, options.random);
    this.#connector = new Connector(this.#dialer, options.fallback);
    this.#traffic = new Traffic(this.#outputs, options.window);
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
    return this.#traffic.unsentBytes;
  }

  /** When {@link handleTimeout} wants to be called; Infinity for not at all. */
  get dueMs(): number {
    if (this.#state === 'closed') return Infinity;
    const { link } = this.#traffic;
    return Math.min(this.#connector.dueMs, link?.dueMs ?? Infinity, this.#closing?.limitMs ?? Infinity);
  }

  get statistics(): ClientStatistics {
    return { ...this.#count, attempts: this.#connector.attempts, ...this.#traffic.statistics };
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
   * Why a message of so many bytes would not be accepted, with others waiting to come before it that only the driver knows of. What
   * a plain transport holds is such; how large one message for a plain server may be is between the two.
   */
  refusal(bytes: number, aheadBytes: number, aheadMessages = 0): ErrorKind | undefined {
    const waitingBytes = aheadBytes + this.#traffic.waitingBytes;
    if (this.#plain === undefined && bytes > this.#traffic.policy.maxPayloadBytes) return errors.MESSAGE_TOO_LARGE;
    if (this.#plain !== undefined && waitingBytes === 0) return undefined;
    const waitingMessages = aheadMessages + this.#traffic.waitingMessages;
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
    this.#traffic.accept(payload, bytes);
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
    if (this.#traffic.link?.id === transport) this.#lost(code, reason, nowMs, retryMs);
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
    const waiting = this.#connector.candidate;
    if (waiting?.greetMs !== undefined && nowMs >= waiting.greetMs) this.#greet(waiting);
    const dial = this.#connector.dial(nowMs, this.#identity?.id);
    if (dial) this.#outputs.push(dial);
    this.#pump(nowMs);
    if (this.#traffic.check(nowMs) === 'dead') this.#died(nowMs);
  }

  handleHint(hint: Hint, nowMs: number): void {
    if (hint === 'offline') return this.#dialer.goOffline();
    if (hint === 'visible') this.#traffic.setPace('foreground', nowMs);
    if (hint === 'hidden') this.#traffic.setPace('background', nowMs);
    if (hint === 'hidden') return;
    this.#dialer.hurry(nowMs);
    this.#traffic.probe(this.#options.limits.pingMs, nowMs);
    this.handleTimeout(nowMs);
  }

  // -------------------------------------------------------------------------------------------------------- connections

  #greet(link: Link): void {
    const { window } = this.#options;
    const auth = this.#options.auth?.();
    const identity = this.#identity;
    const common = { window, ...(auth !== undefined && { auth }), again: true };
    link.greetMs = undefined;
    if (!identity) return this.#traffic.say({ type: 'hello', body: common }, link);
    const { id: session, token } = identity;
    const { attempts: attempt } = this.#connector;
    this.#traffic.say({ type: 'resume', body: { session, token, attempt, ...this.#traffic.cursors, ...common } }, link);
  }

  #degrade(transport: TransportId): void {
    this.#step('degraded');
    this.#plain = transport;
    for (const id of this.#connector.stop()) this.#hangUp(id, CLOSE.normal);
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
    if (verdict === 'anew' || verdict === 'never') return this.#refused(code, reason, nowMs);
    if (this.#isExhausted) return this.#giveUp();
    // The transport before this one was given up because this one was expected to take over.
    if (this.#state === 'open' && !this.#traffic.link) this.#interrupted(code, reason);
    this.#dialAgain(verdict, nowMs, retryMs);
  }

  /** While the transport of now works, trying to move to another costs nothing. */
  get #isExhausted(): boolean {
    return !this.#traffic.link && this.#dialer.failuresInARow >= this.#options.maxAttempts;
  }

  #giveUp(): void {
    const detail = `${this.#dialer.failuresInARow} attempts`;
    this.#outputs.push({ type: 'error', error: errors.UNREACHABLE, detail });
    this.#finish('refused', 1006, errors.UNREACHABLE.code, false);
  }

  /** What was behind a transport is gone, and something else is: it is attached to as by a new transport, on the same one. */
  #startOver(link: Link, { afterMs, withinMs }: FrameOf<'again'>, nowMs: number): void {
    const { candidate } = this.#connector;
    if (candidate && candidate !== link) {
      // A transport that is better than none is being made already.
      this.#hangUp(link.id, CLOSE.moved);
      return this.#lost(CLOSE.restart, '', nowMs);
    }
    if (!link.proved) this.#dialer.disproved();
    if (link === this.#traffic.link) this.#traffic.leave();
    this.#connector.startOver(link);
    if (this.#isExhausted) return this.#giveUp();
    const askedMs = afterMs + this.#options.random() * withinMs;
    const waitMs = this.#dialer.waitMs(askedMs, link.proved, this.#traffic.policy);
    link.startOver(nowMs + waitMs, nowMs + waitMs + this.#options.limits.handshakeMs);
    // Without a wait this is a move: the old one goes on until the answer is there, and nothing is interrupted.
    if (waitMs > 0 && this.#state === 'open' && !this.#traffic.link) this.#interrupted(CLOSE.restart, '');
    this.handleTimeout(nowMs);
  }

  #dialAgain(verdict: Verdict, nowMs: number, retryMs?: number): void {
    const { policy } = this.#traffic;
    this.#dialer.wantAgain(nowMs, policy, retryMs ?? (verdict === 'later' ? policy.retryMaxMs / 4 : 0));
  }

  /** The server will not go on with the session. If it has ended because we said so, all is well. */
  #refused(code: number, reason: string, nowMs: number): void {
    const isOver = code === CLOSE.expired;
    if (this.#closing && this.#saidBye && isOver && this.#traffic.waitingMessages === 0) {
      this.#finish('refused', this.#closing.code, this.#closing.reason, true);
    } else if (isOver && nowMs - (this.#fencedMs ?? -Infinity) < this.#traffic.policy.sessionMs) {
      this.#finish('refused', CLOSE.fenced, errors.FENCED.code, false);
    } else this.#finish('refused', code, reason, false);
  }

  /** The transport that carried the session is gone. */
  #lost(code: number, reason: string, nowMs: number, retryMs?: number): void {
    if (!this.#traffic.link?.proved) this.#dialer.disproved();
    this.#traffic.leave();
    this.#fencedMs = code === CLOSE.fenced ? nowMs : undefined;
    const verdict = verdictOf(code);
    if (verdict === 'anew' || verdict === 'never') return this.#refused(code, reason, nowMs);
    const { candidate } = this.#connector;
    // Our own resume has fenced the old transport: the new one is as good as there, and nothing was interrupted.
    if (this.#fencedMs !== undefined && candidate?.phase === 'greeting') return;
    this.#interrupted(code, reason);
    if (!candidate) this.#dialAgain(verdict, nowMs, retryMs);
  }

  #interrupted(code: number, reason: string): void {
    this.#step('lost');
    if (this.#state === 'recovering') this.#traffic.interrupted(code, reason);
  }

  /** The server has broken the protocol on a transport. The session itself is sound: it goes on from its cursors. */
  #broken(link: Link, error: ErrorKind, detail: string, nowMs: number): void {
    this.#outputs.push({ type: 'error', error, detail });
    this.#hangUp(link.id, closeCodeOf(error), error);
    if (link === this.#traffic.link) this.#lost(1006, error.code, nowMs);
    else this.#attemptFailed(1006, error.code, nowMs);
  }

  #died(nowMs: number): void {
    const link = this.#traffic.link as Link;
    this.#hangUp(link.id, CLOSE.silent, errors.SILENT);
    this.#lost(CLOSE.silent, errors.SILENT.code, nowMs);
  }

  #linkOf(transport: TransportId): Link | undefined {
    const { link } = this.#traffic;
    const { candidate } = this.#connector;
    return link?.id === transport ? link : candidate?.id === transport ? candidate : undefined;
  }

  // ------------------------------------------------------------------------------------------------------------- frames

  #receive(link: Link, frame: Frame, nowMs: number): void {
    switch (frame.type) {
      case 'welcome':
        return this.#welcomed(link, frame, nowMs);
      case 'resumed':
        return this.#resumed(link, frame, nowMs);
      case 'bye':
        return this.#farewell(frame);
      case 'again':
        return this.#startOver(link, frame, nowMs);
      case 'drain':
        // The new transport is made before the old one is left, at a moment of our own inside the window we were given.
        this.#dialer.want(nowMs + frame.afterMs + this.#options.random() * frame.withinMs);
        break;
      default: {
        const trouble = this.#traffic.receive(link, frame, nowMs);
        if (trouble) return this.#broken(link, trouble.fault, trouble.detail, nowMs);
      }
    }
    if (link.proved) return;
    link.proved = true;
    this.#dialer.proved();
  }

  #welcomed(link: Link, { body }: FrameOf<'welcome'>, nowMs: number): void {
    if (this.#identity) return this.#broken(link, errors.STATE, 'welcome', nowMs);
    this.#identity = { id: body.session, token: body.token, pod: body.pod };
    this.#traffic.begin(link, body.epoch, body.policy, nowMs);
    this.#attached();
    this.#step('welcomed');
    this.#outputs.push({ type: 'open', transport: link.id });
  }

  #resumed(link: Link, { body }: FrameOf<'resumed'>, nowMs: number): void {
    const identity = this.#identity;
    if (!identity) return this.#broken(link, errors.STATE, 'resumed', nowMs);
    // The token that was used is spent, whatever else is wrong.
    identity.token = body.token;
    const old = this.#traffic.link;
    const trouble = this.#traffic.resume(link, body, nowMs);
    if (trouble?.fault === errors.EXPIRED) return this.#refused(CLOSE.expired, errors.EXPIRED.code, nowMs);
    if (trouble) return this.#broken(link, trouble.fault, trouble.detail, nowMs);
    identity.pod = body.pod;
    this.#attached();
    if (old) this.#hangUp(old.id, CLOSE.moved);
    if (this.#state === 'open') {
      this.#count.moves++;
      this.#outputs.push({ type: 'moved', pod: body.pod });
    } else this.#count.recoveries++;
    this.#step('resumed');
    // Shows that we have the new token, so that the one before dies now.
    this.#traffic.acknowledge();
    this.#traffic.tellIfRecovered();
  }

  /** The candidate carries the session now. */
  #attached(): void {
    const spare = this.#connector.takeSpare();
    if (spare) this.#hangUp(spare.id, CLOSE.normal);
    this.#connector.accept();
    this.#fencedMs = undefined;
    this.#saidBye = false;
    this.#count.transports++;
  }

  #farewell({ code, reason }: FrameOf<'bye'>): void {
    if (this.#closing && this.#saidBye) {
      const { code: ownCode, reason: ownReason } = this.#closing;
      if (this.#traffic.waitingMessages === 0) return this.#finish('bye', ownCode, ownReason, true);
      // This is no answer: the server closed at the same time, and has not taken all that we had said before.
      return this.#finish('bye', code, reason, false);
    }
    this.#traffic.say({ type: 'bye', code, reason: '' });
    this.#finish('bye', code, reason, true);
  }

  // ------------------------------------------------------------------------------------------------------------ sending

  /** Transmits what may go out now. */
  #pump(nowMs: number): void {
    const { link } = this.#traffic;
    if (!link) return;
    if (link.phase !== 'leaving' && this.#traffic.sendMessages() && this.#closing) {
      this.#saidBye = true;
      this.#traffic.say({ type: 'bye', code: this.#closing.code, reason: this.#closing.reason });
    }
    this.#traffic.acknowledgeIfDue(nowMs);
  }

  // ------------------------------------------------------------------------------------------------------------- ending

  #hangUp(transport: TransportId, code: number, error?: ErrorKind): void {
    this.#outputs.push({ type: 'hangup', transport, code, reason: error ? closeReason(error) : '' });
  }

  #finish(event: ClientEvent, code: number, reason: string, wasClean: boolean): void {
    this.#step(event);
    for (const id of this.#connector.stop()) this.#hangUp(id, CLOSE.normal);
    const transport = this.#traffic.link?.id ?? this.#plain;
    if (transport !== undefined) this.#hangUp(transport, CLOSE.normal);
    this.#traffic.leave();
    this.#plain = undefined;
    this.#outputs.push({ type: 'close', code, reason, wasClean });
  }

  #step(event: ClientEvent): void {
    const state = next(CLIENT_STATES, this.#state, event);
    if (state === undefined) throw new Error(`holdfast: ${event} in state ${this.#state}`);
    this.#state = state;
  }
}
