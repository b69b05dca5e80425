import type {
  Closing,
  Cursor,
  Extent,
  Lease,
  Log,
  SessionRecord,
  StreamKey,
  Tokens,
  TopicRecord,
} from '@holdfast/store';
import { entryPrefix } from './keys.js';

/** What the tables hold, as JSON: it is small, and can be read with any tool when something is wrong. */

interface StoredLog {
  readonly epoch: string;
  readonly first: number;
  readonly end: number;
  /** Payload bytes ever written. */
  readonly total: number;
  /** Of those, the bytes of entries that are gone. */
  readonly dropped: number;
  /** No entry is older than this; the log is indexed under it. Absent when there is nothing to look for. */
  readonly dueMs?: number | undefined;
  readonly idleSinceMs?: number | undefined;
}

interface StoredSession {
  readonly pod: string;
  readonly epoch: number;
  readonly tokens: Tokens;
  readonly attempt: number;
  readonly watermark: number;
  readonly acked: number;
  readonly createdMs: number;
  readonly lifeMs: number;
  readonly attachedMs: number;
  readonly detachedMs: number | null;
  readonly closing?: Closing | undefined;
  readonly log: StoredLog;
}

interface StoredTopic {
  readonly followers: number;
  readonly log: StoredLog;
}

export class LmdbLog implements Log, Extent {
  readonly key: StreamKey;
  readonly epoch: string;
  readonly prefix: Buffer;
  first: number;
  end: number;
  total: number;
  dropped: number;
  dueMs: number | undefined;
  /** Since when `expire` has seen a topic without entries and followers. */
  idleSinceMs: number | undefined;
  /** Under which time it is in the index now. */
  indexedMs: number | undefined;

  constructor(key: StreamKey, { epoch, first, end, total, dropped, dueMs, idleSinceMs }: StoredLog) {
    this.key = key;
    this.epoch = epoch;
    this.prefix = entryPrefix(key);
    this.first = first;
    this.end = end;
    this.total = total;
    this.dropped = dropped;
    this.dueMs = dueMs;
    this.idleSinceMs = idleSinceMs;
    this.indexedMs = dueMs;
  }

  static empty(key: StreamKey, epoch: string): LmdbLog {
    return new LmdbLog(key, { epoch, first: 1, end: 0, total: 0, dropped: 0 });
  }

  get bytes(): number {
    return this.total - this.dropped;
  }

  get isEmpty(): boolean {
    return this.first > this.end;
  }

  toJSON(): StoredLog {
    const { epoch, first, end, total, dropped, dueMs, idleSinceMs } = this;
    return { epoch, first, end, total, dropped, dueMs, idleSinceMs };
  }
}

export interface LmdbSession extends SessionRecord {
  readonly log: LmdbLog;
  /** Under which owner and state it is in the index now; undefined when it is not. */
  indexed: Pick<SessionRecord, 'pod' | 'detachedMs'> | undefined;
}

export interface LmdbTopic extends TopicRecord {
  readonly log: LmdbLog;
}

/** It is read and written for nearly every message: field by field takes half of what copying by spread does. */
export function readSession(id: string, bytes: Buffer): LmdbSession {
  const stored = parse<StoredSession>(bytes);
  return {
    id,
    pod: stored.pod,
    epoch: stored.epoch,
    tokens: stored.tokens,
    attempt: stored.attempt,
    watermark: stored.watermark,
    acked: stored.acked,
    createdMs: stored.createdMs,
    lifeMs: stored.lifeMs,
    attachedMs: stored.attachedMs,
    detachedMs: stored.detachedMs,
    closing: stored.closing,
    log: new LmdbLog(`s:${id}`, stored.log),
    indexed: { pod: stored.pod, detachedMs: stored.detachedMs },
  };
}

export function writeSession(session: LmdbSession): Buffer {
  const stored: StoredSession = {
    pod: session.pod,
    epoch: session.epoch,
    tokens: session.tokens,
    attempt: session.attempt,
    watermark: session.watermark,
    acked: session.acked,
    createdMs: session.createdMs,
    lifeMs: session.lifeMs,
    attachedMs: session.attachedMs,
    detachedMs: session.detachedMs,
    closing: session.closing,
    log: session.log.toJSON(),
  };
  return format(stored);
}

export function readTopic(name: string, bytes: Buffer): LmdbTopic {
  const { followers, log } = parse<StoredTopic>(bytes);
  return { followers, log: new LmdbLog(`t:${name}`, log) };
}

export function writeTopic(topic: LmdbTopic): Buffer {
  return format(topic satisfies StoredTopic);
}

export const readCursor = (bytes: Buffer): Cursor => parse<Cursor>(bytes);
export const writeCursor = (cursor: Cursor): Buffer => format(cursor);
export const readLease = (bytes: Buffer): Lease => parse<Lease>(bytes);
export const writeLease = (lease: Lease): Buffer => format(lease);

function parse<T>(bytes: Buffer): T {
  return JSON.parse(bytes.toString()) as T;
}

function format(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
