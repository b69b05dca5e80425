import {
  type Batch,
  type BatchResult,
  type Claim,
  errors,
  type Followers,
  HoldfastError,
  newEpoch,
  type NewSession,
  type ReadLimit,
  type Refusal,
  type Retention,
  retentionOf,
  type SessionState,
  type Slice,
  type Store,
  type StoreStats,
  type StreamKey,
  type Tail,
  Tails,
  type Wake,
} from '@holdfast/store';
import { grownBy, readResult, writeBatch } from './batch-text.js';
import { Connection, type RedisOptions } from './connection.js';
import { InDoubt } from './in-doubt.js';
import { type Script, scripts } from './lua/scripts.js';
import { type Position, Positions } from './positions.js';
import {
  type FenceReply,
  type PositionReply,
  readFence,
  readPosition,
  readSlice,
  readState,
  type SliceReply,
  type StateReply,
} from './replies.js';
import { checkServer } from './server-check.js';
import { Subscriptions } from './subscriptions.js';

export interface RedisStoreOptions {
  /** `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. */
  readonly url?: string;
  /** Options of the `redis` client, for what a URL cannot say: certificates, a socket path, credentials that change. */
  readonly client?: RedisOptions;
  /** What every key and channel begins with. Default `holdfast:`. Two applications on one server need two. */
  readonly prefix?: string;
  /** How much of each stream is kept. Default {@link DEFAULT_RETENTION}. All processes should agree. */
  readonly retention?: Partial<Retention>;
  /** How long an answer of the server is waited for, in milliseconds. Default 3000. Then the operation fails and may be tried again. */
  readonly commandMs?: number;
  /** How long `open` waits for the first connection, in milliseconds. Default 10,000. */
  readonly connectMs?: number;
  /** How often, in milliseconds, it is looked whether a wake-up was lost. Default 1000: the longest such delay. */
  readonly checkMs?: number;
}

/** What tests change and nobody else. */
export interface RedisStoreInternals {
  /** Before which effect of a batch the script fails, if at all; asked once for each batch. */
  readonly failAt?: () => number | undefined;
}

const DEFAULT_PREFIX = 'holdfast:';
const DEFAULT_COMMAND_MS = 3000;
const DEFAULT_CONNECT_MS = 10_000;
const DEFAULT_CHECK_MS = 1000;
/** Sessions that may have been made without anybody knowing, to be ended; beyond this many their life ends them. */
const ORPHANS_MAX = 10_000;

/**
 * The store of many machines, on one Redis (7 or later) or Valkey. Each operation is one script, so it is atomic and those of all pods have one
 * order. What the server remembers of it when it dies is the server's matter (`appendonly`): what it has lost shows as another epoch of the
 * streams, or as sessions that are unknown.
 */
export class RedisStore implements Store {
  readonly durable = true;
  /** Names this object among all that use the server. */
  readonly #me = `${newEpoch()}${newEpoch()}`;
  readonly #options: Required<Omit<RedisStoreOptions, 'url' | 'client' | 'retention'>> & { readonly keep: Retention };
  readonly #internals: RedisStoreInternals;
  readonly #commands: Connection;
  readonly #listening: Connection;
  readonly #tails = new Tails();
  /** How many tails each pod has open here. */
  readonly #pods = new Map<string, number>();
  readonly #subscriptions = new Subscriptions();
  readonly #positions: Positions;
  readonly #inDoubt = new InDoubt();
  readonly #orphans = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  /** The history that the server had when it answered last, and the number of the last commit of it that is known. */
  #history = { life: '', seen: 0 };

  private constructor(options: RedisStoreOptions, internals: RedisStoreInternals) {
    const { url, client, retention, ...rest } = options;
    this.#options = {
      prefix: DEFAULT_PREFIX,
      commandMs: DEFAULT_COMMAND_MS,
      connectMs: DEFAULT_CONNECT_MS,
      checkMs: DEFAULT_CHECK_MS,
      ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
      keep: retentionOf(retention),
    };
    const { commandMs, checkMs, connectMs } = this.#options;
    for (const [name, value] of Object.entries({ commandMs, checkMs, connectMs })) {
      if (!(value > 0)) throw new HoldfastError(errors.OPTION, `${name} is ${value}, not above 0`);
    }
    this.#internals = internals;
    this.#positions = new Positions(this.#tails, (streams) => this.#positionsOf(streams));
    const all = { ...client, ...(url !== undefined && { url }) };
    this.#commands = new Connection({ client: all, commandMs, ready: () => this.#check() });
    this.#listening = new Connection({
      client: all,
      commandMs,
      ready: (connected) => {
        this.#subscriptions.use(connected);
        this.#check();
      },
    });
  }

  static async open(options: RedisStoreOptions = {}, internals: RedisStoreInternals = {}): Promise<RedisStore> {
    const store = new RedisStore(options, internals);
    try {
      await store.#open();
      return store;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  async create(session: NewSession): Promise<SessionState> {
    try {
      const state = await this.#run(scripts.create, { session: fieldsOf(session) });
      if (state === 'exists') throw new HoldfastError(errors.SESSION_EXISTS, session.id);
      return this.#got(state as StateReply);
    } catch (error) {
      // It may have been made all the same, and nobody would ever end it.
      const isInDoubt = error instanceof HoldfastError && error.code === errors.STORE.code;
      if (isInDoubt && this.#orphans.size < ORPHANS_MAX) this.#orphans.add(session.id);
      throw error;
    }
  }

  async attach({ id, pod, presented, attempt, next, nowMs }: Claim): Promise<SessionState | Refusal> {
    const answer = await this.#run(scripts.attach, { claim: { id, pod, presented, attempt, next, nowMs } });
    return typeof answer === 'string' ? (answer as Refusal) : this.#got(answer as StateReply);
  }

  async commit(batch: Batch): Promise<BatchResult> {
    const written = writeBatch(batch);
    const { id, open } = this.#inDoubt.begin(batch);
    const failAt = this.#internals.failAt?.();
    try {
      const script = written.adds ? scripts.commit : scripts.settle;
      const said = (await this.#run(script, { batch: written.batch, id, open, failAt }, written.payloads)) as string;
      if (said === 'stale') throw new HoldfastError(errors.STORE, 'the batch is too old to be given again');
      const isKnown = said.startsWith('again ');
      const result = readResult(isKnown ? said.slice(6) : said);
      this.#inDoubt.answered(id);
      this.#tell(batch, result, isKnown);
      return result;
    } catch (error) {
      this.#inDoubt.failed(id);
      throw error;
    }
  }

  async read(stream: StreamKey, after: number, limit: ReadLimit): Promise<Slice> {
    const { entries, bytes } = limit;
    const reply = await this.#run(scripts.read, { stream, after, entries, bytes }, [], 'bytes');
    return reply === null ? { epoch: '', first: 1, end: 0, entries: [] } : readSlice(reply as SliceReply);
  }

  async followers(topic: string, after: string, limit: number): Promise<Followers> {
    const reply = await this.#run(scripts.followers, { topic, after, limit });
    const [total, sessions] = reply as [number, string[]];
    return { sessions, total };
  }

  tail(pod: string, listener: (wake: Wake) => void): Tail {
    const tail = this.#tails.open(pod, listener);
    const followed = new Set<StreamKey>();
    this.#pods.set(pod, (this.#pods.get(pod) ?? 0) + 1);
    this.#subscriptions.add(
      this.#channelOf('pod', pod),
      (message) => this.#heardOfPod(pod, message),
      () => this.#check(),
    );
    const unfollow = (stream: StreamKey): void => {
      tail.unfollow(stream);
      followed.delete(stream);
      if (stream.startsWith('t:') && !this.#tails.follows(stream)) {
        this.#subscriptions.remove(this.#channelOf('topic', stream.slice(2)));
      }
    };
    return {
      follow: (stream) => {
        tail.follow(stream);
        if (!this.#tails.follows(stream)) return;
        followed.add(stream);
        this.#listen(stream);
      },
      unfollow,
      close: () => {
        for (const stream of followed) unfollow(stream);
        tail.close();
        this.#closed(pod);
      },
    };
  }

  async lease(pod: string, untilMs: number): Promise<void> {
    await this.#run(scripts.lease, { pod, untilMs, writes: true });
  }

  async adopt(pod: string, nowMs: number, limit: number): Promise<SessionState[]> {
    const states = (await this.#run(scripts.adopt, { pod, nowMs, limit })) as StateReply[];
    return states.map((state) => this.#got(state));
  }

  async expire(nowMs: number, limit: number): Promise<string[]> {
    return (await this.#run(scripts.expire, { nowMs, limit })) as string[];
  }

  async stats(): Promise<StoreStats> {
    const [sessions = 0, streams = 0, entries = 0, bytes = 0] = (await this.#run(scripts.stats, {})) as number[];
    return { sessions, streams, entries, bytes };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#commands.close();
    this.#listening.close();
  }

  async #open(): Promise<void> {
    const { connectMs, checkMs } = this.#options;
    await Promise.all([this.#commands.opened(connectMs), this.#listening.opened(connectMs)]);
    checkServer(String(await this.#commands.call(['INFO'])));
    await this.#run(scripts.probe, {});
    this.#timer = setInterval(() => this.#tend(), checkMs).unref();
  }

  /** Runs a script, all of whose answers tell where the history of the store stands. */
  async #run(
    script: Script,
    fields: object,
    payloads: readonly Buffer[] = [],
    as: 'text' | 'bytes' = 'text',
  ): Promise<unknown> {
    const { prefix, keep } = this.#options;
    const args = JSON.stringify({ ...fields, ...this.#history, me: this.#me, seed: newEpoch(), keep });
    const reply = await this.#commands.run(script, [prefix, args, ...payloads], as);
    const [life, seen, result, fences] = reply as [string | Buffer, number, unknown, FenceReply[]];
    this.#stands(String(life), seen);
    for (const { pod, over } of fences.map(readFence)) this.#tails.fence(pod, over);
    return result;
  }

  #stands(life: string, seen: number): void {
    const known = this.#history;
    this.#history = { life, seen: known.life === life ? Math.max(known.seen, seen) : seen };
    // Another server, or an emptied one: who waits for what was there must look.
    if (known.life !== '' && known.life !== life) this.#check();
  }

  /** This process has got a session, and knows where its stream ends. */
  #got(reply: StateReply): SessionState {
    const state = readState(reply);
    this.#positions.told(`s:${state.id}`, state.stream.end, state.stream.epoch);
    return state;
  }

  #tell(batch: Batch, result: BatchResult, isKnown: boolean): void {
    for (const [stream, { end, epoch }] of grownBy(batch, result)) {
      if (this.#positions.told(stream, end, epoch)) this.#tails.grew(stream, end, batch.pod);
    }
    // What was said when the batch was applied was said by us, to which we do not listen.
    if (isKnown) this.#check();
  }

  #closed(pod: string): void {
    const left = (this.#pods.get(pod) ?? 0) - 1;
    if (left > 0) this.#pods.set(pod, left);
    else if (this.#pods.delete(pod)) this.#subscriptions.remove(this.#channelOf('pod', pod));
  }

  #listen(stream: StreamKey): void {
    // Of a session's stream the pod that owns the session is told.
    if (!stream.startsWith('t:')) return this.#positions.checkSoon(stream);
    this.#subscriptions.add(
      this.#channelOf('topic', stream.slice(2)),
      (message) => this.#heardOfTopic(stream, message),
      () => this.#positions.checkSoon(stream),
    );
  }

  #heardOfTopic(stream: StreamKey, message: string): void {
    const [from, end] = message.split(' ');
    if (from !== this.#me && this.#positions.told(stream, Number(end))) this.#tails.grew(stream, Number(end));
  }

  /** `g`: the stream of a session has grown. `f`: a session is lost under this epoch. */
  #heardOfPod(pod: string, message: string): void {
    const [, from, what, number, session] = /^(\S+) ([fg]) (\d+) (.*)$/s.exec(message) ?? [];
    if (session === undefined || from === this.#me) return;
    if (what === 'f') {
      this.#tails.fence(pod, { session, epoch: Number(number) });
    } else if (this.#positions.told(`s:${session}`, Number(number))) {
      this.#tails.grew(`s:${session}`, Number(number));
    }
  }

  async #positionsOf(streams: readonly StreamKey[]): Promise<Position[]> {
    return ((await this.#run(scripts.positions, { streams })) as PositionReply[]).map(readPosition);
  }

  /** A check that fails, as when the server is away, is made up for by the next. */
  #check(): void {
    this.#positions.check().catch(() => undefined);
  }

  #tend(): void {
    this.#check();
    this.#subscriptions.tend();
    // Nobody else would notice that this connection is dead.
    this.#listening.call(['PING']).catch(() => undefined);
    this.#endOrphans().catch(() => undefined);
  }

  async #endOrphans(): Promise<void> {
    for (const id of this.#orphans) {
      await this.commit({
        pod: '',
        nowMs: 0,
        parts: [{ guard: { session: id, epoch: 1 }, end: true, effects: [] }],
      });
      this.#orphans.delete(id);
    }
  }

  #channelOf(kind: 'pod' | 'topic', name: string): string {
    return `${this.#options.prefix}${kind}:${name}`;
  }
}

/** The fields that are the store's. */
function fieldsOf({ id, pod, token, nowMs, lifeMs, request }: NewSession): NewSession {
  return { id, pod, token, nowMs, lifeMs, request };
}
