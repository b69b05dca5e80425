import { EventEmitter } from 'node:events';
import { randomBytes } from 'node:crypto';
import { errors, HoldfastError, isId } from '@holdfast/protocol';
import { ANY_EPOCH, type PartResult, type Store } from '@holdfast/store';
import { systemClock, type Clock } from './clock.js';
import { Committer, type PendingEffect, type PendingPart } from './committer.js';
import { checkTopic, toContent, type SendData } from './content.js';
import { Presence, type PresenceOptions } from './presence.js';
import { userTopic } from './users.js';

export interface PublisherOptions {
  /** The store that the pods share. It stays the caller's: `close` leaves it open. */
  readonly store: Store;
  /** Messages that wait for the store at most; one more is refused with HF_BACKLOG. Default 10,000. */
  readonly maxPending?: number;
  /** Bytes of them. Default 16 MiB. */
  readonly maxPendingBytes?: number;
  /** For tests. */
  readonly clock?: Clock;
}

export interface PublisherEvents {
  /** The store fails; what was to be written is tried again. */
  storeError: [error: unknown];
  storeRecovered: [];
}

/** How long `close` waits for what is pending, in milliseconds. */
const CLOSE_MS = 5_000;

/**
 * Sends to clients from a process that need not hold any: an HTTP worker, a job, a script. Each call resolves when the message is in
 * the store, in the order of the calls: to wait for it is the back-pressure. While the store fails it is tried again, within the
 * bounds on what may wait.
 */
export class Publisher extends EventEmitter<PublisherEvents> {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #committer: Committer;
  readonly #maxPending: number;
  readonly #presences = new Set<Presence>();
  #pending = 0;
  #closed: Promise<void> | undefined;

  constructor({ store, maxPending = 10_000, maxPendingBytes = 16_777_216, clock = systemClock }: PublisherOptions) {
    super();
    for (const [name, value] of Object.entries({ maxPending, maxPendingBytes })) {
      if (!Number.isSafeInteger(value) || value <= 0) throw new HoldfastError(errors.OPTION, `${name} is ${value}`);
    }
    this.#store = store;
    this.#clock = clock;
    this.#maxPending = maxPending;
    this.#committer = new Committer({
      store,
      clock,
      // A name of its own, so that the pod that holds a session is woken also when it is in this process.
      pod: `publisher-${randomBytes(6).toString('hex')}`,
      maxPendingBytes,
      listener: {
        committed: (part, result) => this.#committed(part, result),
        // Who waits for it has been told.
        rejected: () => {},
        turnDone: () => {},
        troubled: (troubled, cause) => this.#troubled(troubled, cause),
        doneFailed: () => {},
      },
    });
  }

  /** Messages that are not in the store yet. */
  get pending(): number {
    return this.#pending;
  }

  /** To all who follow the topic, also those whose client is away. Rejects with HF_TOPIC, HF_BACKLOG or HF_PUBLISHER_CLOSED. */
  publish(topic: string, data: SendData): Promise<void> {
    return this.#add(() => ({ type: 'publish', topic: checkTopic(topic), ...toContent(data) }));
  }

  /** To one session, by its id. Rejects with HF_SESSION_UNKNOWN as well: it has ended or is closing, or there never was one. */
  send(session: string, data: SendData): Promise<void> {
    return this.#add(() => {
      if (!isId(session)) throw new HoldfastError(errors.SESSION_UNKNOWN, JSON.stringify(session));
      return { type: 'send', session, epoch: ANY_EPOCH, ...toContent(data) };
    });
  }

  /** To all sessions of a user (`socket.session.user`), also those whose client is away. With none it reaches nobody, as a topic does. */
  sendToUser(user: string, data: SendData): Promise<void> {
    return this.#add(() => ({ type: 'publish', topic: userTopic(user), ...toContent(data) }));
  }

  /** Who follows a topic. */
  presence(topic: string, options?: PresenceOptions): Presence {
    return this.#watch(checkTopic(topic), options);
  }

  /** The sessions of a user. */
  presenceOfUser(user: string, options?: PresenceOptions): Presence {
    return this.#watch(userTopic(user), options);
  }

  /** Takes no more, and waits for what is pending, at most `deadlineMs` (default 5,000): then that rejects with HF_PUBLISHER_CLOSED. */
  close({ deadlineMs = CLOSE_MS }: { readonly deadlineMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#close(deadlineMs);
    return this.#closed;
  }

  async #close(deadlineMs: number): Promise<void> {
    for (const presence of this.#presences) presence.close();
    const timer = this.#clock.setTimeout(
      () => this.#committer.giveUp(new HoldfastError(errors.PUBLISHER_CLOSED)),
      deadlineMs,
    );
    await this.#committer.idle();
    this.#clock.clearTimeout(timer);
  }

  async #add(effectOf: () => PendingEffect): Promise<void> {
    if (this.#closed) throw new HoldfastError(errors.PUBLISHER_CLOSED);
    if (this.#pending >= this.#maxPending) throw new HoldfastError(errors.BACKLOG, `${this.#pending} wait`);
    const effect = effectOf();
    this.#pending++;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#committer.effect({ ...effect, done: (error) => (error ? reject(error) : resolve()) });
      });
    } finally {
      this.#pending--;
    }
  }

  #committed({ effects }: PendingPart, result: PartResult): void {
    for (const [i, effect] of effects.entries()) {
      const outcome = result.fenced ? 'fenced' : result.effects[i];
      const session = effect.type === 'send' ? effect.session : '';
      const unknown = outcome === 'fenced' ? new HoldfastError(errors.SESSION_UNKNOWN, session) : undefined;
      this.#committer.settle(effect, unknown);
    }
  }

  #watch(topic: string, options?: PresenceOptions): Presence {
    const presence = new Presence(this.#store, topic, this.#clock, options);
    this.#presences.add(presence);
    presence.once('close', () => this.#presences.delete(presence));
    return presence;
  }

  #troubled(troubled: boolean, cause: unknown): void {
    // Not from within the committer: a listener that throws must not stop it.
    queueMicrotask(() => (troubled ? this.emit('storeError', cause) : this.emit('storeRecovered')));
  }
}

/** A {@link Publisher} on a store. */
export const createPublisher = (options: PublisherOptions): Publisher => new Publisher(options);
