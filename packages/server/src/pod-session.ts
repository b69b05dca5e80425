import {
  closeCodeOf,
  errors,
  ServerSession,
  type ErrorKind,
  type ResumeBody,
  type ServerOutput,
  type ServerSessionOptions,
  type Window,
} from '@holdfast/protocol';
import { sessionStream, topicStream, type SessionState, type Store, type StreamKey } from '@holdfast/store';
import { Backlog } from './backlog.js';
import type { Clock } from './clock.js';
import type { Committer, PendingPart, Writer } from './committer.js';
import type { Deadlines, Due } from './deadlines.js';
import { InboundQueue, type Delivery } from './inbound-queue.js';
import type { Transport } from './transport.js';

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
  follow(session: PodSession, topic: string): void;
  unfollow(session: PodSession, topic: string): void;
  /** The pod holds the session no longer. */
  released(session: PodSession): void;
  /** A handler of the application threw, and its socket does not listen for errors. */
  handlerFailed(error: Error, session: PodSession): void;
}

/** What the application sees of a session: the socket is told, and tells by calling the session's methods. */
export interface SessionView {
  handleMessage(delivery: Delivery): void;
  handleAttached(): void;
  handleDetached(code: number, reason: string): void;
  handlePong(): void;
  handleClosed(code: number, reason: string): void;
  /** False if the application does not listen for errors of this socket. */
  handleFailed(error: Error): boolean;
}

/** What is read of a stream at once. A session that is far behind reads again when the client has acknowledged. */
const READ_ENTRIES = 256;
const READ_BYTES = 1_048_576;
const READ_RETRY_MS = 250;

/**
 * A session in the hands of this pod: the driver of its machine. It joins the machine to the transport below, the store beside
 * it and the application's socket above.
 */
export class PodSession implements Writer, Due {
  readonly id: string;
  readonly machine: ServerSession;
  readonly inbound: InboundQueue;
  /** Sent by this pod and not acknowledged. */
  readonly backlog = new Backlog();
  /** The attachment epoch: under it this pod writes for the session. */
  epoch: number;
  view: SessionView | undefined;
  readonly #context: PodContext;
  #transport: Transport | undefined;
  #running = false;
  #bye: { readonly code: number; readonly reason: string } | undefined;
  #ending = false;
  /** Acknowledged since the store was last told; it is told with the next write, or when the transport is lost. */
  readonly #acked = new Map<string, number>();

  constructor(state: SessionState, context: PodContext) {
    this.id = state.id;
    this.epoch = state.epoch;
    this.#context = context;
    this.machine = new ServerSession(state, context.machine);
    this.inbound = new InboundQueue(this, context);
    for (const { topic } of state.topics) context.follow(this, topic);
  }

  get transport(): Transport | undefined {
    return this.#transport;
  }

  get gone(): boolean {
    return this.machine.state === 'gone';
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
    this.#take(transport);
    this.machine.welcome(transport.id, window, token, this.#nowMs);
    this.run();
  }

  /** A transport has proved the token. `state` is the store's word, which may be newer than ours. */
  resume(transport: Transport, body: ResumeBody, token: string, state: SessionState): void {
    const old = this.#transport;
    this.machine.refresh(state);
    this.machine.resume(transport.id, body, token, this.#nowMs);
    // The machine hangs the old transport up, if there is one: that output is for it.
    if (old) this.run();
    this.#take(transport);
    this.#context.committer.note(this, { detachedMs: null });
    this.run();
    this.view?.handleAttached();
  }

  #take(transport: Transport): void {
    this.#transport = transport;
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
    if (!transport.open) transport.onLost(1006, '');
  }

  // ------------------------------------------------------------------------------------------------------ what happened

  /** Does what the machine asks for, until it asks for nothing more. */
  run(): void {
    if (this.#running) return;
    this.#running = true;
    const transport = this.#transport;
    transport?.cork();
    for (let output = this.machine.poll(); output; output = this.machine.poll()) this.#do(output);
    transport?.uncork();
    this.#running = false;
    if (!this.gone) this.#context.deadlines.watch(this);
  }

  /** The store has taken a part that this session wrote. */
  committed(part: PendingPart): void {
    if (this.gone) return;
    if (part.watermark !== undefined) this.machine.handleCommitted(part.watermark, this.#nowMs);
    if (part.end) this.#leave(() => this.machine.handleEnded(), this.#bye ?? { code: 1006, reason: '' });
  }

  closing(code: number, reason: string): void {
    if (!this.gone) this.machine.handleClosing(code, reason, this.#nowMs);
  }

  /** The session is someone else's, or is no more: nothing can be written for it here. */
  fenced(error: ErrorKind = errors.FENCED): void {
    if (this.gone) return;
    this.#leave(() => this.machine.handleFenced(error), { code: closeCodeOf(error), reason: error.code });
  }

  /** Ends the session here and now: what was committed is delivered to nobody any more. */
  end(bye: { readonly code: number; readonly reason: string }): void {
    if (this.#ending || this.gone) return;
    this.#ending = true;
    this.#bye = bye;
    this.#context.committer.note(this, { end: true });
  }

  /** All that the client has said was handled: its bye can be answered. */
  inboundDone(): void {
    if (this.#bye) this.end(this.#bye);
  }

  #leave(step: () => void, { code, reason }: { readonly code: number; readonly reason: string }): void {
    step();
    this.run();
    this.#context.deadlines.forget(this);
    this.inbound.clear();
    this.#context.released(this);
    this.view?.handleClosed(code, reason);
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
        return committer.note(this, { confirm: true });
      case 'acked':
        this.#acked.set(output.topic, output.offset);
        if (output.topic === '') this.backlog.acked(output.offset);
        return;
      case 'detached':
        this.#transport = undefined;
        committer.note(this, { ...this.#takeAcked(), detachedMs: this.#context.clock.wallMs() });
        return this.view?.handleDetached(output.code, output.reason);
      case 'pong':
        return this.view?.handlePong();
      case 'bye':
        this.#bye = { code: output.code, reason: output.reason };
        return this.inbound.finish();
      case 'told':
        return this.end(this.#bye ?? { code: 1005, reason: '' });
    }
  }

  #transmit(transport: number, data: string | Uint8Array, binary: boolean): void {
    const current = this.#transport;
    if (current?.id !== transport) return;
    current.send(data, binary);
    if (current.full) this.machine.handleWritable(false);
  }

  #hangUp(transport: number, code: number, reason: string): void {
    if (this.#transport?.id !== transport) return;
    this.#transport.uncork();
    this.#transport.close(code, reason);
    this.#transport = undefined;
  }

  async #read(topic: string, after: number, messages: number, bytes: number): Promise<void> {
    const limit = {
      entries: Math.min(Math.max(messages, 1), READ_ENTRIES),
      bytes: Math.min(Math.max(bytes, 1), READ_BYTES),
    };
    try {
      const slice = await this.#context.store.read(this.#stream(topic), after, limit);
      this.machine.handleSlice(topic, slice);
    } catch {
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

  get #nowMs(): number {
    return this.#context.clock.monotonicMs();
  }
}
