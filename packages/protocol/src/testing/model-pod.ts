import type { Random } from '../backoff.js';
import { CLOSE, closeCodeOf, closeReason } from '../close-codes.js';
import { decode } from '../decode.js';
import { isFault } from '../error.js';
import * as errors from '../errors.js';
import type { ResumeBody } from '../frames.js';
import type { Policy } from '../policy.js';
import type { LogEntry, ServerOutput } from '../server-output.js';
import { ServerSession } from '../server-session.js';
import { textOf } from '../utf8.js';
import type { Judge } from './judge.js';
import type { ModelLink } from './model-link.js';
import { ModelProcess } from './model-process.js';
import type { ModelSession, ModelStore } from './model-store.js';
import type { Timeline } from './timeline.js';

/** How long something takes: at least and at most. */
export type Span = readonly [number, number];

export interface PodOptions {
  readonly name: string;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly store: ModelStore;
  readonly policy: Policy;
  readonly closeMs: number;
  /** From the end of a turn until its effects are committed, for a read, and for an attach. */
  readonly storeMs: Span;
  /** Is told from where topics are followed. */
  readonly judge: Judge;
  /** A pod has taken a session over: whoever held it is told, or may be. */
  readonly fenced: (session: string, by: ModelPod, isTold: boolean) => void;
}

/** A session that the pod holds, and what it has done for it in this turn. */
interface Held {
  readonly machine: ServerSession;
  readonly session: ModelSession;
  fence: number;
  pending: { n: number; text: string }[];
  acked: Map<string, number>;
  confirm: boolean;
  end: boolean;
  committing: boolean;
}

/** A small server: it takes links, holds session machines over the model store, and commits at the end of each turn. */
export class ModelPod {
  readonly name: string;
  readonly process: ModelProcess;
  readonly #options: PodOptions;
  readonly #held = new Map<string, Held>();
  readonly #links = new Map<number, ModelLink>();
  #lastLink = 0;
  #isAlive = true;
  /** A pod that drains takes no new links. */
  isDraining = false;
  /** Messages that were handed to the application, committed or not. */
  readonly delivered: { readonly n: number; readonly text: string; readonly redelivered: boolean }[] = [];

  constructor(options: PodOptions) {
    this.#options = options;
    this.name = options.name;
    this.process = new ModelProcess(options.timeline, () => this.#flush());
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  machine(session: string): ServerSession | undefined {
    return this.#held.get(session)?.machine;
  }

  /** Takes a session over because its pod seems dead. */
  adopt(session: ModelSession): void {
    this.#soon(0, () => {
      if (session.owner === this.name || !this.#options.store.session(session.id)) return;
      this.#options.store.adopt(session, this.name);
      this.#options.fenced(session.id, this, true);
      const held = this.#held.get(session.id);
      if (held) this.#fenced(held);
      this.#hold(session);
    });
  }

  /** The application follows a topic for a session that this pod holds. */
  subscribe(id: string, topic: string): void {
    this.act(id, (machine, session) => {
      if (session.topics.has(topic)) return;
      const { epoch, end } = this.#options.store.log(id, topic);
      session.topics.set(topic, { epoch, offset: end });
      this.#options.judge.begin(topic, { epoch, offset: end });
      machine.handleSubscribed(topic, epoch, end);
    });
  }

  unsubscribe(id: string, topic: string): void {
    this.act(id, (machine, session) => {
      if (session.topics.delete(topic)) machine.handleUnsubscribed(topic);
    });
  }

  /** The application closes a session that this pod holds. */
  close(id: string, code: number, reason: string): void {
    this.act(id, (machine, session) => {
      session.closing ??= { code, reason };
      machine.handleClosing(code, reason, this.#options.timeline.nowMs);
    });
  }

  /** The application does something with a session; nothing, if another pod has it meanwhile. */
  act(id: string, action: (machine: ServerSession, session: ModelSession) => void): void {
    this.#soon(0, () => {
      const held = this.#held.get(id);
      if (held && held.fence === held.session.fence) action(held.machine, held.session);
    });
  }

  accept(link: ModelLink): void {
    const id = ++this.#lastLink;
    this.#links.set(id, link);
    link.join('server', {
      data: (data, binary) => this.process.run(() => this.#firstFrame(id, link, data, binary)),
      lost: () => this.process.run(() => this.#links.delete(id)),
    });
  }

  /** Asks every session to move, and leaves what is still there after a time. */
  drain(withinMs: number, leaveMs: number): void {
    this.isDraining = true;
    for (const id of this.#held.keys()) this.act(id, (machine) => machine.drain(0, withinMs));
    this.#soon(leaveMs, () => {
      for (const { machine } of this.#held.values()) machine.hangUp(errors.FAILED, '', CLOSE.restart);
      this.#soon(100, () => this.crash());
    });
  }

  /** The process is killed: what is not committed is lost. Its kernel resets the connections, unless the machine died too. */
  crash({ silently = false } = {}): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.process.machines = [];
    this.#held.clear();
    for (const link of this.#links.values()) {
      if (silently) link.blackHole('server', 'client');
      link.cut(['server']);
    }
    this.#links.clear();
  }

  #soon(delayMs: number, task: () => void): void {
    this.#options.timeline.after(delayMs, () => {
      if (this.#isAlive) this.process.run(() => this.#isAlive && task());
    });
  }

  #storeMs(): number {
    const [least, most] = this.#options.storeMs;
    return least + this.#options.random() * (most - least);
  }

  // ---------------------------------------------------------------------------------------------------------- attaching

  #firstFrame(id: number, link: ModelLink, data: string | Uint8Array, binary: boolean): void {
    if (!this.#isAlive) return;
    const frame = decode(data, binary);
    if (isFault(frame)) return this.#refuse(id, closeCodeOf(frame.fault), closeReason(frame.fault));
    if (frame.type === 'hello') {
      this.#soon(this.#storeMs(), () => {
        const session = this.#options.store.create(this.name);
        const held = this.#hold(session);
        if (this.#carry(id, link, held))
          held.machine.welcome(id, frame.body.window, session.token, this.#options.timeline.nowMs);
      });
    } else if (frame.type === 'resume') this.#soon(this.#storeMs(), () => this.#attach(id, link, frame.body));
    else this.#refuse(id, CLOSE.protocol, closeReason(errors.STATE));
  }

  #attach(id: number, link: ModelLink, body: ResumeBody): void {
    const { store, timeline } = this.#options;
    const { session: name, token, attempt } = body;
    const session = store.attach({ id: name, pod: this.name, token, attempt });
    if (session === 'unknown') return this.#refuse(id, CLOSE.expired, closeReason(errors.EXPIRED));
    if (session === 'refused') return this.#refuse(id, CLOSE.unauthorized, closeReason(errors.UNAUTHORIZED));
    if (session === 'late') return this.#refuse(id, CLOSE.fenced, closeReason(errors.FENCED));
    this.#options.fenced(name, this, false);
    const newToken = session.token;
    const state = store.stateOf(session);
    const { fence } = session;
    // The answer of the store takes a while.
    this.#soon(this.#storeMs(), () => {
      if (session.fence !== fence) return this.#refuse(id, CLOSE.fenced, closeReason(errors.FENCED));
      let held = this.#held.get(name);
      if (held && held.fence !== fence - 1) {
        // Others have held the session meanwhile: what this pod remembers of it, and has not committed, is void.
        this.#fenced(held);
        held = undefined;
      }
      if (held) held.machine.refresh(state);
      else held = this.#hold(session, state);
      held.fence = fence;
      // What the client has shown to have is the token before this one.
      held.confirm = false;
      // What was written while the store was answering rang for a pod that did not listen yet.
      if (this.#carry(id, link, held)) held.machine.resume(id, body, newToken, timeline.nowMs);
      for (const topic of ['', ...held.machine.topics]) this.#lookAgain(held, topic);
    });
  }

  #lookAgain({ machine, session }: Held, topic: string): void {
    const { epoch, end } = this.#options.store.log(session.id, topic);
    machine.handleGrown(topic, end, epoch);
  }

  #hold(session: ModelSession, state = this.#options.store.stateOf(session)): Held {
    const { policy, closeMs } = this.#options;
    const machine = new ServerSession(state, { pod: this.name, policy, closeMs });
    const { fence } = session;
    const held = {
      machine,
      session,
      fence,
      pending: [],
      acked: new Map<string, number>(),
      confirm: false,
      end: false,
      committing: false,
    };
    this.#held.set(session.id, held);
    this.#listMachines();
    return held;
  }

  /** False if the link was lost meanwhile. */
  #carry(id: number, link: ModelLink, { machine }: Held): boolean {
    const { timeline } = this.#options;
    if (!this.#links.has(id)) return false;
    link.join('server', {
      data: (data, binary) =>
        this.process.run(() => this.#isAlive && machine.handleData(id, data, binary, timeline.nowMs)),
      lost: (code, reason) =>
        this.process.run(() => {
          this.#links.delete(id);
          machine.handleLost(id, code, reason);
        }),
    });
    return true;
  }

  #refuse(id: number, code: number, reason: string): void {
    this.#links.get(id)?.close('server', code, reason);
    this.#links.delete(id);
  }

  #forget(id: string): void {
    this.#held.delete(id);
    this.#listMachines();
  }

  #listMachines(): void {
    this.process.machines = Array.from(this.#held.values(), ({ machine }) => machine);
  }

  // ------------------------------------------------------------------------------------------------------------ outputs

  #flush(): void {
    for (const held of this.#held.values()) this.#drainOutputs(held);
  }

  #drainOutputs(held: Held): void {
    for (let output = held.machine.poll(); output; output = held.machine.poll()) this.#do(held, output);
  }

  #do(held: Held, output: ServerOutput): void {
    switch (output.type) {
      case 'transmit':
        this.#links.get(output.transport)?.send('server', output.data, output.binary);
        return;
      case 'hangup':
        return this.#refuse(output.transport, output.code, output.reason);
      case 'deliver': {
        const { n, redelivered } = output;
        const text = textOf(output.data) ?? '';
        this.delivered.push({ n, text, redelivered });
        held.pending.push({ n, text });
        break;
      }
      case 'read':
        return this.#soon(this.#storeMs(), () => {
          const slice = this.#options.store
            .log(held.session.id, output.topic)
            .read(output.after, output.messages, output.bytes);
          this.#soon(this.#storeMs() / 2, () => held.machine.handleSlice(output.topic, slice));
        });
      case 'confirm':
        held.confirm = true;
        break;
      case 'acked':
        held.acked.set(output.topic, output.offset);
        break;
      case 'bye':
      case 'told':
        held.end = true;
        break;
      case 'pong':
      case 'detached':
        return;
    }
    if (held.committing) return;
    held.committing = true;
    this.#soon(this.#storeMs(), () => this.#commit(held));
  }

  /** Everything since the last commit, at once: effects, watermark, cursors. */
  #commit(held: Held): void {
    const { session, machine, pending, acked } = held;
    const { store, timeline } = this.#options;
    held.committing = false;
    if (!store.session(session.id) || session.fence !== held.fence) {
      return this.#fenced(held);
    }
    held.pending = [];
    held.acked = new Map();
    session.handled.push(...pending);
    session.watermark = pending.at(-1)?.n ?? session.watermark;
    for (const [topic, offset] of acked) {
      if (topic === '') session.acked = Math.max(session.acked, offset);
      else this.#ackTopic(session, topic, offset);
    }
    if (held.confirm) session.spentToken = undefined;
    held.confirm = false;
    const { watermark } = session;
    const isEnd = held.end;
    if (isEnd) store.remove(session.id);
    // The answer of the store takes a while.
    this.#soon(this.#storeMs(), () => {
      machine.handleCommitted(watermark, timeline.nowMs);
      if (isEnd) machine.handleEnded();
      this.#drainOutputs(held);
      if (isEnd) this.#forget(session.id);
    });
  }

  #fenced(held: Held): void {
    const { machine, session } = held;
    this.#forget(session.id);
    machine.handleFenced(this.#options.store.session(session.id) ? errors.FENCED : errors.EXPIRED);
    this.#drainOutputs(held);
  }

  #ackTopic(session: ModelSession, topic: string, offset: number): void {
    const cursor = session.topics.get(topic);
    if (cursor) cursor.offset = Math.max(cursor.offset, offset);
  }

  /** Another pod has taken the session over, or so one hears: the store knows. */
  heardOfFence(session: string): void {
    this.#soon(this.#storeMs(), () => {
      const held = this.#held.get(session);
      if (held && held.fence !== held.session.fence) this.#commit(held);
    });
  }

  /** An entry was written by this pod, or by another one that has rung. */
  wrote(session: string, topic: string, entry: LogEntry, isOwn: boolean): void {
    const { epoch } = this.#options.store.log(session, topic);
    this.#soon(isOwn ? 0 : this.#storeMs(), () => {
      const machine = this.#held.get(session)?.machine;
      if (isOwn) machine?.handleEntry(topic, entry, epoch);
      else machine?.handleGrown(topic, entry.offset, epoch);
    });
  }
}
