import { topicStream, type Entry, type Store, type Tail } from '@holdfast/store';
import type { Clock } from './clock.js';

/** Whoever gets the entries of a topic as they are written. */
export interface Follower {
  handleEntry(topic: string, entry: Entry): void;
}

interface Followed {
  readonly followers: Set<Follower>;
  epoch: string | undefined;
  /** Last offset that was fed to the followers; undefined until the topic's end is known. */
  position: number | undefined;
  /** Known to exist, or to have existed. */
  end: number;
  reading: boolean;
}

const READ_LIMIT = { entries: 256, bytes: 1_048_576 };
/** The wait after a read that failed, or that did not bring what is known to exist. */
const READ_AGAIN_MS = 250;

/**
 * Feeds what is written to topics, here or by another pod, to those who follow them on this pod: one read of the store for all
 * of them. Entries are fed in order and without a hole; a follower that takes no more reads the rest from the log itself.
 */
export class TopicHub {
  readonly #store: Store;
  readonly #tail: Tail;
  readonly #clock: Clock;
  readonly #topics = new Map<string, Followed>();

  constructor(store: Store, tail: Tail, clock: Clock) {
    this.#store = store;
    this.#tail = tail;
    this.#clock = clock;
  }

  /**
   * `from` is the offset behind which the follower wants entries; without it, it gets those that are written from now on. Returns
   * the highest offset that is known: a follower that has less than that reads the difference itself.
   */
  follow(topic: string, follower: Follower, from?: number): number {
    let followed = this.#topics.get(topic);
    if (followed) {
      followed.followers.add(follower);
      if (from !== undefined) this.grown(topic, from);
      return followed.end;
    }
    followed = { followers: new Set([follower]), epoch: undefined, position: from, end: from ?? 0, reading: false };
    this.#topics.set(topic, followed);
    this.#tail.follow(topicStream(topic));
    // What was written before the tail followed has woken nobody.
    void this.#read(topic, followed);
    return followed.end;
  }

  unfollow(topic: string, follower: Follower): void {
    const followed = this.#topics.get(topic);
    if (!followed?.followers.delete(follower) || followed.followers.size > 0) return;
    this.#topics.delete(topic);
    this.#tail.unfollow(topicStream(topic));
  }

  /** An entry that this pod has just written. */
  entry(topic: string, entry: Entry, epoch: string): void {
    const followed = this.#topics.get(topic);
    if (!followed) return;
    followed.position ??= entry.offset - 1;
    const isNext = entry.offset === followed.position + 1;
    if (isNext && !followed.reading && followed.epoch === epoch) this.#feed(topic, followed, entry);
    else this.grown(topic, entry.offset);
  }

  /** Another pod has written up to `end`, and perhaps further. */
  grown(topic: string, end: number): void {
    const followed = this.#topics.get(topic);
    if (!followed || end === followed.position) return;
    followed.end = Math.max(followed.end, end);
    // Also when it is an old story by all that we know: a topic that was forgotten meanwhile begins anew.
    void this.#read(topic, followed);
  }

  #feed(topic: string, followed: Followed, entry: Entry): void {
    followed.position = entry.offset;
    followed.end = Math.max(followed.end, entry.offset);
    for (const follower of followed.followers) follower.handleEntry(topic, entry);
  }

  async #read(topic: string, followed: Followed): Promise<void> {
    if (followed.reading) return;
    followed.reading = true;
    const isFollowed = (): boolean => this.#topics.get(topic) === followed;
    do {
      const moved = await this.#readSlice(topic, followed, isFollowed).catch(() => false);
      if (!isFollowed()) return;
      if (followed.position === followed.end) break;
      if (!moved) await this.#pause();
    } while (isFollowed());
    followed.reading = false;
  }

  /** Tells whether it has brought us any further. */
  async #readSlice(topic: string, followed: Followed, isFollowed: () => boolean): Promise<boolean> {
    const before = followed.position;
    const slice = await this.#store.read(topicStream(topic), before ?? Number.MAX_SAFE_INTEGER, READ_LIMIT);
    if (!isFollowed()) return false;
    const isAnew = followed.epoch !== undefined && followed.epoch !== slice.epoch;
    followed.epoch = slice.epoch;
    if (isAnew) {
      followed.position = slice.first - 1;
      followed.end = slice.end;
      return true;
    }
    followed.end = Math.max(followed.end, slice.end);
    if (before === undefined) {
      followed.position ??= slice.end;
      return true;
    }
    // History that is gone cannot be fed; sessions learn of it from their own cursors.
    followed.position = Math.max(before, slice.first - 1);
    for (const entry of slice.entries) if (entry.offset > followed.position) this.#feed(topic, followed, entry);
    return followed.position > before;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#clock.setTimeout(() => resolve(), READ_AGAIN_MS));
  }
}
