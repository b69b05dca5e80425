import { mkdirSync } from 'node:fs';
import {
  applyBatch,
  attachSession,
  type Batch,
  type BatchResult,
  type Claim,
  errors,
  type Followers,
  type Guard,
  HoldfastError,
  type NewSession,
  type ReadLimit,
  type Refusal,
  renewLease,
  type Retention,
  type SessionState,
  type Slice,
  stateOf,
  type Store,
  type StoreStats,
  type StreamKey,
  type Tail,
  Tails,
  type Wake,
} from '@holdfast/store';
import { bellDirectory } from './bell-path.js';
import { readBootId } from './boot.js';
import { Doorbell, type Ring } from './doorbell.js';
import { Environment, keysIn } from './environment.js';
import { adoptSessions, expireLeases, expireSessions, expireStreams } from './expiry.js';
import { followerOf, followersOf, nameKey } from './keys.js';
import { type LmdbStoreInternals, type LmdbStoreOptions, type Settings, settingsOf } from './options.js';
import { readMarker } from './marker.js';
import { LmdbLedger } from './lmdb-ledger.js';
import { type Position, Positions } from './positions.js';
import { type LmdbSession, writeLease } from './records.js';
import { addedBy, Room } from './room.js';

/** A session without any message: its record, request and index keys. */
const SESSION_BYTES = 2048;

/**
 * The embedded, durable store, shared by the processes of one machine that open the same directory. Each commit is one synchronous
 * LMDB transaction: the processes wait for each other's, some ten microseconds each. A process that is stopped (SIGSTOP) within one
 * holds up the others until it goes on or dies.
 */
export class LmdbStore implements Store {
  readonly durable = true;
  readonly #environment: Environment;
  readonly #retention: Retention;
  readonly #room: Room;
  readonly #tails = new Tails();
  readonly #positions: Positions;
  readonly #doorbell: Doorbell;
  readonly #timer: NodeJS.Timeout;
  readonly #beforeAppend: (() => void) | undefined;

  private constructor(parts: Parts) {
    this.#environment = parts.environment;
    this.#retention = parts.retention;
    this.#room = new Room(parts.mapBytes, () => parts.environment.usedBytes());
    this.#doorbell = parts.doorbell;
    this.#beforeAppend = parts.beforeAppend;
    this.#positions = new Positions(this.#tails, {
      lastCommit: () => this.#environment.lastCommit(),
      positionsOf: (streams) => this.#positionsOf(streams),
    });
    this.#timer = setInterval(() => {
      this.#doorbell.lookAround();
      // One that fails, as when the store is closed meanwhile, is made up for by the next.
      this.#positions.check().catch(() => undefined);
    }, parts.checkMs).unref();
  }

  static async open(options: LmdbStoreOptions, internals: LmdbStoreInternals = {}): Promise<LmdbStore> {
    const settings = settingsOf(options);
    const { path } = settings;
    const bootId = 'bootId' in internals ? internals.bootId : readBootId();
    mkdirSync(path, { recursive: true, mode: 0o700 });
    readMarker(path);
    let store: LmdbStore | undefined;
    // First, so that a process that closes the store sees that it is not the last.
    const doorbell = await Doorbell.open(bellDirectory(path), (ring) => {
      if (store !== undefined) store.#hear(ring);
    });
    try {
      const environment = await Environment.open({ directory: path, ...settings, bootId });
      store = new LmdbStore({ ...settings, ...internals, environment, doorbell });
      return store;
    } catch (error) {
      doorbell.close();
      throw error;
    }
  }

  async create(session: NewSession): Promise<SessionState> {
    this.#room.check(session.request.length + SESSION_BYTES);
    return this.#write(session.pod, (ledger) => {
      if (ledger.session(session.id) !== undefined) throw new HoldfastError(errors.SESSION_EXISTS, session.id);
      return this.#state(ledger, ledger.add(session));
    });
  }

  async attach(claim: Claim): Promise<SessionState | Refusal> {
    return this.#write(claim.pod, (ledger) => {
      const owner = ledger.session(claim.id)?.pod;
      const session = attachSession(ledger, claim, owner === undefined ? undefined : ledger.lease(owner));
      return typeof session === 'string' ? session : this.#state(ledger, session as LmdbSession);
    });
  }

  async commit(batch: Batch): Promise<BatchResult> {
    this.#room.check(addedBy(batch));
    return this.#write(batch.pod, (ledger) => applyBatch(ledger, batch));
  }

  async read(stream: StreamKey, after: number, limit: ReadLimit): Promise<Slice> {
    const slice = this.#read((ledger): Slice | undefined => {
      const log = logOf(ledger, stream);
      if (log === undefined) return undefined;
      return { epoch: log.epoch, first: log.first, end: log.end, entries: ledger.entries.read(log, after, limit) };
    });
    if (slice !== undefined) return slice;
    const epoch = stream.startsWith('t:') ? this.#write('', (ledger) => ledger.topic(stream.slice(2)).log.epoch) : '';
    return { epoch, first: 1, end: 0, entries: [] };
  }

  async followers(topic: string, after: string, limit: number): Promise<Followers> {
    return this.#read((ledger) => {
      const keys = keysIn(this.#environment.index, followersOf(topic, after), limit);
      return { sessions: keys.map(followerOf), total: ledger.knownTopic(topic)?.followers ?? 0 };
    });
  }

  tail(pod: string, listener: (wake: Wake) => void): Tail {
    const tail = this.#tails.open(pod, listener);
    return {
      follow: (stream) => {
        tail.follow(stream);
        this.#positions.follow(stream);
      },
      unfollow: (stream) => tail.unfollow(stream),
      close: () => tail.close(),
    };
  }

  async lease(pod: string, untilMs: number): Promise<void> {
    this.#write(pod, (ledger) => {
      this.#environment.pods.putSync(nameKey(pod), writeLease(renewLease(ledger.lease(pod), untilMs)));
    });
  }

  async adopt(pod: string, nowMs: number, limit: number): Promise<SessionState[]> {
    return this.#write(pod, (ledger) => {
      const adopted = adoptSessions(this.#environment, ledger, { pod, nowMs, limit });
      return adopted.map((session) => this.#state(ledger, session));
    });
  }

  async expire(nowMs: number, limit: number): Promise<string[]> {
    this.#environment.forgetDeadReaders();
    return this.#write('', (ledger) => {
      const expired = expireSessions(this.#environment, ledger, nowMs, limit);
      expireStreams(this.#environment, ledger, nowMs, this.#retention);
      expireLeases(this.#environment, ledger, nowMs, this.#retention);
      return expired;
    });
  }

  async stats(): Promise<StoreStats> {
    return this.#environment.counts();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#environment.close(() => this.#doorbell.isAlone());
    this.#doorbell.close();
  }

  /** Runs the body in a transaction, and tells the others once it is committed. `writer` knows what it does itself. */
  #write<T>(writer: string, body: (ledger: LmdbLedger) => T): T {
    const ledger = new LmdbLedger(this.#environment, this.#retention, this.#beforeAppend);
    const result = this.#environment.write(() => {
      const value = body(ledger);
      ledger.flush();
      return value;
    });
    this.#tell(ledger, writer);
    return result;
  }

  #read<T>(body: (ledger: LmdbLedger) => T): T {
    return this.#environment.read(() => body(new LmdbLedger(this.#environment, this.#retention)));
  }

  #tell({ news }: LmdbLedger, writer: string): void {
    const forOthers = new Map<StreamKey, number>();
    for (const [stream, { end, owner }] of news.grown) {
      this.#grew(stream, end, writer);
      // A session's stream is read by the pod that owns it. Nearly always that is the one that writes, and nobody need be woken.
      if (owner === undefined || owner !== writer) forOthers.set(stream, end);
    }
    for (const { pod, over } of news.fenced) this.#tails.fence(pod, over);
    this.#doorbell.ring(
      forOthers,
      news.fenced.map(({ pod, over }): [string, Guard] => [pod, over]),
    );
  }

  #hear(ring: Ring): void {
    if (ring === 'everything') {
      this.#positions.checkAll().catch(() => undefined);
      return;
    }
    for (const [stream, end] of ring.streams) this.#grew(stream, end);
    for (const [pod, over] of ring.fenced) this.#tails.fence(pod, over);
  }

  #grew(stream: StreamKey, end: number, writer?: string): void {
    this.#positions.told(stream, end);
    this.#tails.grew(stream, end, writer);
  }

  #positionsOf(streams: readonly StreamKey[]): (Position | undefined)[] {
    return this.#read((ledger) =>
      streams.map((stream): Position | undefined => {
        const name = stream.slice(2);
        if (stream.startsWith('t:')) return { end: ledger.knownTopic(name)?.log.end ?? 0 };
        const session = ledger.session(name);
        return session && { end: session.log.end, owner: { pod: session.pod, epoch: session.epoch } };
      }),
    );
  }

  #state(ledger: LmdbLedger, session: LmdbSession): SessionState {
    return stateOf(ledger, session, ledger.factsOf(session));
  }
}

interface Parts extends Settings, LmdbStoreInternals {
  readonly environment: Environment;
  readonly doorbell: Doorbell;
}

function logOf(ledger: LmdbLedger, stream: StreamKey): LmdbSession['log'] | undefined {
  const name = stream.slice(2);
  return (stream.startsWith('t:') ? ledger.knownTopic(name) : ledger.session(name))?.log;
}
