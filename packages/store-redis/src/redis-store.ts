import {
  type Batch,
  type BatchResult,
  checkNames,
  type Claim,
  errors,
  type Followers,
  HoldfastError,
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
import { ManyGroups } from './cluster-layout.js';
import type { Client, RedisOptions } from './connection.js';
import { Follows } from './follows.js';
import type { Groups } from './groups.js';
import { InDoubt } from './in-doubt.js';
import { type Layout, OneGroup } from './layout.js';
import { type Script, scripts } from './lua/scripts.js';
import { groupsOf, serversOf } from './places.js';
import { type Position, Positions } from './positions.js';
import { readLost, readPosition, readSlice, readState, type SliceReply, type StateReply } from './replies.js';
import { Runner } from './runner.js';
import { checkServer } from './server-check.js';
import type { Servers } from './servers.js';
import { Subscriptions } from './subscriptions.js';
import { parseRedisUrl } from './url.js';

export interface RedisStoreOptions {
  /**
   * `redis://[user:password@]host[:port][/database]`, `redis+cluster://...host1:port,host2:port` or
   * `redis+sentinel://...host1:port,host2:port/master-name`, with `rediss` for TLS. Behind `?` there may be `prefix=` and `ca=`, a file.
   */
  readonly url?: string;
  /** Options of the `redis` client, for what a URL cannot say: certificates, a socket path, credentials that change. */
  readonly client?: RedisOptions;
  /** The same for connections to sentinels, which are not given the user and password of the URL. */
  readonly sentinelClient?: RedisOptions;
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
  /** Asked before each script: whether this process still lives. */
  readonly isAlive?: () => boolean;
  /** The clock of this process. */
  readonly wallMs?: () => number;
}

const OPTIONS: readonly (keyof RedisStoreOptions)[] = [
  'url',
  'client',
  'sentinelClient',
  'prefix',
  'retention',
  'commandMs',
  'connectMs',
  'checkMs',
];
const DEFAULT_PREFIX = 'holdfast:';
const DEFAULT_COMMAND_MS = 3000;
const DEFAULT_CONNECT_MS = 10_000;
const DEFAULT_CHECK_MS = 1000;
/** Sessions that may have been made without anybody knowing, to be ended; beyond this many their life ends them. */
const ORPHANS_MAX = 10_000;

/** What the options say, and what they leave open. */
type Settled = Required<Pick<RedisStoreOptions, 'commandMs' | 'connectMs' | 'checkMs'>> & {
  readonly prefix: string;
  readonly keep: Retention;
};

/**
 * The store of many machines, on Redis (7 or later) or Valkey: one server, its master as sentinels know it, or a cluster. Each operation on one
 * slot group is one script, so it is atomic and those of all pods have one order. What a server remembers of it when it dies is the server's matter
 * (`appendonly`): what it has lost shows as another epoch of the streams, or as sessions that are unknown.
 */
export class RedisStore implements Store {
  readonly durable = true;
  readonly #options: Settled;
  readonly #internals: RedisStoreInternals;
  readonly #runner: Runner;
  readonly #layout: Layout;
  readonly #servers: Servers;
  readonly #tails = new Tails();
  /** How many tails each pod has open here. */
  readonly #pods = new Map<string, number>();
  readonly #subscriptions = new Subscriptions();
  readonly #positions: Positions;
  readonly #orphans = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: Settled, internals: RedisStoreInternals, groups: Groups, servers: Servers) {
    const { prefix, keep } = options;
    this.#options = options;
    this.#internals = internals;
    this.#servers = servers;
    this.#positions = new Positions(this.#tails, (streams) => this.#positionsOf(streams));
    const inDoubt = new InDoubt();
    const follows = new Follows(() => this.#runner);
    this.#runner = new Runner({
      prefix,
      keep,
      groups,
      servers,
      isAlive: internals.isAlive ?? (() => true),
      wallMs: internals.wallMs ?? Date.now,
      listener: {
        // Who waits for what was there must look.
        begunAnew: () => this.#check(),
        fenced: (pod, over) => this.#tails.fence(pod, over),
        turned: (group, turns) => follows.turned(group, turns),
      },
    });
    this.#layout = servers.isCluster
      ? new ManyGroups(this.#runner, inDoubt, follows, (topic) => this.#positions.endOf(`t:${topic}`))
      : new OneGroup(this.#runner, inDoubt);
  }

  static async open(options: RedisStoreOptions = {}, internals: RedisStoreInternals = {}): Promise<RedisStore> {
    checkNames('RedisStore', options, OPTIONS);
    const { url, client = {}, sentinelClient = {} } = options;
    const place = url === undefined ? undefined : parseRedisUrl(url);
    const settled = settle(options, place?.prefix);
    const way = { place, client, sentinelClient };
    const groups = groupsOf(way, settled.prefix);
    // What is heard before the store is there is of no use to it.
    const heard: { store?: RedisStore } = {};
    const servers = await serversOf(way, groups, settled.connectMs, {
      commandMs: settled.commandMs,
      ready: () => heard.store && heard.store.#check(),
      listening: (connected) => heard.store && heard.store.#listenOn(connected),
    });
    const store = new RedisStore(settled, internals, groups, servers);
    heard.store = store;
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
      const state = await this.#runner.run(this.#groupOf(session.id), scripts.create, { session: fieldsOf(session) });
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
    const answer = await this.#layout.attach({ id, pod, presented, attempt, next, nowMs });
    return typeof answer === 'string' ? (answer as Refusal) : this.#got(answer);
  }

  async commit(batch: Batch): Promise<BatchResult> {
    const { text, isKnown } = await this.#layout.commit(batch, writeBatch(batch), this.#internals.failAt?.());
    const result = readResult(text);
    this.#tell(batch, result, isKnown);
    return result;
  }

  async read(stream: StreamKey, after: number, limit: ReadLimit): Promise<Slice> {
    const { entries, bytes } = limit;
    const group = this.#groupOf(stream.slice(2));
    const reply = await this.#runner.run(group, scripts.read, { stream, after, entries, bytes }, { as: 'bytes' });
    return reply === null ? { epoch: '', first: 1, end: 0, entries: [] } : readSlice(reply as SliceReply);
  }

  async followers(topic: string, after: string, limit: number): Promise<Followers> {
    const replies = (await this.#inAllGroups(scripts.followers, { topic, after, limit })) as [number, string[]][];
    const sessions = replies.flatMap(([, ids]) => ids).sort();
    return { sessions: sessions.slice(0, limit), total: replies.reduce((sum, [count]) => sum + count, 0) };
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
    await this.#inAllGroups(scripts.lease, { pod, untilMs });
  }

  async adopt(pod: string, nowMs: number, limit: number): Promise<SessionState[]> {
    const states = await this.#layout.adopt(pod, nowMs, limit);
    return states.map((state) => this.#got(state));
  }

  async expire(nowMs: number, limit: number): Promise<string[]> {
    return this.#layout.expire(nowMs, limit);
  }

  async stats(): Promise<StoreStats> {
    const counts = (await this.#inAllGroups(scripts.stats, {})) as number[][];
    const [sessions, streams, entries, bytes] = [0, 1, 2, 3].map((at) =>
      counts.reduce((sum, own) => sum + (own[at] ?? 0), 0),
    ) as [number, number, number, number];
    return { sessions, streams, entries, bytes };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#servers.close();
  }

  async #open(): Promise<void> {
    const { connectMs, checkMs } = this.#options;
    await this.#servers.opened(connectMs);
    for (const info of await this.#servers.info()) checkServer(info, this.#servers.isCluster);
    await Promise.all(this.#servers.samples().map((group) => this.#runner.run(group, scripts.probe, {})));
    this.#timer = setInterval(() => this.#tend(), checkMs).unref();
  }

  /** Wake-ups are heard on this connection from now on. */
  #listenOn(connected: Client): void {
    this.#subscriptions.use(connected);
    this.#check();
  }

  /** In each group, and fails where one fails, when all have been asked. */
  async #inAllGroups(script: Script, fields: object): Promise<unknown[]> {
    const asked = this.#runner.groups.all().map((group) => this.#runner.run(group, script, fields));
    await Promise.allSettled(asked);
    return Promise.all(asked);
  }

  #groupOf(name: string): number {
    return this.#runner.groups.of(name);
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
    if (from !== this.#runner.me && this.#positions.told(stream, Number(end))) this.#tails.grew(stream, Number(end));
  }

  /** `g`: the stream of a session has grown. `f` or `e`: a session is lost under this epoch. */
  #heardOfPod(pod: string, message: string): void {
    const [, from, what, number, session] = /^(\S+) ([efg]) (\d+) (.*)$/s.exec(message) ?? [];
    if (session === undefined || from === this.#runner.me) return;
    if (what !== 'g') {
      this.#tails.fence(pod, readLost(session, Number(number), what ?? ''));
    } else if (this.#positions.told(`s:${session}`, Number(number))) {
      this.#tails.grew(`s:${session}`, Number(number));
    }
  }

  async #positionsOf(streams: readonly StreamKey[]): Promise<Position[]> {
    return (await this.#layout.positions(streams)).map(readPosition);
  }

  /** A check that fails, as when the server is away, is made up for by the next. */
  #check(): void {
    this.#positions.check().catch(() => undefined);
  }

  #tend(): void {
    this.#check();
    this.#subscriptions.tend();
    this.#servers.tend();
    this.#layout.tend().catch(() => undefined);
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
    // Of all databases of a server the channels are the same ones.
    return `${this.#options.prefix}${kind}@${this.#servers.database}:${name}`;
  }
}

/** The fields that are the store's. */
function fieldsOf({ id, pod, token, nowMs, lifeMs, request }: NewSession): NewSession {
  return { id, pod, token, nowMs, lifeMs, request };
}

function settle(options: RedisStoreOptions, prefixOfUrl: string | undefined): Settled {
  const {
    prefix = prefixOfUrl ?? DEFAULT_PREFIX,
    commandMs = DEFAULT_COMMAND_MS,
    connectMs = DEFAULT_CONNECT_MS,
    checkMs = DEFAULT_CHECK_MS,
  } = options;
  for (const [name, value] of Object.entries({ commandMs, checkMs, connectMs })) {
    if (!(value > 0)) throw new HoldfastError(errors.OPTION, `${name} is ${value}, not above 0`);
  }
  if (/[{}]/.test(prefix))
    throw new HoldfastError(errors.OPTION, 'prefix has braces, which a cluster reads as its own');
  return { prefix, commandMs, connectMs, checkMs, keep: retentionOf(options.retention) };
}
