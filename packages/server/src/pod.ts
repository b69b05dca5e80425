import { errors, type FrameOf, type HoldfastError, type ServerSessionOptions } from '@holdfast/protocol';
import {
  sessionStream,
  type Lost,
  type PartResult,
  type SessionState,
  type Store,
  type Tail,
  type Wake,
} from '@holdfast/store';
import type { Clock } from './clock.js';
import { Committer, effectError, type PendingEffect, type PendingPart, type Writer } from './committer.js';
import { Deadlines } from './deadlines.js';
import { refuse, type Greeting } from './greeter.js';
import { PodSession, type PodContext } from './pod-session.js';
import { restoreHandshake, storeHandshake, type Handshake } from './stored-handshake.js';
import { hashToken, newSessionId, newToken } from './token.js';
import { TopicHub } from './topic-hub.js';
import type { Transport } from './transport.js';

export interface PodOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly machine: ServerSessionOptions;
  readonly writeMs: number;
  readonly executionMs: number;
  readonly maxPendingBytes: number;
  /** How long the sessions of this pod stay its own when nothing is heard of it. */
  readonly leaseMs: number;
  readonly cleanupMs: number;
  readonly listener: PodListener;
}

/** What the pod tells of its sessions. */
export interface PodListener {
  /** A session is here. `recovered`: it began earlier, on another pod or in an earlier life of this one. */
  opened(session: PodSession, state: SessionState, handshake: Handshake, recovered: boolean): void;
  /** A session has no transport any more, or is not here any more. */
  left(): void;
  handlerFailed(error: Error, session?: PodSession): void;
  storeTroubled(troubled: boolean, cause?: unknown): void;
}

/** Sessions adopted or expired in one go. */
const SWEEP_LIMIT = 200;
/** The wait before the next go when one was not enough, so that other pods get their share and clients their turn. */
const SWEEP_AGAIN_MS = 100;
/** How often the store is told what clients have acknowledged. */
const SAVE_ACKED_MS = 1_000;
/** When a client that is turned away should try the next pod: at once, but for the network's own spread. */
const ELSEWHERE_MS = 100;

/**
 * One server process's share of all sessions: attaches them, keeps their lease, adopts those of pods that died, ends those
 * whose life is over, and brings what is committed to those who follow it.
 */
export class Pod implements PodContext {
  readonly name: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly committer: Committer;
  readonly deadlines: Deadlines;
  readonly machine: ServerSessionOptions;
  readonly writeMs: number;
  readonly executionMs: number;
  readonly sessions = new Map<string, PodSession>();
  /** Topics and who follows them here, with or without a session. */
  readonly hub: TopicHub;
  readonly #leaseMs: number;
  readonly #cleanupMs: number;
  readonly #listener: PodListener;
  readonly #tail: Tail;
  readonly #touched = new Set<PodSession>();
  readonly #troubles = new Set<'commit' | 'lease'>();
  #renewing: Promise<void>;
  #leaseTimer: unknown;
  /** Monotonic: a wall clock that goes back must not put it off. */
  #cleanupDueMs = 0;
  #saveTimer: unknown;
  #retiring = false;
  #stopped: Promise<void> | undefined;

  constructor({
    store,
    clock,
    machine,
    writeMs,
    executionMs,
    maxPendingBytes,
    leaseMs,
    cleanupMs,
    listener,
  }: PodOptions) {
    this.name = machine.pod;
    this.store = store;
    this.clock = clock;
    this.machine = machine;
    this.writeMs = writeMs;
    this.executionMs = executionMs;
    this.#leaseMs = leaseMs;
    this.#cleanupMs = cleanupMs;
    this.#listener = listener;
    this.deadlines = new Deadlines(clock);
    this.committer = new Committer({
      store,
      clock,
      pod: this.name,
      maxPendingBytes,
      listener: {
        committed: (part, result) => this.#committed(part, result),
        rejected: (part, error) => this.#rejected(part, error),
        turnDone: () => this.#turnDone(),
        troubled: (troubled, cause) => this.#troubled('commit', troubled, cause),
        doneFailed: (error) => listener.handlerFailed(error as Error),
      },
    });
    this.#tail = store.tail(this.name, (wake) => this.#woken(wake));
    this.hub = new TopicHub(store, this.#tail, clock);
    this.#renewing = this.#renew();
    this.#saveAcked();
  }

  // ---------------------------------------------------------------------------------------------------------- attaching

  /** Gives a greeted transport a session: a new one, or the one whose token it holds. */
  async accept(transport: Transport, greeting: Greeting, handshake: Handshake): Promise<void> {
    if (this.#retiring) refuse(transport, errors.BUSY, ELSEWHERE_MS);
    else if (greeting.type === 'hello') await this.#create(transport, greeting, handshake);
    else await this.#resume(transport, greeting, handshake);
  }

  async #create(transport: Transport, { body }: FrameOf<'hello'>, handshake: Handshake): Promise<void> {
    const token = newToken();
    const state = await this.store.create({
      id: newSessionId(),
      pod: this.name,
      token: hashToken(token),
      nowMs: this.clock.wallMs(),
      lifeMs: this.machine.policy.sessionMs,
      request: storeHandshake(handshake),
    });
    // Gone meanwhile, so nobody knows of the session: it would only take up room until it expires.
    if (!transport.open) return this.committer.note({ ...state, pendingBytes: 0 }, { end: true });
    const session = this.#hold(state);
    session.welcome(transport, body.window, token);
    this.#listener.opened(session, state, handshake, false);
  }

  async #resume(transport: Transport, { body }: FrameOf<'resume'>, handshake: Handshake): Promise<void> {
    const token = newToken();
    const state = await this.committer.between(() =>
      this.store.attach({
        id: body.session,
        pod: this.name,
        presented: hashToken(body.token),
        attempt: body.attempt,
        next: hashToken(token),
        nowMs: this.clock.wallMs(),
      }),
    );
    // Which of the three it is, is nobody's business who does not hold the token.
    if (typeof state === 'string') return refuse(transport, state === 'late' ? errors.FENCED : errors.EXPIRED);
    const held = this.#holdAgain(state);
    // Two attaches at once may be answered in any order: the one with the higher epoch has won.
    if (held && held.epoch > state.epoch) return refuse(transport, errors.FENCED);
    if (held) held.epoch = state.epoch;
    const session = held ?? this.#hold(state);
    session.resume(transport, body, token, state);
    if (!held) this.#listener.opened(session, state, handshake, true);
  }

  /** The session as it is held here, if nobody else has had it since. */
  #holdAgain(state: SessionState): PodSession | undefined {
    const held = this.sessions.get(state.id);
    if (!held || state.epoch <= held.epoch + 1) return held;
    // What ours has not committed may have been done by the other pod: it must not be written under the new epoch.
    held.fenced();
    return undefined;
  }

  #hold(state: SessionState): PodSession {
    const session = new PodSession(state, this);
    this.sessions.set(state.id, session);
    this.#tail.follow(sessionStream(state.id));
    return session;
  }

  /** The session, unless it is another's or over by now. */
  #held(writer: Writer | undefined): PodSession | undefined {
    const session = writer && this.sessions.get(writer.id);
    return session === writer ? session : undefined;
  }

  // ------------------------------------------------------------------------------------------------------- PodContext

  follow(session: PodSession, topic: string, from: number): number {
    return this.hub.follow(topic, session, from);
  }

  unfollow(session: PodSession, topic: string): void {
    this.hub.unfollow(topic, session);
  }

  /** What was gathered for a session goes out when the whole turn is known, in one write. */
  touch(session: PodSession): void {
    if (this.#touched.size === 0) queueMicrotask(() => this.#turnDone());
    this.#touched.add(session);
  }

  detached(): void {
    this.#listener.left();
  }

  released(session: PodSession): void {
    for (const topic of session.machine.topics) this.unfollow(session, topic);
    this.sessions.delete(session.id);
    this.#tail.unfollow(sessionStream(session.id));
    this.#listener.left();
  }

  handlerFailed(error: Error, session: PodSession): void {
    this.#listener.handlerFailed(error, session);
  }

  // -------------------------------------------------------------------------------------------------------- committed

  #committed(part: PendingPart, result: PartResult): void {
    const writer = this.#held(part.writer);
    if (result.fenced) {
      writer?.fenced(result.gone);
      for (const effect of part.effects) this.committer.settle(effect, effectError('fenced'));
      return;
    }
    for (const [i, effect] of part.effects.entries()) {
      const outcome = result.effects[i] ?? 'fenced';
      if (outcome !== 'fenced') this.#took(effect, outcome);
      // A send is refused when the session is closing as well.
      else if (effect.type !== 'send') void this.#doubt(this.#held(effect.to));
      this.committer.settle(effect, effectError(outcome));
    }
    if (!writer) return;
    writer.committed(part);
    this.touch(writer);
  }

  /** Ends who wrote it, and those whose state here, by what it did to them, is not what the store has. */
  #rejected({ writer, effects }: PendingPart, error: HoldfastError): void {
    const changed = effects.filter(({ type }) => writer === undefined || type !== 'send').map(({ to }) => to);
    const sessions = new Set([writer, ...changed].map((one) => this.#held(one)));
    sessions.delete(undefined);
    if (sessions.size === 0) this.#listener.handlerFailed(error);
    for (const session of sessions) session?.reject(error);
  }

  #took(effect: PendingEffect, { offset, epoch }: { offset: number; epoch: string }): void {
    if (effect.type === 'publish') {
      this.hub.entry(effect.topic, { offset, data: effect.data, binary: effect.binary }, epoch);
      return;
    }
    const session = this.#held(effect.to);
    if (!session) return;
    switch (effect.type) {
      case 'send':
        session.backlog.sent(offset, effect.data.length);
        session.handleEntry('', { offset, data: effect.data, binary: effect.binary });
        break;
      case 'subscribe':
        session.subscribed(effect.topic, epoch, offset);
        break;
      case 'unsubscribe':
        session.unsubscribed(effect.topic);
        break;
      case 'close':
        session.closing(effect.code, effect.reason);
        break;
      case 'data':
        break;
    }
    this.touch(session);
  }

  #turnDone(): void {
    const touched = Array.from(this.#touched);
    this.#touched.clear();
    for (const session of touched) session.run();
  }

  #woken({ streams, fenced }: Wake): void {
    for (const lost of fenced) this.#over(lost);
    for (const [key, end] of streams) {
      const name = key.slice(2);
      if (key.startsWith('t:')) {
        this.hub.grown(name, end);
        continue;
      }
      const session = this.sessions.get(name);
      session?.machine.handleGrown('', end);
      session?.run();
    }
  }

  /** The epoch named and all before it are over: we may have got the session again since. */
  #over({ session: id, epoch, gone }: Lost): void {
    const session = this.sessions.get(id);
    if (session && session.epoch <= epoch) session.fenced(gone);
  }

  /** The store refuses an effect on a session of ours, and does not say whether it has moved or ended: its client must be told which. */
  async #doubt(session: PodSession | undefined): Promise<void> {
    if (session === undefined) return;
    const { id, epoch } = session;
    const { MAX_SAFE_INTEGER: end } = Number;
    const slice = await this.store.read(sessionStream(id), end, { entries: 1, bytes: 1 }).catch(() => undefined);
    // The session may have come back to us meanwhile.
    if (this.sessions.get(id)?.epoch === epoch) this.sessions.get(id)?.fenced(slice?.epoch === '');
  }

  // ------------------------------------------------------------------------------------------------------ housekeeping

  /** Lives on, takes over what dead pods have left, and lets go of what is past its life. Three times in each lease. */
  async #renew(): Promise<void> {
    let nextMs = this.#leaseMs / 3;
    try {
      const nowMs = this.clock.wallMs();
      await this.store.lease(this.name, nowMs + this.#leaseMs);
      const taken = (await this.#adopt(nowMs)) + (await this.#expire(nowMs));
      if (taken >= SWEEP_LIMIT) nextMs = SWEEP_AGAIN_MS;
      this.#troubled('lease', false);
    } catch (cause) {
      this.#troubled('lease', true, cause);
    }
    if (this.#stopped) return;
    this.#leaseTimer = this.clock.setTimeout(() => {
      this.#renewing = this.#renew();
    }, nextMs);
  }

  async #adopt(nowMs: number): Promise<number> {
    if (this.#retiring) return 0;
    const adopted = await this.store.adopt(this.name, nowMs, SWEEP_LIMIT);
    for (const state of adopted) {
      // Its client may have come here by itself meanwhile.
      if (this.#holdAgain(state)) continue;
      this.#listener.opened(this.#hold(state), state, restoreHandshake(state.request), true);
    }
    return adopted.length;
  }

  async #expire(nowMs: number): Promise<number> {
    const monotonicMs = this.clock.monotonicMs();
    if (monotonicMs < this.#cleanupDueMs) return 0;
    const expired = await this.store.expire(nowMs, SWEEP_LIMIT);
    // A full sweep has left some behind.
    if (expired.length < SWEEP_LIMIT) this.#cleanupDueMs = monotonicMs + this.#cleanupMs;
    for (const id of expired) this.sessions.get(id)?.fenced(true);
    return expired.length;
  }

  #saveAcked(): void {
    for (const session of this.sessions.values()) session.saveAcked();
    this.#saveTimer = this.clock.setTimeout(() => this.#saveAcked(), SAVE_ACKED_MS);
  }

  /** The store is in trouble while any of what we do with it all the time fails. */
  #troubled(what: 'commit' | 'lease', troubled: boolean, cause?: unknown): void {
    const before = this.#troubles.size > 0;
    if (troubled) this.#troubles.add(what);
    else this.#troubles.delete(what);
    const after = this.#troubles.size > 0;
    if (after !== before) this.#listener.storeTroubled(after, cause);
  }

  // ----------------------------------------------------------------------------------------------------------- the end

  /** Takes no more sessions on. */
  retire(): void {
    this.#retiring = true;
  }

  /** Writes what is pending, gives the sessions up for other pods to adopt, and stops. Transports are closed before. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.retire();
    this.clock.clearTimeout(this.#leaseTimer);
    this.clock.clearTimeout(this.#saveTimer);
    for (const session of this.sessions.values()) session.saveAcked();
    await this.#renewing;
    await this.committer.idle();
    // Without it the sessions are adopted a lease later.
    await this.store.lease(this.name, 0).catch(() => {});
    // They are others' from now on, and nobody would tell of it any more.
    for (const session of Array.from(this.sessions.values())) session.fenced();
    this.#tail.close();
    this.deadlines.stop();
  }
}
