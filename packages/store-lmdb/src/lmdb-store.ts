import { mkdirSync } from 'node:fs';
import {
  applyBatch,
  attachSession,
  type Batch,
  type BatchResult,
  type Claim,
  errors,
  type Guard,
  HoldfastError,
  type NewSession,
  type ReadLimit,
  type Refusal,
  renewLease,
  type Retention,
  retentionOf,
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
import { Environment } from './environment.js';
import { adoptSessions, expireLeases, expireSessions, expireStreams } from './expiry.js';
import { nameKey } from './keys.js';
import { readMarker } from './marker.js';
import { LmdbLedger } from './lmdb-ledger.js';
import { type Position, Positions } from './positions.js';
import { type LmdbSession, writeLease } from './records.js';
import { addedBy, Room } from './room.js';

export interface LmdbStoreOptions {
  /** The directory of the store, made if it is not there. On a local disk: LMDB does not work on network file systems. */
  readonly path: string;
  /** How much of each stream is kept. Default {@link DEFAULT_RETENTION}. */
  readonly retention?: Partial<Retention>;
  /**
   * What commits outlive. Default `process`.
   *
   * `process`: the death of any process at any instant. A commit is in the system's page cache when it is answered, which takes some
   * ten microseconds, and no process that dies takes that with it. After a power loss or a crash of the system the store is empty:
   * the disk may then hold a mixture of old and new pages, so data of an earlier run of the machine is used only if the last process
   * had closed the store, which flushes it. An orderly reboot loses nothing; the other is told to clients as expired sessions.
   *
   * `disk`: power loss too. Each commit waits for the disk twice, and so does the event loop, and all processes together commit no
   * faster than that: a few hundred times a second on a good disk. Systems without a boot id (all but Linux) always do this,
   * because there a reboot cannot be told from a restart.
   */
  readonly durability?: 'process' | 'disk';
  /**
   * Bytes that the contents may take, default 4 GiB: some 250 streams that are as full as their default retention allows. When they are
   * used up, batches that add something are refused with HF_STORE_FULL and not applied. The file can be larger by what a reader keeps
   * from being used again. Twice as much address space is reserved.
   */
  readonly mapBytes?: number;
  /** How often, in milliseconds, it is looked whether a wake-up was lost. Default 1000: the longest such delay. */
  readonly checkMs?: number;
}

/** What tests change and nobody else. */
export interface LmdbStoreInternals {
  /** The run of the machine. */
  readonly bootId?: string | undefined;
  /** Called before each entry is written. */
  readonly beforeAppend?: () => void;
}

const DEFAULT_MAP_BYTES = 4_294_967_296;
const DEFAULT_CHECK_MS = 1000;
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
      this.#check();
    }, parts.checkMs).unref();
  }

  static async open(options: LmdbStoreOptions, internals: LmdbStoreInternals = {}): Promise<LmdbStore> {
    const { path, durability = 'process', mapBytes = DEFAULT_MAP_BYTES, checkMs = DEFAULT_CHECK_MS } = options;
    const retention = retentionOf(options.retention);
    if (!(mapBytes >= 1_048_576)) throw new HoldfastError(errors.OPTION, `mapBytes is ${mapBytes}, below 1 MiB`);
    const bootId = 'bootId' in internals ? internals.bootId : readBootId();
    mkdirSync(path, { recursive: true, mode: 0o700 });
    readMarker(path);
    let store: LmdbStore | undefined;
    // First, so that a process that closes the store sees that it is not the last.
    const doorbell = await Doorbell.open(bellDirectory(path), (ring) => {
      if (store !== undefined) store.#hear(ring);
    });
    try {
      const environment = await Environment.open({ directory: path, durability, mapBytes, bootId });
      store = new LmdbStore({ environment, retention, mapBytes, checkMs, doorbell, ...internals });
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
      this.#check();
      return;
    }
    for (const [stream, end] of ring.streams) this.#grew(stream, end);
    for (const [pod, over] of ring.fenced) this.#tails.fence(pod, over);
  }

  #grew(stream: StreamKey, end: number, writer?: string): void {
    this.#positions.told(stream, end);
    this.#tails.grew(stream, end, writer);
  }

  /** A check that fails, as when the store is closed meanwhile, is made up for by the next. */
  #check(): void {
    this.#positions.check().catch(() => undefined);
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

interface Parts {
  readonly environment: Environment;
  readonly retention: Retention;
  readonly mapBytes: number;
  readonly checkMs: number;
  readonly doorbell: Doorbell;
  readonly beforeAppend?: () => void;
}

function logOf(ledger: LmdbLedger, stream: StreamKey): LmdbSession['log'] | undefined {
  const name = stream.slice(2);
  return (stream.startsWith('t:') ? ledger.knownTopic(name) : ledger.session(name))?.log;
}
