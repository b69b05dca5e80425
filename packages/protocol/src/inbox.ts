import { LIMITS } from './limits.js';
import type { TopicAck, TopicCursor, TopicRange } from './frames.js';

/**
 * What a number means to the cursor of its stream. `duplicate`: we had it from an older transport. `hole`: one before it was
 * skipped. `unknown`: the stream is not followed.
 */
export type Arrival = 'fresh' | 'duplicate' | 'hole' | 'unknown';

interface Cursor {
  epoch: string;
  /** Last entry that we have. */
  offset: number;
  /**
   * Where the transport of now is: behind `offset` as long as it repeats what an older one brought while it was being made. This is
   * what may be acknowledged, since the server knows only what it sent itself.
   */
  at: number;
  /**
   * The server has another stream under this name. The old cursor stands until a gap has told of that, so that it is told again
   * when the transport is cut before.
   */
  isOver: boolean;
}

/**
 * Where the client stands in every stream that it follows: its session stream (named '') and its topics. It refuses what it
 * has, notices what is missing, and knows what to acknowledge and what is still to be replayed after a resume.
 */
export class Inbox {
  #session: Cursor = { epoch: '', offset: 0, at: 0, isOver: false };
  readonly #topics = new Map<string, Cursor>();
  /** Topics with something to acknowledge. */
  readonly #owed = new Set<string>();
  /** Streams whose replay is not complete, and the offset where it is. */
  readonly #replayEnds = new Map<string, number>();

  get epoch(): string {
    return this.#session.epoch;
  }

  /** Last entry of the session stream that we have. */
  get offset(): number {
    return this.#session.offset;
  }

  /** What to acknowledge of the session stream on the transport of now. */
  get ack(): number {
    return this.#session.at;
  }

  get topics(): TopicCursor[] {
    return Array.from(this.#topics, ([topic, { epoch, offset }]) => ({ topic, epoch, offset }));
  }

  get replaying(): boolean {
    return this.#replayEnds.size > 0;
  }

  get owesTopics(): boolean {
    return this.#owed.size > 0;
  }

  /** A new session begins. */
  begin(epoch: string): void {
    this.#session = { epoch, offset: 0, at: 0, isOver: false };
  }

  /**
   * The server has said which streams there are, from where it goes on in each, and where each ended. False, and no change, if the session stream would lack entries
   * that nobody declared lost. (A topic may: it was left and followed again while we were away.)
   */
  resume(epoch: string, offset: number, end: number, topics: readonly TopicRange[]): boolean {
    if (offset > (epoch === this.#session.epoch ? this.#session.offset : 0)) return false;
    this.#replayEnds.clear();
    this.#owed.clear();
    this.#session = this.#goOn('', this.#session, { epoch, offset, end });
    const before = new Map(this.#topics);
    this.#topics.clear();
    for (const range of topics) this.#topics.set(range.topic, this.#goOn(range.topic, before.get(range.topic), range));
    return true;
  }

  /** Takes an entry of the session stream (topic '') or of a topic. The cursor moves only if it is the next. */
  accept(topic: string, n: number): Arrival {
    const cursor = this.#cursor(topic);
    if (!cursor) return 'unknown';
    if (cursor.isOver || n !== cursor.at + 1) return 'hole';
    return this.#advance(topic, cursor, n) ? 'fresh' : 'duplicate';
  }

  /**
   * What lies from `from` up to `to` will never come; `from` 0 means that the stream began anew in this epoch. If that is what
   * comes next, returns from where on it is news to us.
   */
  skip(topic: string, from: number, to: number, epoch: string): { from: number } | Exclude<Arrival, 'fresh'> {
    const cursor = this.#cursor(topic);
    if (!cursor) return 'unknown';
    if (from === 0 && (cursor.isOver || epoch !== cursor.epoch)) {
      Object.assign(cursor, { epoch, offset: 0, isOver: false });
      // How far the replay goes may have been said of the old stream.
      this.#replayEnds.delete(topic);
      this.#advance(topic, cursor, to);
      return { from };
    }
    if (cursor.isOver || epoch !== cursor.epoch || cursor.at !== Math.max(from - 1, 0)) return 'hole';
    const next = cursor.offset + 1;
    return this.#advance(topic, cursor, to) ? { from: Math.max(from, next) } : 'duplicate';
  }

  subscribed(topic: string, epoch: string, offset: number): boolean {
    if (!this.#topics.has(topic) && this.#topics.size >= LIMITS.topics) return false;
    this.#topics.set(topic, { epoch, offset, at: offset, isOver: false });
    this.#replayEnds.delete(topic);
    return true;
  }

  unsubscribed(topic: string): void {
    this.#topics.delete(topic);
    this.#owed.delete(topic);
    this.#replayEnds.delete(topic);
  }

  /** Topics to acknowledge now, as many as one frame takes. */
  takeAcks(): TopicAck[] {
    const acks: TopicAck[] = [];
    for (const topic of this.#owed) {
      if (acks.length === LIMITS.acksPerFrame) break;
      this.#owed.delete(topic);
      acks.push({ topic, offset: (this.#topics.get(topic) as Cursor).at });
    }
    return acks;
  }

  #cursor(topic: string): Cursor | undefined {
    return topic === '' ? this.#session : this.#topics.get(topic);
  }

  /** Moves to `to`; false if we had that already. */
  #advance(topic: string, cursor: Cursor, to: number): boolean {
    cursor.at = to;
    if (topic !== '') this.#owed.add(topic);
    const end = this.#replayEnds.get(topic);
    if (end !== undefined && to >= end) this.#replayEnds.delete(topic);
    if (to <= cursor.offset) return false;
    cursor.offset = to;
    return true;
  }

  /** The cursor of a stream that goes on behind `offset`, and how far its replay goes. */
  #goOn(topic: string, known: Cursor | undefined, range: { epoch: string; offset: number; end: number }): Cursor {
    const { epoch, offset: at, end } = range;
    const isOver = known !== undefined && known.epoch !== epoch;
    const offset = Math.max(known?.offset ?? 0, at);
    if (isOver || end > offset) this.#replayEnds.set(topic, end);
    return isOver ? { ...known, at, isOver } : { epoch, offset, at, isOver };
  }
}
