import type {
  Batch,
  BatchResult,
  Claim,
  Effect,
  EffectResult,
  Guard,
  NewSession,
  PartResult,
  Refusal,
  Retention,
  SessionState,
  Slice,
  StreamKey,
} from './store.js';

/**
 * The store as simply as it can be said, to compare real ones with: plain arrays, nothing is ever removed from memory, every question
 * is answered by looking at everything. It shares no code with any store. Stream epochs are left out; they are random.
 */
export class ModelStore {
  readonly #retention: Retention;
  readonly #sessions: ModelSession[] = [];
  readonly #streams = new Map<StreamKey, ModelEntry[]>();
  readonly #dropped = new Map<StreamKey, number>();
  readonly #leases = new Map<string, number[]>();
  /** Topics that an expiry has seen without entries and followers, and when the first did. */
  readonly #idle = new Map<StreamKey, number>();

  constructor(retention: Retention) {
    this.#retention = retention;
  }

  create({ id, pod, token, nowMs, lifeMs }: NewSession): SessionView | 'exists' {
    if (this.#find(id) !== undefined) return 'exists';
    const session = {
      id,
      pod,
      epoch: 1,
      tokens: [token],
      attempt: 0,
      lifeMs,
      sinceMs: nowMs,
      detached: false,
      watermark: 0,
      acked: 0,
    };
    this.#sessions.push({ ...session, follows: new Map() });
    this.#streams.set(`s:${id}`, []);
    this.#dropped.set(`s:${id}`, 0);
    return this.#view(this.#find(id)!);
  }

  attach({ id, pod, presented, attempt, next, nowMs }: Claim): SessionView | Refusal {
    const session = this.#find(id);
    if (session === undefined || this.#isOver(session, nowMs)) return 'unknown';
    if (!session.tokens.includes(presented)) return 'refused';
    if (attempt <= session.attempt) return 'late';
    Object.assign(session, {
      attempt,
      pod,
      epoch: session.epoch + 1,
      tokens: [next, presented],
      sinceMs: nowMs,
      detached: false,
    });
    return this.#view(session);
  }

  commit({ nowMs, parts }: Batch): BatchResult {
    return {
      parts: parts.map((part): PartResult => {
        const session = part.guard && this.#guarded(part.guard);
        if (part.guard && !session) {
          return this.#find(part.guard.session) ? { fenced: true } : { fenced: true, gone: true };
        }
        if (session) {
          session.watermark = Math.max(session.watermark, part.watermark ?? 0);
          if (part.confirm) session.tokens = session.tokens.slice(0, 1);
          session.acked = Math.max(session.acked, Math.min(part.acked ?? 0, this.#end(`s:${session.id}`)));
          this.#drop(`s:${session.id}`, session.acked);
          for (const { topic, offset } of part.topicsAcked ?? []) {
            const known = session.follows.get(topic);
            if (known !== undefined)
              session.follows.set(topic, Math.max(known, Math.min(offset, this.#end(`t:${topic}`))));
          }
          if (part.detachedMs !== undefined && (part.detachedMs !== null || session.detached)) {
            Object.assign(session, { detached: part.detachedMs !== null, sinceMs: part.detachedMs ?? nowMs });
          }
        }
        const effects = part.effects.map((effect) => this.#apply(effect, nowMs));
        if (session && part.end) this.#remove(session);
        return { fenced: false, effects };
      }),
    };
  }

  read(stream: StreamKey, after: number, count: number): Omit<Slice, 'epoch' | 'entries'> & { texts: string[] } {
    const entries = this.#kept(stream).filter(({ offset }) => offset > after);
    return {
      first: (this.#dropped.get(stream) ?? 0) + 1,
      end: this.#end(stream),
      texts: entries.slice(0, count).map(({ text }) => text),
    };
  }

  lease(pod: string, untilMs: number): void {
    this.#leases.set(pod, [...(this.#leases.get(pod) ?? []), untilMs]);
  }

  /** Those that any limit must be filled from. */
  adoptable(pod: string, nowMs: number): string[] {
    const hasLapsed = ({ pod: owner }: ModelSession) => (this.#leases.get(owner)?.at(-1) ?? Infinity) < nowMs;
    return this.#sessions.filter((s) => s.pod !== pod && hasLapsed(s) && !this.#isOver(s, nowMs)).map(({ id }) => id);
  }

  adopt(id: string, pod: string, nowMs: number): SessionView {
    const session = this.#find(id)!;
    if (!session.detached) session.sinceMs = nowMs;
    Object.assign(session, { pod, epoch: session.epoch + 1, detached: true });
    return this.#view(session);
  }

  expirable(nowMs: number): string[] {
    return this.#sessions.filter((session) => this.#isOver(session, nowMs)).map(({ id }) => id);
  }

  expire(ids: readonly string[], nowMs: number): void {
    for (const id of ids) this.#remove(this.#find(id)!);
    for (const key of this.#streams.keys()) {
      this.#dropOld(key, nowMs);
      const isFollowed = this.#sessions.some(({ follows }) => follows.has(key.slice(2)));
      if (key.startsWith('s:') || isFollowed || this.#kept(key).length > 0) continue;
      const sinceMs = this.#idle.get(key);
      if (sinceMs === undefined) this.#idle.set(key, nowMs);
      else if (sinceMs < nowMs - this.#retention.ageMs) this.#forget(key);
    }
    for (const [pod, leases] of this.#leases) {
      const isOld = Math.max(...leases) < nowMs - this.#retention.ageMs;
      if (isOld && !this.#sessions.some((session) => session.pod === pod)) this.#leases.delete(pod);
    }
  }

  followers(topic: string): string[] {
    return this.#sessions
      .filter(({ follows }) => follows.has(topic))
      .map(({ id }) => id)
      .sort();
  }

  sessionCount(): number {
    return this.#sessions.length;
  }

  #apply(effect: Effect, nowMs: number): EffectResult {
    if (effect.type === 'publish') return this.#append(`t:${effect.topic}`, effect.data, nowMs);
    const isForAnyHolder = effect.type === 'send' && effect.epoch === 0;
    const session = isForAnyHolder ? this.#find(effect.session) : this.#guarded(effect);
    if (!session || (effect.type === 'send' && session.closing)) return 'fenced';
    if (effect.type === 'send') return this.#append(`s:${session.id}`, effect.data, nowMs);
    if (effect.type === 'subscribe') {
      const offset = session.follows.get(effect.topic) ?? this.#end(`t:${effect.topic}`);
      session.follows.set(effect.topic, offset);
      this.#idle.delete(`t:${effect.topic}`);
      return { offset, epoch: '' };
    }
    if (effect.type === 'unsubscribe') session.follows.delete(effect.topic);
    if (effect.type === 'data') session.data = effect.data;
    if (effect.type === 'close') session.closing ??= { code: effect.code, reason: effect.reason };
    return { offset: 0, epoch: '' };
  }

  #append(key: StreamKey, data: Uint8Array, atMs: number): EffectResult {
    const all = this.#streams.get(key) ?? [];
    this.#streams.set(key, all);
    this.#idle.delete(key);
    all.push({ offset: all.length + 1, atMs, size: data.length, text: new TextDecoder().decode(data) });
    const size = (): number => this.#kept(key).reduce((sum, entry) => sum + entry.size, 0);
    const isOver = (): boolean => this.#kept(key).length > this.#retention.entries || size() > this.#retention.bytes;
    while (this.#kept(key).length > 1 && isOver()) this.#drop(key, this.#kept(key)[0]!.offset);
    this.#dropOld(key, atMs);
    return { offset: all.length, epoch: '' };
  }

  #dropOld(key: StreamKey, nowMs: number): void {
    // Only from the front: an entry behind one that is young enough stays, whatever clock it was written by.
    for (const { offset, atMs } of this.#kept(key)) {
      if (atMs >= nowMs - this.#retention.ageMs) return;
      this.#drop(key, offset);
    }
  }

  #drop(key: StreamKey, through: number): void {
    this.#dropped.set(key, Math.max(this.#dropped.get(key) ?? 0, through));
  }

  #kept(key: StreamKey): ModelEntry[] {
    return (this.#streams.get(key) ?? []).slice(this.#dropped.get(key) ?? 0);
  }

  #end(key: StreamKey): number {
    return this.#streams.get(key)?.length ?? 0;
  }

  #remove(session: ModelSession): void {
    this.#sessions.splice(this.#sessions.indexOf(session), 1);
    this.#forget(`s:${session.id}`);
  }

  #forget(key: StreamKey): void {
    this.#streams.delete(key);
    this.#dropped.delete(key);
    this.#idle.delete(key);
  }

  #isOver({ pod, detached, sinceMs, lifeMs }: ModelSession, nowMs: number): boolean {
    const leases = detached ? [] : (this.#leases.get(pod) ?? []);
    return nowMs > Math.max(sinceMs, ...leases) + lifeMs;
  }

  #find(id: string): ModelSession | undefined {
    return this.#sessions.find((session) => session.id === id);
  }

  #guarded({ session: id, epoch }: Guard): ModelSession | undefined {
    return this.#sessions.find((session) => session.id === id && session.epoch === epoch);
  }

  #view({ id, epoch, watermark, acked, follows, data, closing }: ModelSession): SessionView {
    const topics = [...follows].map(([topic, offset]) => ({ topic, offset, end: this.#end(`t:${topic}`) }));
    return { id, epoch, watermark, acked, end: this.#end(`s:${id}`), topics: inOrder(topics), data, closing };
  }
}

interface ModelEntry {
  readonly offset: number;
  readonly atMs: number;
  readonly size: number;
  readonly text: string;
}

interface ModelSession extends Pick<SessionState, 'id' | 'data' | 'closing'> {
  pod: string;
  epoch: number;
  tokens: string[];
  attempt: number;
  readonly lifeMs: number;
  /** When it was last attached or, if it is detached, when it became so. */
  sinceMs: number;
  detached: boolean;
  watermark: number;
  acked: number;
  data?: SessionState['data'];
  closing?: SessionState['closing'];
  readonly follows: Map<string, number>;
}

/** A session's state without what is random. */
export interface SessionView {
  readonly id: string;
  readonly epoch: number;
  readonly watermark: number;
  readonly acked: number;
  readonly end: number;
  readonly topics: readonly { readonly topic: string; readonly offset: number; readonly end: number }[];
  readonly data: string | undefined;
  readonly closing: SessionState['closing'];
}

export function viewOf({ id, epoch, watermark, stream, topics, data, closing }: SessionState): SessionView {
  const subscriptions = topics.map(({ topic, offset, end }) => ({ topic, offset, end }));
  return { id, epoch, watermark, acked: stream.acked, end: stream.end, topics: inOrder(subscriptions), data, closing };
}

function inOrder<T extends { readonly topic: string }>(topics: T[]): T[] {
  return topics.sort((a, b) => (a.topic < b.topic ? -1 : 1));
}
