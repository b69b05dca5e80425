import { LIMITS } from './limits.js';
import type { TopicAck, TopicCursor, TopicRange } from './frames.js';

/** What an offset means to the cursor of its stream. */
export type Arrival = 'fresh' | 'duplicate' | 'hole' | 'unknown';

interface Cursor {
  epoch: string;
  offset: number;
}

/**
 * Where the client stands in every stream that it follows: its session stream and its topics. It refuses what it has, notices
 * what is missing, and knows what to acknowledge and what is still to be replayed after a resume.
 */
export class Inbox {
  #session: Cursor = { epoch: '', offset: 0 };
  readonly #topics = new Map<string, Cursor>();
  /** Topics with something to acknowledge. */
  readonly #owed = new Set<string>();
  /** Streams whose replay is not complete ('' is the session stream), and the offset where it is. */
  readonly #replayEnds = new Map<string, number>();

  get offset(): number {
    return this.#session.offset;
  }

  get epoch(): string {
    return this.#session.epoch;
  }

  get topics(): TopicCursor[] {
    return Array.from(this.#topics, ([topic, cursor]) => ({ topic, ...cursor }));
  }

  get replaying(): boolean {
    return this.#replayEnds.size > 0;
  }

  get owesTopics(): boolean {
    return this.#owed.size > 0;
  }

  /** A new session begins. */
  begin(epoch: string): void {
    this.#session = { epoch, offset: 0 };
  }

  /**
   * The server has said which streams there are and where each ended. The cursors that we have stand, unless the stream began
   * anew: then the server says so with a gap. Returns whether anything is to be replayed.
   */
  resume(epoch: string, offset: number, end: number, topics: readonly TopicRange[]): boolean {
    this.#replayEnds.clear();
    this.#owed.clear();
    if (epoch !== this.#session.epoch) this.#session = { epoch, offset };
    this.#expectReplay('', this.#session.offset, end);
    const before = new Map(this.#topics);
    this.#topics.clear();
    for (const range of topics) {
      const known = before.get(range.topic);
      const offset = known && known.epoch === range.epoch ? Math.max(known.offset, range.offset) : range.offset;
      this.#topics.set(range.topic, { epoch: range.epoch, offset });
      this.#expectReplay(range.topic, offset, range.end);
    }
    return this.replaying;
  }

  /** Takes an entry of the session stream (topic '') or of a topic. The cursor moves only when it is fresh. */
  accept(topic: string, n: number): Arrival {
    const cursor = this.#cursor(topic);
    if (!cursor) return 'unknown';
    if (n <= cursor.offset) return 'duplicate';
    if (n > cursor.offset + 1) return 'hole';
    this.#advance(topic, cursor, n);
    return 'fresh';
  }

  subscribed(topic: string, epoch: string, offset: number): boolean {
    if (!this.#topics.has(topic) && this.#topics.size >= LIMITS.topics) return false;
    this.#topics.set(topic, { epoch, offset });
    return true;
  }

  unsubscribed(topic: string): void {
    this.#topics.delete(topic);
    this.#owed.delete(topic);
    this.#replayEnds.delete(topic);
  }

  /** What lies up to `to` will never come. False if the stream is not followed or the gap would take us back. */
  skip(topic: string, to: number, epoch: string): boolean {
    const cursor = this.#cursor(topic);
    if (!cursor || (cursor.epoch === epoch && to < cursor.offset)) return false;
    cursor.epoch = epoch;
    this.#advance(topic, cursor, to);
    return true;
  }

  /** Topics to acknowledge now, as many as one frame takes. */
  takeAcks(): TopicAck[] {
    const acks: TopicAck[] = [];
    for (const topic of this.#owed) {
      if (acks.length === LIMITS.acksPerFrame) break;
      this.#owed.delete(topic);
      acks.push({ topic, offset: (this.#topics.get(topic) as Cursor).offset });
    }
    return acks;
  }

  #cursor(topic: string): Cursor | undefined {
    return topic === '' ? this.#session : this.#topics.get(topic);
  }

  #advance(topic: string, cursor: Cursor, to: number): void {
    cursor.offset = to;
    if (topic !== '') this.#owed.add(topic);
    const end = this.#replayEnds.get(topic);
    if (end !== undefined && to >= end) this.#replayEnds.delete(topic);
  }

  #expectReplay(topic: string, offset: number, end: number): void {
    if (end > offset) this.#replayEnds.set(topic, end);
  }
}
