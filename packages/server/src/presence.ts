import { EventEmitter } from 'node:events';
import { errors, HoldfastError } from '@holdfast/protocol';
import type { Followers, Store } from '@holdfast/store';
import type { Clock } from './clock.js';

export interface PresenceOptions {
  /** How often it is looked who came and who went, in milliseconds, while somebody listens. Default 1,000. */
  readonly pollMs?: number;
  /** More followers than this are counted and not watched: see `overflow`. Default 10,000. */
  readonly membersMax?: number;
}

export interface PresenceEvents {
  /** A session follows the topic that did not when it was last looked. */
  join: [session: string];
  /** A session follows it no longer: it unsubscribed, ended, or its life is over. */
  leave: [session: string];
  /** There are more than `membersMax`: no joins and leaves are told until there are fewer again. */
  overflow: [total: number];
  close: [];
}

/** Sessions asked for at once. */
const PAGE = 1_000;

/**
 * Who follows a topic, on any pod. A session is present as long as it is in the store and follows the topic: it does not come and go
 * with its connection, nor with the pod that holds it. Nothing is read until somebody asks or listens.
 */
export class Presence extends EventEmitter<PresenceEvents> {
  readonly topic: string;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #membersMax: number;
  #members: ReadonlySet<string> | undefined;
  #overflowing = false;
  #watching = false;
  #closed = false;
  #timer: unknown;

  constructor(
    store: Store,
    topic: string,
    clock: Clock,
    { pollMs = 1_000, membersMax = 10_000 }: PresenceOptions = {},
  ) {
    super();
    for (const [name, value] of Object.entries({ pollMs, membersMax })) {
      if (!Number.isSafeInteger(value) || value <= 0) throw new HoldfastError(errors.OPTION, `${name} is ${value}`);
    }
    this.topic = topic;
    this.#store = store;
    this.#clock = clock;
    this.#pollMs = pollMs;
    this.#membersMax = membersMax;
    const watch = this as EventEmitter;
    watch.on('newListener', (event) => {
      if (event !== 'close' && event !== 'newListener') this.#watch();
    });
  }

  /**
   * The sessions of now, at most `limit` (default 100, at most 1,000), in the order of their ids from behind `after`, and how many
   * there are in all.
   */
  async list({
    limit = 100,
    after = '',
  }: { readonly limit?: number; readonly after?: string } = {}): Promise<Followers> {
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > PAGE) {
      throw new HoldfastError(errors.OPTION, `limit is ${limit}, not 1 to ${PAGE}`);
    }
    return this.#store.followers(this.topic, after, limit);
  }

  /** Looks no more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#clock.clearTimeout(this.#timer);
    this.emit('close');
  }

  /** Those who are there when somebody begins to listen have not joined: `list` tells of them. */
  #watch(): void {
    if (this.#watching || this.#closed) return;
    this.#watching = true;
    void this.#look();
  }

  async #look(): Promise<void> {
    // While the store fails nobody comes and nobody goes, as far as anybody knows.
    const found = await this.#followers().catch(() => undefined);
    if (this.#closed) return;
    // First, so that a listener that throws ends nothing.
    this.#timer = this.#clock.setTimeout(() => void this.#look(), this.#pollMs);
    if (found) this.#compare(found);
  }

  /** All of them, or how many there are when that is too many. */
  async #followers(): Promise<ReadonlySet<string> | number> {
    const members = new Set<string>();
    for (let after = ''; ;) {
      const { sessions, total } = await this.#store.followers(this.topic, after, PAGE);
      if (total > this.#membersMax) return total;
      for (const session of sessions) members.add(session);
      const last = sessions.at(-1);
      if (last === undefined || sessions.length < PAGE) return members;
      after = last;
    }
  }

  #compare(found: ReadonlySet<string> | number): void {
    if (typeof found === 'number') {
      if (!this.#overflowing) this.emit('overflow', found);
      this.#overflowing = true;
      return;
    }
    this.#overflowing = false;
    const before = this.#members;
    this.#members = found;
    if (!before) return;
    for (const session of before) if (!found.has(session)) this.#tell('leave', session);
    for (const session of found) if (!before.has(session)) this.#tell('join', session);
  }

  /** What a listener throws is uncaught, as it would be anyway, and the others are told all the same. */
  #tell(event: 'join' | 'leave', session: string): void {
    try {
      this.emit(event, session);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
