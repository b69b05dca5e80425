import {
  type Content,
  type Cursor,
  expiryOf,
  type Facts,
  type Lost,
  type Lease,
  type Ledger,
  newEpoch,
  type NewSession,
  type Retention,
  type StreamKey,
} from '@holdfast/store';
import { Entries } from './entries.js';
import { type Environment, keysIn } from './environment.js';
import {
  attachedKey,
  detachedKey,
  dueKey,
  factKey,
  factsOf,
  followerKey,
  nameKey,
  ownerKey,
  topicOfFact,
} from './keys.js';
import {
  LmdbLog,
  type LmdbSession,
  type LmdbTopic,
  readCursor,
  readLease,
  readSession,
  readTopic,
  writeCursor,
  writeSession,
  writeTopic,
} from './records.js';

/** The value of an index key, which says everything itself. */
const PRESENT = Buffer.of(1);

/** What others must be told once the transaction is committed. */
export interface News {
  /** Streams that have grown, their new ends, and for a session's the pod that owns it. */
  readonly grown: Map<StreamKey, { readonly end: number; readonly owner?: string }>;
  readonly fenced: { readonly pod: string; readonly over: Lost }[];
}

/** The ledger of one transaction. It reads each record once and writes those that have changed when it is flushed. */
export class LmdbLedger implements Ledger {
  readonly news: News = { grown: new Map(), fenced: [] };
  readonly entries: Entries;
  readonly #environment: Environment;
  readonly #sessions = new Map<string, LmdbSession | undefined>();
  readonly #topics = new Map<string, LmdbTopic | undefined>();
  readonly #changedSessions = new Set<LmdbSession>();
  readonly #changedTopics = new Set<LmdbTopic>();
  readonly #beforeAppend: (() => void) | undefined;

  constructor(environment: Environment, retention: Retention, beforeAppend?: () => void) {
    this.#environment = environment;
    this.entries = new Entries(environment.entries, retention);
    this.#beforeAppend = beforeAppend;
  }

  add({ id, pod, token, nowMs, lifeMs, request }: NewSession): LmdbSession {
    const session: LmdbSession = {
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
      log: LmdbLog.empty(`s:${id}`, newEpoch()),
      indexed: undefined,
    };
    this.#environment.facts.putSync(factKey(id, 'r'), Buffer.from(request));
    this.#sessions.set(id, session);
    this.#changedSessions.add(session);
    return session;
  }

  session(id: string): LmdbSession | undefined {
    if (this.#sessions.has(id)) return this.#sessions.get(id);
    const bytes = this.#environment.sessions.get(nameKey(id));
    const session = bytes && readSession(id, bytes);
    this.#sessions.set(id, session);
    return session;
  }

  topic(name: string): LmdbTopic {
    const known = this.knownTopic(name);
    if (known !== undefined) return known;
    const topic = { log: LmdbLog.empty(`t:${name}`, newEpoch()), followers: 0 };
    // Looked at by the next expiry: nobody may ever write to it.
    topic.log.dueMs = 0;
    this.#topics.set(name, topic);
    this.#changedTopics.add(topic);
    return topic;
  }

  /** The topic, if it is there. */
  knownTopic(name: string): LmdbTopic | undefined {
    if (this.#topics.has(name)) return this.#topics.get(name);
    const bytes = this.#environment.topics.get(nameKey(name));
    const topic = bytes && readTopic(name, bytes);
    this.#topics.set(name, topic);
    return topic;
  }

  changed(session: LmdbSession): void {
    this.#changedSessions.add(session);
  }

  changedTopic(topic: LmdbTopic): void {
    this.#changedTopics.add(topic);
  }

  lease(pod: string): Lease | undefined {
    const bytes = this.#environment.pods.get(nameKey(pod));
    return bytes && readLease(bytes);
  }

  factsOf(session: LmdbSession): Facts {
    const { facts } = this.#environment;
    const data = facts.get(factKey(session.id, 'd'));
    return { request: facts.get(factKey(session.id, 'r'))!.toString(), ...(data && { data: data.toString() }) };
  }

  setData(session: LmdbSession, data: string): void {
    this.#environment.facts.putSync(factKey(session.id, 'd'), Buffer.from(data));
  }

  cursor(session: LmdbSession, topic: string): Cursor | undefined {
    const bytes = this.#environment.facts.get(factKey(session.id, 't', topic));
    return bytes && readCursor(bytes);
  }

  cursors(session: LmdbSession): [topic: string, cursor: Cursor][] {
    const range = this.#environment.facts.getRange(factsOf(session.id, 't'));
    return [...range].map(({ key, value }) => [topicOfFact(key), readCursor(value)]);
  }

  setCursor(session: LmdbSession, topic: string, cursor: Cursor | undefined): void {
    const { facts } = this.#environment;
    const key = factKey(session.id, 't', topic);
    const isKnown = facts.doesExist(key);
    if (isKnown !== (cursor !== undefined)) this.#countFollower(topic, session, isKnown ? -1 : 1);
    if (cursor !== undefined) facts.putSync(key, writeCursor(cursor));
    else if (isKnown) facts.removeSync(key);
  }

  append(log: LmdbLog, content: Content, nowMs: number): void {
    this.#beforeAppend?.();
    this.entries.append(log, content, nowMs);
    const owner = this.#changedLog(log);
    this.news.grown.set(log.key, { end: log.end, ...(owner !== undefined && { owner }) });
  }

  drop(log: LmdbLog, through: number): void {
    this.entries.drop(log, through);
    this.#changedLog(log);
  }

  remove(session: LmdbSession): void {
    const { facts, sessions } = this.#environment;
    for (const [topic] of this.cursors(session)) this.#countFollower(topic, session, -1);
    for (const key of keysIn(facts, factsOf(session.id))) facts.removeSync(key);
    this.entries.drop(session.log, session.log.end);
    session.log.dueMs = undefined;
    this.#index(session.log);
    this.#unindex(session);
    sessions.removeSync(nameKey(session.id));
    this.#sessions.set(session.id, undefined);
    this.#changedSessions.delete(session);
    // Its entries are gone: there is nothing to wake up for.
    this.news.grown.delete(session.log.key);
  }

  /** Forgets a topic that has no entries and no followers. */
  forgetTopic(name: string, topic: LmdbTopic): void {
    topic.log.dueMs = undefined;
    this.#index(topic.log);
    this.#environment.topics.removeSync(nameKey(name));
    this.#topics.set(name, undefined);
    this.#changedTopics.delete(topic);
  }

  fence(pod: string, over: Lost): void {
    this.news.fenced.push({ pod, over });
  }

  /** Writes the records that have changed, and their index keys. The ledger is of no use afterwards. */
  flush(): void {
    const { sessions, topics } = this.#environment;
    for (const session of this.#changedSessions) {
      sessions.putSync(nameKey(session.id), writeSession(session));
      this.#index(session.log);
      if (session.indexed?.pod === session.pod && session.indexed.detachedMs === session.detachedMs) continue;
      this.#unindex(session);
      for (const key of indexKeys(session)) this.#environment.index.putSync(key, PRESENT);
    }
    for (const topic of this.#changedTopics) {
      topics.putSync(nameKey(topic.log.key.slice(2)), writeTopic(topic));
      this.#index(topic.log);
    }
  }

  /** Remembers to write the record that the log is part of; returns the owner if it is a session. */
  #changedLog(log: LmdbLog): string | undefined {
    const name = log.key.slice(2);
    if (log.key.startsWith('t:')) {
      this.#changedTopics.add(this.topic(name));
      return undefined;
    }
    const session = this.session(name)!;
    this.#changedSessions.add(session);
    return session.pod;
  }

  /** A topic without entries is looked at by expiries while nobody follows it. */
  #countFollower(name: string, { id }: LmdbSession, by: 1 | -1): void {
    const topic = this.topic(name);
    const { index } = this.#environment;
    if (by === 1) index.putSync(followerKey(name, id), PRESENT);
    else index.removeSync(followerKey(name, id));
    topic.followers += by;
    const { log } = topic;
    if (by === 1) log.idleSinceMs = undefined;
    if (log.isEmpty && topic.followers === 0) log.dueMs ??= 0;
    else if (log.isEmpty) log.dueMs = undefined;
    // At once: an expiry that has just removed the last follower looks at its topics next.
    this.#index(log);
    this.#changedTopics.add(topic);
  }

  /** Moves a log to where in the index it belongs. */
  #index(log: LmdbLog): void {
    if (log.indexedMs === log.dueMs) return;
    const { index } = this.#environment;
    if (log.indexedMs !== undefined) index.removeSync(dueKey(log.indexedMs, log.key));
    if (log.dueMs !== undefined) index.putSync(dueKey(log.dueMs, log.key), PRESENT);
    log.indexedMs = log.dueMs;
  }

  #unindex(session: LmdbSession): void {
    if (session.indexed === undefined) return;
    for (const key of indexKeys({ ...session, ...session.indexed })) this.#environment.index.removeSync(key);
    session.indexed = undefined;
  }
}

function indexKeys({ id, pod, lifeMs, detachedMs, attachedMs }: LmdbSession): Buffer[] {
  const state =
    detachedMs === null
      ? attachedKey(pod, lifeMs, id)
      : detachedKey(expiryOf({ lifeMs, detachedMs, attachedMs }, undefined), id);
  return [ownerKey(pod, id), state];
}
