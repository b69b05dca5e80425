import type { Cursor, Ledger, SessionRecord, TopicRecord } from './ledger.js';
import { MemoryLog } from './memory-log.js';
import type { Content, Lost, NewSession, Retention } from './store.js';
import { sessionStream, topicStream } from './store.js';
import type { Tails } from './tails.js';

export interface MemorySession extends SessionRecord {
  readonly log: MemoryLog;
  readonly facts: { readonly request: string; data?: string };
  /** Made with the first subscription: most sessions of some applications have none. */
  cursors?: Map<string, Cursor>;
}

export interface MemoryTopic extends TopicRecord {
  readonly log: MemoryLog;
  /** The sessions that follow it. */
  readonly members: Set<string>;
}

/** Sessions and topics in maps. What is written is there at once, so there is nothing to remember for later. */
export class MemoryLedger implements Ledger {
  readonly sessions = new Map<string, MemorySession>();
  readonly topics = new Map<string, MemoryTopic>();
  readonly #retention: Retention;
  readonly #tails: Tails;
  /** The pod whose batch is being applied: it is not woken by itself. */
  writer: string | undefined;

  constructor(retention: Retention, tails: Tails) {
    this.#retention = retention;
    this.#tails = tails;
  }

  add({ id, pod, token, nowMs, lifeMs, request }: NewSession): MemorySession {
    const session: MemorySession = {
      id,
      pod,
      epoch: 1,
      tokens: { current: token },
      attempt: 0,
      watermark: 0,
      acked: 0,
      createdMs: nowMs,
      lifeMs,
      attachedMs: nowMs,
      detachedMs: null,
      log: new MemoryLog(sessionStream(id)),
      facts: { request },
    };
    this.sessions.set(id, session);
    return session;
  }

  session(id: string): MemorySession | undefined {
    return this.sessions.get(id);
  }

  topic(name: string): MemoryTopic {
    let topic = this.topics.get(name);
    if (topic === undefined) {
      topic = { log: new MemoryLog(topicStream(name)), followers: 0, members: new Set() };
      this.topics.set(name, topic);
    }
    return topic;
  }

  changed(): void {}

  setData(session: MemorySession, data: string): void {
    session.facts.data = data;
  }

  cursor(session: MemorySession, topic: string): Cursor | undefined {
    return session.cursors?.get(topic);
  }

  cursors(session: MemorySession): Iterable<readonly [string, Cursor]> {
    return session.cursors ?? [];
  }

  setCursor(session: MemorySession, topic: string, cursor: Cursor | undefined): void {
    if (cursor === undefined) {
      if (session.cursors?.delete(topic) === true) this.#count(this.topic(topic), session, -1);
      return;
    }
    session.cursors ??= new Map();
    if (!session.cursors.has(topic)) this.#count(this.topic(topic), session, 1);
    session.cursors.set(topic, cursor);
  }

  append(log: MemoryLog, content: Content, nowMs: number): void {
    log.append(content, nowMs, this.#retention);
    this.#tails.grew(log.key, log.end, this.writer);
  }

  drop(log: MemoryLog, through: number): void {
    log.drop(through);
  }

  remove(session: MemorySession): void {
    for (const topic of session.cursors?.keys() ?? []) this.#count(this.topic(topic), session, -1);
    this.sessions.delete(session.id);
  }

  fence(pod: string, over: Lost): void {
    this.#tails.fence(pod, over);
  }

  #count(topic: MemoryTopic, { id }: MemorySession, by: 1 | -1): void {
    topic.followers += by;
    if (by < 0) {
      topic.members.delete(id);
    } else {
      topic.members.add(id);
      topic.log.idleSinceMs = undefined;
    }
  }
}
