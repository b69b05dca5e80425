import {
  CLOSE,
  closeCodeOf,
  errors,
  HoldfastError,
  LIMITS,
  ServerSession,
  type ResumeBody,
  type ServerOutput,
  type ServerSessionOptions,
  type Window,
} from '@holdfast/protocol';
import { sessionStream, topicStream, type Entry, type SessionState, type Store, type StreamKey } from '@holdfast/store';
import { Backlog } from './backlog.js';
import type { Clock } from './clock.js';
import type { Committer, Done, PendingEffect, PendingPart, Writer } from './committer.js';
import { checkTopic } from './content.js';
import type { Deadlines, Due } from './deadlines.js';
import { InboundQueue, type Delivery } from './inbound-queue.js';
import type { Follower } from './topic-hub.js';
import type { Transport } from './transport.js';
import { userOf, userTopic } from './users.js';

/** What all sessions of a pod share. */
export interface PodContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly committer: Committer;
  readonly deadlines: Deadlines;
  readonly machine: ServerSessionOptions;
  /** A write that the network has not taken for this long marks a transport as dead. */
  readonly writeMs: number;
  /** Longest run of an asynchronous handler. */
  readonly executionMs: number;
  /** Feeds the topic to the session, from behind `from`. Returns its highest offset that is known here. */
  follow(session: PodSession, topic: string, from: number): number;
  unfollow(session: PodSession, topic: string): void;
  /** The session has something to do when the turn is over. */
  touch(session: PodSession): void;
  /** The session has no transport any more. */
  detached(): void;
  /** The pod holds the session no longer. */
  released(session: PodSession): void;
  /** A handler of the application threw, and its socket does not listen for errors. */
  handlerFailed(error: Error, session: PodSession): void;
}

/** How a pod loses a session that goes on or ends elsewhere. */
export type Loss = 'moved' | 'expired';

/** What the application sees of a session: the socket is told, and tells by calling the session's methods. */
export interface SessionView {
  handleMessage(delivery: Delivery): void;
  /** What an asynchronous handler has changed of the session's data, to be committed with its message. */
  takeData(): PendingEffect | undefined;
  /** That is being committed. */
  keepData(): void;
  /** That, and whatever else a handler has changed of the data without success, is taken back. */
  restoreData(): void;
  handleAttached(): void;
  handleDetached(code: number, reason: string): void;
  handlePong(): void;
  /** `why`, where neither end of the session has closed it. */
  handleClosed(code: number, reason: string, why?: Loss): void;
  /** False if the application does not listen for errors of this socket. */
  handleFailed(error: Error): boolean;
}

/** The code of a socket that closed without a closing handshake (RFC 6455, section 7.1.5). */
const NOT_CLEAN = 1006;

/** The wait after a read that failed. */
const READ_RETRY_MS = 250;

/** What a turn brings goes out as one write, up to this much: only what is written tells whether the client takes more. */
const GATHER_BYTES = 65_536;

/** What the clocks of two pods may differ by. */
const CLOCK_SKEW_MS = 1_000;

interface Closing {
  readonly code: number;
  readonly reason: string;
}

/**
 * A session in the hands of this pod: the driver of its machine. It joins the machine to the transport below, the store beside
 * it and the application's socket above.
 */
export class PodSession implements Writer, Due, Follower {
  readonly id: string;
  readonly machine: ServerSession;
  readonly inbound: InboundQueue;
  /** Sent by this pod and not acknowledged. */
  readonly backlog = new Backlog();
  /** Bytes sent by this pod that are on their way to the store. */
  pendingBytes = 0;
  /** The attachment epoch: under it this pod writes for the session. */
  epoch: number;
  view: SessionView | undefined;
  /** Topics that it follows, or has asked to follow. */
  readonly #wanted: Set<string>;
  readonly #context: PodContext;
  #transport: Transport | undefined;
  /** The transport before, until the machine has hung it up. */
  #replaced: Transport | undefined;
  /** Since when it has no transport, as far as this pod knows. */
  #awaySinceMs: number;
  /** The store has rejected what was written for it. */
  rejected = false;
  /** Its client has attached elsewhere, or has begun to. */
  hasMoved = false;
  #running = false;
  #gatheredBytes = 0;
  /** How the session ends, once somebody has said so. */
  #bye: Closing | undefined;
  #ending = false;
  /** Acknowledged since the store was last told; it is told with the next write, or when the transport is lost. */
  readonly #acked = new Map<string, number>();

  constructor(state: SessionState, context: PodContext) {
    this.id = state.id;
    this.epoch = state.epoch;
    this.#context = context;
    this.machine = new ServerSession(state, context.machine);
    this.inbound = new InboundQueue(this, context);
    this.#wanted = new Set(state.topics.map(({ topic }) => topic));
    this.#awaySinceMs = context.clock.wallMs();
    this.#bye = state.closing;
    for (const { topic, end } of state.topics) this.machine.handleGrown(topic, context.follow(this, topic, end));
  }

  get transport(): Transport | undefined {
    return this.#transport;
  }

  get attached(): boolean {
    return this.machine.state === 'attached';
  }

  /** Its life without a transport is over, as far as the clocks of pods agree. */
  get expired(): boolean {
    const { clock, machine } = this.#context;
    return !this.attached && clock.wallMs() - this.#awaySinceMs >= machine.policy.sessionMs - CLOCK_SKEW_MS;
  }

  get gone(): boolean {
    return this.machine.state === 'gone';
  }

  /** Whether the application is through with it: nothing more is delivered. */
  get over(): boolean {
    return this.#ending || this.gone;
  }

  get dueMs(): number {
    const stalledMs = this.#transport?.stalledSinceMs ?? Infinity;
    return Math.min(this.machine.dueMs, stalledMs + this.#context.writeMs);
  }

  handleDue(nowMs: number): void {
    const stalledMs = this.#transport?.stalledSinceMs ?? Infinity;
    if (nowMs >= stalledMs + this.#context.writeMs) this.machine.hangUp(errors.SLOW_WRITE);
    else this.machine.handleTimeout(nowMs);
    this.run();
  }

  // ---------------------------------------------------------------------------------------------------------- attaching

  welcome(transport: Transport, window: Window, token: string): void {
    this.machine.welcome(transport.id, window, token, this.#nowMs);
    this.#take(transport);
  }

  /** A transport has proved the token. `state` is the store's word, which may be newer than ours. */
  resume(transport: Transport, body: ResumeBody, token: string, state: SessionState): void {
    this.machine.refresh(state);
    this.machine.resume(transport.id, body, token, this.#nowMs);
    this.#context.committer.note(this, { detachedMs: null });
    this.#take(transport);
    if (this.attached) this.view?.handleAttached();
  }

  #take(transport: Transport): void {
    this.#replaced = this.#transport;
    this.#transport = transport;
    this.hasMoved = false;
    const { machine } = this;
    transport.onData = (data, binary) => {
      machine.handleData(transport.id, data, binary, this.#nowMs);
      this.run();
    };
    transport.onLost = (code, reason) => {
      machine.handleLost(transport.id, code, reason);
      this.run();
    };
    transport.onWritable = () => {
      machine.handleWritable(true);
      this.run();
    };
    // It may have gone while the store was asked.
    if (!transport.open) machine.handleLost(transport.id, 1006, '');
    this.run();
  }

  // ------------------------------------------------------------------------------------------------------ what happened

  /** Does what the machine asks for, until it asks for nothing more. */
  run(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      for (let output = this.machine.poll(); output; output = this.machine.poll()) this.#do(output);
    } finally {
      this.#transport?.flush();
      this.#running = false;
      this.#gatheredBytes = 0;
    }
    if (!this.gone) this.#context.deadlines.watch(this);
  }

  handleEntry(topic: string, entry: Entry): void {
    this.machine.handleEntry(topic, entry);
    this.#gatheredBytes += entry.data.length;
    if (this.#gatheredBytes < GATHER_BYTES) this.#context.touch(this);
    else this.run();
  }

  /** The effect of following a topic. Throws HF_TOPICS when it follows too many. */
  subscription(topic: string, done?: Done): PendingEffect {
    return this.#following(checkTopic(topic), done);
  }

  unsubscription(topic: string, done?: Done): PendingEffect {
    return this.#leaving(checkTopic(topic), done);
  }

  /** Whose session it is. */
  get user(): string | undefined {
    return userOf(this.#wanted);
  }

  /** The effects of belonging to this user from now on. Throws HF_USER or HF_TOPICS. */
  belonging(user: string | undefined): PendingEffect[] {
    const { user: before } = this;
    if (user === before) return [];
    const topic = user === undefined ? undefined : userTopic(user);
    const left = before === undefined ? [] : [this.#leaving(userTopic(before))];
    return topic === undefined ? left : [...left, this.#following(topic)];
  }

  #following(topic: string, done?: Done): PendingEffect {
    if (!this.#wanted.has(topic) && this.#wanted.size >= LIMITS.topics) throw new HoldfastError(errors.TOPICS);
    this.#wanted.add(topic);
    return {
      type: 'subscribe',
      ...this.#guard,
      topic,
      done: (error) => {
        if (error) this.#wanted.delete(topic);
        done?.(error);
      },
    };
  }

  #leaving(topic: string, done?: Done): PendingEffect {
    this.#wanted.delete(topic);
    return {
      type: 'unsubscribe',
      ...this.#guard,
      topic,
      done: (error) => {
        if (error) this.#wanted.add(topic);
        done?.(error);
      },
    };
  }

  subscribed(topic: string, epoch: string, offset: number): void {
    this.machine.handleSubscribed(topic, epoch, offset, this.#context.follow(this, topic, offset));
  }

  unsubscribed(topic: string): void {
    this.#context.unfollow(this, topic);
    this.machine.handleUnsubscribed(topic);
  }

  /** The store has taken a part that this session wrote. */
  committed(part: PendingPart): void {
    if (this.gone) return;
    if (part.watermark !== undefined) this.machine.handleCommitted(part.watermark, this.#nowMs);
    if (!part.end) return;
    const bye = this.#bye as Closing;
    // Nobody said goodbye to a session that was terminated: its client learns that it has ended, and not that it closed in order.
    const terminated = bye.code === NOT_CLEAN;
    this.#leave(() => (terminated ? this.machine.handleFenced(errors.EXPIRED) : this.machine.handleEnded()), bye);
  }

  closing(code: number, reason: string): void {
    this.#bye ??= { code, reason };
    this.machine.handleClosing(code, reason, this.#nowMs);
  }

  /** The session is someone else's, or is no more: nothing can be written for it here. */
  fenced(isGone = false): void {
    if (this.gone) return;
    const why = isGone || this.expired ? 'expired' : 'moved';
    const error = why === 'expired' ? errors.EXPIRED : errors.FENCED;
    const bye = { code: closeCodeOf(error), reason: error.code };
    this.hasMoved = why === 'moved';
    this.#leave(() => this.machine.handleFenced(error), bye, why);
  }

  /** The store takes what was written for it neither now nor later: it cannot go on, and must not come back to that. */
  reject(error: HoldfastError): void {
    if (this.gone) return;
    this.rejected = true;
    this.inbound.fail(error);
    const { id, epoch } = this;
    this.#context.committer.note({ id, epoch, pendingBytes: 0 }, { end: true });
    const { STORE_REJECTED } = errors;
    const bye = { code: closeCodeOf(STORE_REJECTED), reason: STORE_REJECTED.code };
    this.#leave(() => this.machine.handleFenced(STORE_REJECTED), bye);
  }

  /** Ends the session here and now: what was committed is delivered to nobody any more. */
  end(bye: Closing): void {
    if (this.over) return;
    this.#ending = true;
    this.#bye = bye;
    this.inbound.clear();
    this.#context.committer.note(this, { end: true });
  }

  /** All that the client has said was handled: its bye can be answered. */
  inboundDone(): void {
    if (this.#bye) this.end(this.#bye);
  }

  #leave(step: () => void, { code, reason }: Closing, why?: Loss): void {
    step();
    this.run();
    this.#context.deadlines.forget(this);
    this.inbound.clear();
    this.#context.released(this);
    this.view?.handleClosed(code, reason, why);
  }

  // --------------------------------------------------------------------------------------------------------- doing it

  #do(output: ServerOutput): void {
    const { committer } = this.#context;
    switch (output.type) {
      case 'transmit':
        return this.#transmit(output.transport, output.data, output.binary);
      case 'hangup':
        return this.#hangUp(output.transport, output.code, output.reason);
      case 'deliver':
        return this.inbound.push(output);
      case 'read':
        void this.#read(output.topic, output.after, output.messages, output.bytes);
        return;
      case 'confirm':
        return committer.note(this, { confirms: this.epoch });
      case 'acked':
        this.#acked.set(output.topic, output.offset);
        if (output.topic === '') this.backlog.acked(output.offset);
        return;
      case 'detached':
        this.#transport = undefined;
        this.hasMoved = output.code === CLOSE.moved;
        this.#awaySinceMs = this.#context.clock.wallMs();
        committer.note(this, { ...this.#takeAcked(), detachedMs: this.#awaySinceMs });
        this.view?.handleDetached(output.code, output.reason);
        return this.#context.detached();
      case 'pong':
        return this.view?.handlePong();
      case 'bye':
        this.#bye = { code: output.code, reason: output.reason };
        return this.inbound.finish();
      case 'told':
        return this.end(this.#bye as Closing);
    }
  }

  #transmit(transport: number, data: string | Uint8Array, binary: boolean): void {
    const current = this.#transport;
    if (current?.id !== transport) return;
    current.send(data, binary);
    if (current.full) this.machine.handleWritable(false);
  }

  #hangUp(id: number, code: number, reason: string): void {
    if (this.#replaced?.id === id) {
      this.#replaced.close(code, reason);
      this.#replaced = undefined;
    } else if (this.#transport?.id === id) {
      this.#transport.close(code, reason);
      this.#transport = undefined;
    }
  }

  async #read(topic: string, after: number, messages: number, bytes: number): Promise<void> {
    const slice = await this.#context.store
      .read(this.#stream(topic), after, { entries: messages, bytes })
      .catch(() => {});
    if (slice) {
      this.machine.handleSlice(topic, slice);
    } else {
      // The store is in trouble: look again when it has had time to recover.
      this.machine.handleReadFailed(topic);
      this.#context.clock.setTimeout(() => {
        this.machine.handleGrown(topic, 0);
        this.run();
      }, READ_RETRY_MS);
    }
    this.run();
  }

  #stream(topic: string): StreamKey {
    return topic === '' ? sessionStream(this.id) : topicStream(topic);
  }

  /** What the client has acknowledged since this was last asked, for the store. */
  #takeAcked(): { acked?: number; topicsAcked?: { topic: string; offset: number }[] } {
    const acked = this.#acked.get('');
    this.#acked.delete('');
    const topicsAcked = Array.from(this.#acked, ([topic, offset]) => ({ topic, offset }));
    this.#acked.clear();
    return { ...(acked !== undefined && { acked }), ...(topicsAcked.length > 0 && { topicsAcked }) };
  }

  /** Tells the store what the client has, so that the log can be cut. Called from time to time, since nothing hangs on it. */
  saveAcked(): void {
    if (this.#acked.size > 0 && !this.gone) this.#context.committer.note(this, this.#takeAcked());
  }

  /** The epoch is filled in when the batch is made. */
  get #guard(): { to: PodSession; session: string; epoch: number } {
    return { to: this, session: this.id, epoch: 0 };
  }

  get #nowMs(): number {
    return this.#context.clock.monotonicMs();
  }
}
