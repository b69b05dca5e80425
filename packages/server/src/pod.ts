import type { IncomingMessage } from 'node:http';
import { errors, type FrameOf, type ServerSessionOptions } from '@holdfast/protocol';
import {
  sessionStream,
  type Entry,
  type PartResult,
  type SessionState,
  type Store,
  type Tail,
  type Wake,
} from '@holdfast/store';
import type { Clock } from './clock.js';
import { Committer, effectError, type PendingEffect, type PendingPart } from './committer.js';
import { Deadlines } from './deadlines.js';
import type { Greeting } from './greeter.js';
import { refuse } from './greeter.js';
import { PodSession, type PodContext } from './pod-session.js';
import { restoreRequest, storeRequest } from './stored-request.js';
import { hashToken, newSessionId, newToken } from './token.js';
import { TopicHub, type Follower } from './topic-hub.js';
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
  readonly listener: PodListener;
}

/** What the pod tells of its sessions. */
export interface PodListener {
  /** A session is here. `recovered`: it began earlier, on another pod or in an earlier life of this one. */
  opened(session: PodSession, state: SessionState, request: IncomingMessage, recovered: boolean): void;
  released(session: PodSession): void;
  handlerFailed(error: Error, session: PodSession): void;
  storeTroubled(troubled: boolean, cause?: unknown): void;
}

/** Sessions adopted or expired in one go; the next lease tick takes more. */
const SWEEP_LIMIT = 200;
/** How often the store is told what clients have acknowledged. */
const SAVE_ACKED_MS = 1_000;

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
  readonly #leaseMs: number;
  readonly #listener: PodListener;
  readonly #tail: Tail;
  readonly #hub: TopicHub;
  readonly #followers = new Map<PodSession, Follower>();
  readonly #touched = new Set<PodSession>();
  #leaseTimer: unknown;
  #saveTimer: unknown;
  #stopped = false;

  constructor({ store, clock, machine, writeMs, executionMs, maxPendingBytes, leaseMs, listener }: PodOptions) {
    this.name = machine.pod;
    this.store = store;
    this.clock = clock;
    this.machine = machine;
    this.writeMs = writeMs;
    this.executionMs = executionMs;
    this.#leaseMs = leaseMs;
    this.#listener = listener;
    this.deadlines = new Deadlines(clock);
    this.committer = new Committer({
      store,
      clock,
      pod: this.name,
      maxPendingBytes,
      listener: {
        committed: (part, result) => this.#committed(part, result),
        turnDone: () => this.#turnDone(),
        troubled: (troubled, cause) => listener.storeTroubled(troubled, cause),
      },
    });
    this.#tail = store.tail(this.name, (wake) => this.#woken(wake));
    this.#hub = new TopicHub(store, this.#tail);
    void this.#renew();
    this.#saveAcked();
  }

  // ---------------------------------------------------------------------------------------------------------- attaching

  /** Gives a greeted transport a session: a new one, or the one whose token it holds. */
  async accept(transport: Transport, greeting: Greeting, request: IncomingMessage): Promise<void> {
    if (greeting.type === 'hello') await this.#create(transport, greeting, request);
    else await this.#resume(transport, greeting, request);
  }

  async #create(transport: Transport, { body }: FrameOf<'hello'>, request: IncomingMessage): Promise<void> {
    const token = newToken();
    const state = await this.store.create({
      id: newSessionId(),
      pod: this.name,
      token: hashToken(token),
      nowMs: this.clock.wallMs(),
      lifeMs: this.machine.policy.sessionMs,
      request: storeRequest(request),
    });
    const session = this.#hold(state);
    session.welcome(transport, body.window, token);
    this.#listener.opened(session, state, request, false);
  }

  async #resume(transport: Transport, { body }: FrameOf<'resume'>, request: IncomingMessage): Promise<void> {
    const token = newToken();
    const state = await this.committer.between(async () => {
      const attached = await this.store.attach({
        id: body.session,
        pod: this.name,
        presented: hashToken(body.token),
        attempt: body.attempt,
        next: hashToken(token),
        nowMs: this.clock.wallMs(),
      });
      // Before the next batch is made: it must be written under the new epoch.
      const held = this.sessions.get(body.session);
      if (typeof attached !== 'string' && held) held.epoch = attached.epoch;
      return attached;
    });
    // Which of the three it is, is nobody's business who does not hold the token.
    if (typeof state === 'string') return refuse(transport, state === 'late' ? errors.FENCED : errors.EXPIRED);
    const held = this.sessions.get(state.id);
    const session = held ?? this.#hold(state);
    session.resume(transport, body, token, state);
    if (!held) this.#listener.opened(session, state, request, true);
  }

  #hold(state: SessionState): PodSession {
    const session = new PodSession(state, this);
    this.sessions.set(state.id, session);
    this.#tail.follow(sessionStream(state.id));
    return session;
  }

  // ------------------------------------------------------------------------------------------------------- PodContext

  follow(session: PodSession, topic: string): void {
    let follower = this.#followers.get(session);
    if (!follower) {
      follower = {
        handleEntry: (name, entry) => {
          session.machine.handleEntry(name, entry);
          this.#touch(session);
        },
      };
      this.#followers.set(session, follower);
    }
    this.#hub.follow(topic, follower);
  }

  unfollow(session: PodSession, topic: string): void {
    const follower = this.#followers.get(session);
    if (follower) this.#hub.unfollow(topic, follower);
  }

  /** For those who follow a topic without a session. */
  get hub(): TopicHub {
    return this.#hub;
  }

  released(session: PodSession): void {
    for (const topic of session.machine.topics) this.unfollow(session, topic);
    this.#followers.delete(session);
    if (this.sessions.get(session.id) === session) {
      this.sessions.delete(session.id);
      this.#tail.unfollow(sessionStream(session.id));
    }
    this.#listener.released(session);
  }

  handlerFailed(error: Error, session: PodSession): void {
    this.#listener.handlerFailed(error, session);
  }

  // -------------------------------------------------------------------------------------------------------- committed

  #committed(part: PendingPart, result: PartResult): void {
    const writer = part.writer && this.sessions.get(part.writer.id);
    if (result.fenced) {
      writer?.fenced();
      for (const { done } of part.effects) done?.(effectError('fenced'));
      return;
    }
    for (const [i, effect] of part.effects.entries()) {
      const outcome = result.effects[i];
      if (outcome === undefined) continue;
      if (outcome !== 'fenced') this.#took(effect, outcome);
      else if (effect.to && effect.type !== 'send') this.sessions.get(effect.to.id)?.fenced();
      effect.done?.(effectError(outcome));
    }
    if (!writer) return;
    writer.committed(part);
    this.#touch(writer);
  }

  #took(effect: PendingEffect, { offset, epoch }: { offset: number; epoch: string }): void {
    if (effect.type === 'publish') {
      this.#hub.entry(effect.topic, { offset, data: effect.data, binary: effect.binary });
      return;
    }
    const session = effect.to && this.sessions.get(effect.to.id);
    if (!session) return;
    switch (effect.type) {
      case 'send':
        session.backlog.sent(offset, effect.data.length);
        session.machine.handleEntry('', { offset, data: effect.data, binary: effect.binary });
        break;
      case 'subscribe':
        session.machine.handleSubscribed(effect.topic, epoch, offset);
        this.follow(session, effect.topic);
        this.#hub.stands(effect.topic, offset);
        break;
      case 'unsubscribe':
        this.unfollow(session, effect.topic);
        session.machine.handleUnsubscribed(effect.topic);
        break;
      case 'close':
        session.closing(effect.code, effect.reason);
        break;
      case 'data':
        break;
    }
    this.#touch(session);
  }

  /** What was gathered for a session goes out when the whole turn is known, in one write. */
  #touch(session: PodSession): void {
    if (this.#touched.size === 0) queueMicrotask(() => this.#turnDone());
    this.#touched.add(session);
  }

  #turnDone(): void {
    const touched = Array.from(this.#touched);
    this.#touched.clear();
    for (const session of touched) session.run();
  }

  #woken({ streams, fenced }: Wake): void {
    for (const { session, epoch } of fenced) {
      const held = this.sessions.get(session);
      if (held && held.epoch < epoch) held.fenced();
    }
    for (const [key, end] of streams) {
      const name = key.slice(2);
      if (key.startsWith('t:')) {
        this.#hub.grown(name, end);
        continue;
      }
      const session = this.sessions.get(name);
      session?.machine.handleGrown('', end);
      session?.run();
    }
  }

  // ------------------------------------------------------------------------------------------------------ housekeeping

  /** Lives on, takes over what dead pods have left, and lets go of what is past its life. Three times in each lease. */
  async #renew(): Promise<void> {
    try {
      const nowMs = this.clock.wallMs();
      await this.store.lease(this.name, nowMs + this.#leaseMs);
      for (const state of await this.store.adopt(this.name, nowMs, SWEEP_LIMIT)) {
        if (this.sessions.has(state.id)) continue;
        this.#listener.opened(this.#hold(state), state, restoreRequest(state.request), true);
      }
      for (const id of await this.store.expire(nowMs, SWEEP_LIMIT)) this.sessions.get(id)?.fenced(errors.EXPIRED);
    } catch (cause) {
      if (!this.#stopped) this.#listener.storeTroubled(true, cause);
    }
    if (!this.#stopped) this.#leaseTimer = this.clock.setTimeout(() => void this.#renew(), this.#leaseMs / 3);
  }

  #saveAcked(): void {
    for (const session of this.sessions.values()) session.saveAcked();
    this.#saveTimer = this.clock.setTimeout(() => this.#saveAcked(), SAVE_ACKED_MS);
  }

  /** Writes what is pending, gives the sessions up for other pods to adopt, and stops. Transports are closed before. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.clock.clearTimeout(this.#leaseTimer);
    this.clock.clearTimeout(this.#saveTimer);
    for (const session of this.sessions.values()) session.saveAcked();
    await this.committer.idle();
    await this.store.lease(this.name, 0);
    this.#tail.close();
    this.deadlines.stop();
  }
}

export type { Entry };
