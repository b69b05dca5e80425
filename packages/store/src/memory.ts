import { errors, HoldfastError } from '@holdfast/protocol';
import { applyBatch, endSession } from './apply.js';
import { MemoryLedger, type MemorySession, type MemoryTopic } from './memory-ledger.js';
import type { MemoryLog } from './memory-log.js';
import { ageLimit, expiryOf, hasLapsed, type Lease, renewLease, retentionOf } from './rules.js';
import type {
  Batch,
  BatchResult,
  Claim,
  Followers,
  NewSession,
  ReadLimit,
  Refusal,
  Retention,
  SessionState,
  Slice,
  Store,
  StoreStats,
  StreamKey,
  Tail,
  Wake,
} from './store.js';
import { Tails } from './tails.js';
import { adoptSession, attachSession, stateOf } from './takeover.js';

export interface MemoryStoreOptions {
  /** How much of each stream is kept. Default {@link DEFAULT_RETENTION}. */
  readonly retention?: Partial<Retention>;
}

/**
 * A store in this process's memory: sessions survive their transports, not their process. Several pods of one process share one
 * instance. Payloads are kept by reference; whoever hands one over must not change it afterwards.
 */
export class MemoryStore implements Store {
  readonly durable = false;
  readonly #retention: Retention;
  readonly #tails = new Tails();
  readonly #ledger: MemoryLedger;
  readonly #leases = new Map<string, Lease>();

  constructor(options: MemoryStoreOptions = {}) {
    this.#retention = retentionOf(options.retention);
    this.#ledger = new MemoryLedger(this.#retention, this.#tails);
  }

  async create(session: NewSession): Promise<SessionState> {
    if (this.#ledger.session(session.id) !== undefined) throw new HoldfastError(errors.SESSION_EXISTS, session.id);
    return this.#state(this.#ledger.add(session));
  }

  async attach(claim: Claim): Promise<SessionState | Refusal> {
    const lease = this.#leaseOf(this.#ledger.session(claim.id));
    const session = attachSession(this.#ledger, claim, lease);
    return typeof session === 'string' ? session : this.#state(session as MemorySession);
  }

  async commit(batch: Batch): Promise<BatchResult> {
    this.#ledger.writer = batch.pod;
    return applyBatch(this.#ledger, batch);
  }

  async read(stream: StreamKey, after: number, limit: ReadLimit): Promise<Slice> {
    const log = this.#logOf(stream);
    if (log === undefined) return { epoch: '', first: 1, end: 0, entries: [] };
    return { epoch: log.epoch, first: log.first, end: log.end, entries: log.read(after, limit) };
  }

  async followers(topic: string, after: string, limit: number): Promise<Followers> {
    const members = Array.from(this.#ledger.topics.get(topic)?.members ?? []);
    const sessions = members.filter((id) => id > after).sort();
    return { sessions: sessions.slice(0, limit), total: members.length };
  }

  tail(pod: string, listener: (wake: Wake) => void): Tail {
    return this.#tails.open(pod, listener);
  }

  async lease(pod: string, untilMs: number): Promise<void> {
    this.#leases.set(pod, renewLease(this.#leases.get(pod), untilMs));
  }

  async adopt(pod: string, nowMs: number, limit: number): Promise<SessionState[]> {
    const gone = new Map([...this.#leases].filter(([name, lease]) => name !== pod && hasLapsed(lease, nowMs)));
    if (gone.size === 0) return [];
    const adopted: SessionState[] = [];
    for (const session of this.#ledger.sessions.values()) {
      if (adopted.length >= limit) break;
      const lease = gone.get(session.pod);
      if (lease === undefined || expiryOf(session, lease) < nowMs) continue;
      adoptSession(this.#ledger, session, pod, nowMs);
      adopted.push(this.#state(session));
    }
    return adopted;
  }

  async expire(nowMs: number, limit: number): Promise<string[]> {
    const expired: string[] = [];
    const limitMs = ageLimit(nowMs, this.#retention);
    const pods = new Set<string>();
    for (const session of this.#ledger.sessions.values()) {
      if (expired.length < limit && expiryOf(session, this.#leaseOf(session)) < nowMs) {
        endSession(this.#ledger, session);
        expired.push(session.id);
      } else {
        session.log.dropOld(limitMs);
        pods.add(session.pod);
      }
    }
    for (const [name, topic] of this.#ledger.topics) this.#expireTopic(name, topic, nowMs);
    for (const [pod, { latestMs }] of this.#leases) {
      if (latestMs < limitMs && !pods.has(pod)) this.#leases.delete(pod);
    }
    return expired;
  }

  async stats(): Promise<StoreStats> {
    const { sessions, topics } = this.#ledger;
    let entries = 0;
    let bytes = 0;
    for (const { log } of [...sessions.values(), ...topics.values()]) {
      entries += log.count;
      bytes += log.bytes;
    }
    return { sessions: sessions.size, streams: sessions.size + topics.size, entries, bytes };
  }

  async close(): Promise<void> {}

  /** A topic that has been without entries and followers for as long as an entry is kept is forgotten, epoch and all. */
  #expireTopic(name: string, { log, followers }: MemoryTopic, nowMs: number): void {
    const limitMs = ageLimit(nowMs, this.#retention);
    log.dropOld(limitMs);
    if (log.count > 0 || followers > 0) return;
    if (log.idleSinceMs === undefined) log.idleSinceMs = nowMs;
    else if (log.idleSinceMs < limitMs) this.#ledger.topics.delete(name);
  }

  #leaseOf(session: MemorySession | undefined): Lease | undefined {
    return session && this.#leases.get(session.pod);
  }

  #logOf(stream: StreamKey): MemoryLog | undefined {
    const name = stream.slice(2);
    return stream.startsWith('t:') ? this.#ledger.topic(name).log : this.#ledger.session(name)?.log;
  }

  #state(session: MemorySession): SessionState {
    return stateOf(this.#ledger, session, session.facts);
  }
}
