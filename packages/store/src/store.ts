/**
 * What sessions need of a store: few operations, each atomic, each taking the time as an argument.
 *
 * A store holds sessions, the ordered streams that they read, and the leases of the pods that own them. Every write that a
 * session makes carries the attachment epoch under which it was made, and a write under an old epoch is refused: that is the
 * fence. Two writers that race are decided by the store alone, never by who noticed what first.
 */
export interface Store {
  /** Whether what is committed outlives every process that uses the store. */
  readonly durable: boolean;

  /** Records a new session, owned by the pod that made it, with attachment epoch 1. */
  create(session: NewSession): Promise<SessionState>;

  /**
   * Takes a session over: proves the token, raises the attachment epoch and so fences whoever held it, and returns the state.
   * The token of the last attach stays good until the client has shown that it has the next one ({@link Part.confirm}): a
   * connection may be cut between the two.
   */
  attach(claim: Claim): Promise<SessionState | Refusal>;

  /** Applies a batch, all parts that are not fenced, in order and atomically: after a crash either all of it is there or none. */
  commit(batch: Batch): Promise<BatchResult>;

  /**
   * Reads a stream from just behind `after`. A topic that nobody has written to yet is made, so that it has an epoch. The stream
   * of a session that is not there is empty, with epoch ''.
   */
  read(stream: StreamKey, after: number, limit: ReadLimit): Promise<Slice>;

  /**
   * The sessions that follow a topic, whether their clients are there or not: at most `limit`, in the order of their ids, from just
   * behind `after` ('' for the first). Nothing is made by asking.
   */
  followers(topic: string, after: string, limit: number): Promise<Followers>;

  /**
   * Calls `listener` with what other pods have done to the streams that this tail follows and to the sessions that this pod
   * owned. A wake-up may be late, merged with others or lost: it says where to look, and offsets tell what is missing. Of a
   * session's stream the pod that owns the session is told. The listener is never called from within another call.
   */
  tail(pod: string, listener: (wake: Wake) => void): Tail;

  /**
   * Says that the pod is alive until `untilMs`. A pod whose lease has lapsed loses its sessions to whoever adopts them. The name
   * of a pod is that of one run of one process: one that starts anew takes a new name, or its old sessions look alive.
   */
  lease(pod: string, untilMs: number): Promise<void>;

  /**
   * Takes over at most `limit` sessions whose pod's lease has lapsed, each with a raised epoch, and returns them. Their transports
   * went with their pod, so one that was attached counts as detached from now on. A pod that stops in order lets its lease lapse
   * at once with `lease(pod, 0)`. A pod that never took a lease has none that lapses.
   */
  adopt(pod: string, nowMs: number, limit: number): Promise<SessionState[]>;

  /**
   * Removes at most `limit` sessions that have been without a transport for longer than their life, and what retention no
   * longer keeps of any stream. Returns the ids of the sessions. Every pod may call it at any time.
   *
   * A life runs from when the transport was lost; for one that is attached, from the latest time that any lease of its pod ran
   * to, or from the attach if that is later. A topic that has had neither entries nor followers for `ageMs` is forgotten, epoch
   * and all, and so is the lease of a pod that owns nothing and ran out so long ago.
   */
  expire(nowMs: number, limit: number): Promise<string[]>;

  /** How full the store is, for health checks and metrics. */
  stats(): Promise<StoreStats>;

  close(): Promise<void>;
}

/** SHA-256 of a resume token, base64url. The store never sees the token. */
export type TokenHash = string;

/** `s:` and a session id, or `t:` and a topic. */
export type StreamKey = `s:${string}` | `t:${string}`;

export const sessionStream = (session: string): StreamKey => `s:${session}`;
export const topicStream = (topic: string): StreamKey => `t:${topic}`;

export interface NewSession {
  readonly id: string;
  readonly pod: string;
  readonly token: TokenHash;
  readonly nowMs: number;
  /** How long the session lives without a transport, in milliseconds. */
  readonly lifeMs: number;
  /** What the application wants to know again about the handshake when the session moves, JSON. */
  readonly request: string;
}

export interface Claim {
  readonly id: string;
  readonly pod: string;
  readonly presented: TokenHash;
  /**
   * The client's count of its attempts. It must be higher than that of the last attach: one that was held up in the network
   * must not undo a later one, whose token would be lost with it.
   */
  readonly attempt: number;
  readonly next: TokenHash;
  readonly nowMs: number;
}

/** `unknown`: no such session, or its life is over. `refused`: the token is not good. `late`: overtaken by a later attempt. */
export type Refusal = 'unknown' | 'refused' | 'late';

export interface SessionState {
  readonly id: string;
  /** Raised at every attach and adoption; the fence. */
  readonly epoch: number;
  /** Highest client message whose effects are committed. */
  readonly watermark: number;
  readonly stream: StreamState;
  readonly topics: readonly Subscription[];
  /** `session.data` of the application, JSON; absent when it never had any. */
  readonly data?: string;
  /** Set when the application has closed the session and the client may not have heard of it yet. */
  readonly closing?: Closing;
  readonly request: string;
  readonly createdMs: number;
}

export interface StreamState {
  readonly epoch: string;
  /** Last offset that was written; 0 when none was. */
  readonly end: number;
  /** Last offset that the client is known to have. */
  readonly acked: number;
}

/** A topic that a session follows: it gets the entries behind `offset`. */
export interface Subscription {
  readonly topic: string;
  readonly epoch: string;
  readonly offset: number;
  readonly end: number;
}

export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** All that a pod did in one turn of its event loop. */
export interface Batch {
  readonly pod: string;
  readonly nowMs: number;
  readonly parts: readonly Part[];
}

/** The session and the epoch under which something was done to it. */
export interface Guard {
  readonly session: string;
  readonly epoch: number;
}

/**
 * What belongs together: a message of a session with the effects of its handler. Where the guard is not current the whole
 * part is refused. Without a guard (a timer of the application, an HTTP handler) the effects stand for themselves, and the other
 * fields, which are about the session of the guard, are ignored. Watermark and cursors move forward only, and cursors at most to
 * the end of their stream.
 */
export interface Part {
  readonly guard?: Guard;
  readonly watermark?: number;
  /** The client has shown that it holds the newest token: the one before is dead. */
  readonly confirm?: true;
  /** The client has the session stream up to here: older entries may go. */
  readonly acked?: number;
  /** The same for topics, so that a session that is adopted or resumed late starts where it was. */
  readonly topicsAcked?: readonly { readonly topic: string; readonly offset: number }[];
  /** When the transport was lost; null when there is one again. */
  readonly detachedMs?: number | null;
  /** The session has ended: it and its stream are removed, after the effects. */
  readonly end?: true;
  readonly effects: readonly Effect[];
}

/**
 * In place of an epoch, for `send` alone: from somebody who does not hold the session, and does not know who does. It is taken as
 * long as the session is there.
 */
export const ANY_EPOCH = 0;

/**
 * A change to a session is guarded by the epoch of *that* session, also when the handler of another one made it.
 *
 * `send`: refused once the session is closing; may be guarded by {@link ANY_EPOCH}. `subscribe`: from the end of the topic as it is at this point of the batch, so that
 * what is published later in the same batch is received; made twice, it keeps the older cursor. `unsubscribe`: no error where there
 * is nothing to end. `close`: the first one counts.
 */
export type Effect =
  | ({ readonly type: 'send' } & Guard & Content)
  | ({ readonly type: 'publish'; readonly topic: string } & Content)
  | ({ readonly type: 'subscribe' | 'unsubscribe'; readonly topic: string } & Guard)
  | ({ readonly type: 'data'; readonly data: string } & Guard)
  | ({ readonly type: 'close' } & Guard & Closing);

export interface Content {
  /** The payload; text as its UTF-8 bytes. */
  readonly data: Uint8Array;
  readonly binary: boolean;
}

export interface BatchResult {
  /** One for each part, in order. */
  readonly parts: readonly PartResult[];
}

/** A session that a pod has lost, the epoch that is over, and whether there is no such session any more. */
export interface Lost extends Guard {
  readonly gone?: true;
}

/** Whether the guard held, and then a result for each effect, in order. Where it did not: whether the session is there at all. */
export type PartResult =
  | { readonly fenced: true; readonly gone?: true }
  | { readonly fenced: false; readonly effects: readonly EffectResult[] };

/** Where an append landed or a subscription starts (0 and '' for the other effects), or that its own guard was not current. */
export type EffectResult = { readonly offset: number; readonly epoch: string } | 'fenced';

export interface ReadLimit {
  readonly entries: number;
  /** Stops behind the entry that reaches this; at least one entry is returned. */
  readonly bytes: number;
}

export interface Slice {
  /** Changes whenever history may have been lost. */
  readonly epoch: string;
  /** Oldest offset that is still there; `end + 1` when there is none. */
  readonly first: number;
  /** Last offset that was written. */
  readonly end: number;
  /** Contiguous, from the first retained one behind `after`. */
  readonly entries: readonly Entry[];
}

export interface Entry extends Content {
  readonly offset: number;
}

export interface Followers {
  readonly sessions: readonly string[];
  /** How many there are in all. */
  readonly total: number;
}

export interface Wake {
  /** Streams that have grown, and their new ends. */
  readonly streams: ReadonlyMap<StreamKey, number>;
  /**
   * Sessions that this pod has lost: another has attached or adopted them, or they have ended. `epoch` is the one that is over;
   * a pod that has got the session again since then holds a newer one.
   */
  readonly fenced: readonly Lost[];
}

export interface Tail {
  follow(stream: StreamKey): void;
  unfollow(stream: StreamKey): void;
  close(): void;
}

/** How much of one stream is kept. What goes over any of the bounds is dropped, oldest first, and readers get a gap. */
export interface Retention {
  /** Default 10,000 entries. */
  readonly entries: number;
  /** Default 16 MiB of payloads. */
  readonly bytes: number;
  /** Default 1 h. */
  readonly ageMs: number;
}

export const DEFAULT_RETENTION: Retention = { entries: 10_000, bytes: 16_777_216, ageMs: 3_600_000 };

export interface StoreStats {
  readonly sessions: number;
  readonly streams: number;
  readonly entries: number;
  /** Bytes of payload, or of the file where there is one. */
  readonly bytes: number;
}
