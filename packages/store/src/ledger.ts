import type { Extent, Lifetime, Tokens } from './rules.js';
import type { Closing, Content, Lost, StreamKey } from './store.js';

/**
 * What a store must be able to do for {@link applyBatch} and the session rules to run on it: look records up, change them, and
 * keep entries. A store that runs its rules elsewhere, such as scripts in a database, has no ledger.
 */
export interface Ledger {
  session(id: string): SessionRecord | undefined;
  /** Makes the topic when it is not there. */
  topic(name: string): TopicRecord;
  /** Says that fields of a session other than its log were changed. */
  changed(session: SessionRecord): void;
  setData(session: SessionRecord, data: string): void;

  cursor(session: SessionRecord, topic: string): Cursor | undefined;
  cursors(session: SessionRecord): Iterable<readonly [topic: string, cursor: Cursor]>;
  /** Keeps the cursor of a subscription, or ends the subscription; the followers of the topic are counted here. */
  setCursor(session: SessionRecord, topic: string, cursor: Cursor | undefined): void;

  /** Writes behind the end of the log, drops what retention no longer keeps, and remembers to wake who follows it. */
  append(log: Log, content: Content, nowMs: number): void;
  /** Drops the entries up to this offset. */
  drop(log: Log, through: number): void;

  /** Removes a session with all that belongs to it. */
  remove(session: SessionRecord): void;
  /** Remembers to tell a pod that it no longer holds a session. */
  fence(pod: string, over: Lost): void;
}

/** A stream's bookkeeping, without its entries. */
export interface Log extends Extent {
  readonly key: StreamKey;
  readonly epoch: string;
}

export interface SessionRecord extends Lifetime {
  readonly id: string;
  readonly createdMs: number;
  readonly log: Log;
  pod: string;
  epoch: number;
  tokens: Tokens;
  /** The client's count of the attempt by which it was last attached. */
  attempt: number;
  watermark: number;
  acked: number;
  detachedMs: number | null;
  attachedMs: number;
  closing?: Closing | undefined;
}

export interface TopicRecord {
  readonly log: Log;
  /** How many sessions follow the topic. While any does it is kept, so that its epoch stays. */
  followers: number;
}

export interface Cursor {
  readonly epoch: string;
  readonly offset: number;
}
