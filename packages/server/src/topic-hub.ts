import { topicStream, type Entry, type Store, type Tail } from '@holdfast/store';

/** Whoever gets the entries of a topic as they are written. */
export interface Follower {
  handleEntry(topic: string, entry: Entry): void;
}

interface Followed {
  readonly followers: Set<Follower>;
  /** Last offset that was fed to the followers; undefined until the topic's end is known. */
  position: number | undefined;
  /** Known to exist beyond the position. */
  end: number;
  reading: boolean;
}

const READ_LIMIT = { entries: 256, bytes: 1_048_576 };

/**
 * Feeds what is written to topics, here or by another pod, to those who follow them on this pod: one read of the store for all
 * of them. Entries are fed in order and without a hole; a follower that takes no more reads the rest from the log itself.
 */
export class TopicHub {
  readonly #store: Store;
  readonly #tail: Tail;
  readonly #topics = new Map<string, Followed>();

  constructor(store: Store, tail: Tail) {
    this.#store = store;
    this.#tail = tail;
  }

  /** `position` is the offset behind which the follower wants entries, if it knows. */
  follow(topic: string, follower: Follower): void {
    let followed = this.#topics.get(topic);
    if (!followed) {
      followed = { followers: new Set(), position: undefined, end: 0, reading: false };
      this.#topics.set(topic, followed);
      this.#tail.follow(topicStream(topic));
    }
    followed.followers.add(follower);
  }

  unfollow(topic: string, follower: Follower): void {
    const followed = this.#topics.get(topic);
    if (!followed?.followers.delete(follower) || followed.followers.size > 0) return;
    this.#topics.delete(topic);
    this.#tail.unfollow(topicStream(topic));
  }

  /** The topic stands at `offset`: a subscription of ours was committed there. */
  stands(topic: string, offset: number): void {
    const followed = this.#topics.get(topic);
    if (!followed) return;
    followed.position ??= offset;
    this.grown(topic, offset);
  }

  /** An entry that this pod has just written. */
  entry(topic: string, entry: Entry): void {
    const followed = this.#topics.get(topic);
    if (!followed) return;
    followed.position ??= entry.offset - 1;
    if (entry.offset === followed.position + 1 && !followed.reading) this.#feed(topic, followed, entry);
    else this.grown(topic, entry.offset);
  }

  /** Another pod has written up to `end`. */
  grown(topic: string, end: number): void {
    const followed = this.#topics.get(topic);
    if (!followed) return;
    followed.end = Math.max(followed.end, end);
    followed.position ??= end - 1;
    if (followed.position < followed.end && !followed.reading) void this.#read(topic, followed);
  }

  #feed(topic: string, followed: Followed, entry: Entry): void {
    followed.position = entry.offset;
    for (const follower of followed.followers) follower.handleEntry(topic, entry);
  }

  async #read(topic: string, followed: Followed): Promise<void> {
    followed.reading = true;
    try {
      while ((followed.position ?? 0) < followed.end && this.#topics.get(topic) === followed) {
        const after = followed.position ?? 0;
        const slice = await this.#store.read(topicStream(topic), after, READ_LIMIT);
        // History that is gone cannot be fed; sessions learn of it from their own cursors.
        followed.position = Math.max(after, slice.first - 1);
        for (const entry of slice.entries) this.#feed(topic, followed, entry);
        if (slice.entries.length === 0) followed.end = followed.position;
      }
    } catch {
      // The store is in trouble. The next entry or wake-up looks again from the same position.
    } finally {
      followed.reading = false;
    }
  }
}
