import type { LogEntry } from '../server-output.js';
import type { ServerSessionState } from '../server-options.js';
import { ModelLog } from './model-log.js';

/** A message of the client whose handling is committed. */
export interface Handled {
  readonly n: number;
  readonly text: string;
}

/** What the store knows of a session, as far as the machines depend on it. */
export interface ModelSession {
  readonly id: string;
  /** Raised at every attach: who writes under an older one is refused. */
  fence: number;
  owner: string;
  /** The newest resume token, and the one that was presented for it: good until the client shows that it has the newest. */
  token: string;
  spentToken: string | undefined;
  attempt: number;
  watermark: number;
  acked: number;
  readonly topics: Map<string, { epoch: string; offset: number }>;
  closing?: { readonly code: number; readonly reason: string };
  readonly handled: Handled[];
}

export interface Claim {
  readonly id: string;
  readonly pod: string;
  readonly token: string;
  readonly attempt: number;
}

export type Refusal = 'unknown' | 'refused' | 'late';

/** Sessions and streams in memory, as durable as the test. Every call is atomic. */
export class ModelStore {
  readonly #logs = new Map<string, ModelLog>();
  readonly #sessions = new Map<string, ModelSession>();
  #made = 0;

  /** A stream; one that nobody has written to is made. Topic '' of a session is its own stream. */
  log(session: string, topic: string): ModelLog {
    const key = topic === '' ? `s:${session}` : `t:${topic}`;
    let log = this.#logs.get(key);
    if (!log) this.#logs.set(key, (log = new ModelLog(this.#name('epoch'))));
    return log;
  }

  session(id: string): ModelSession | undefined {
    return this.#sessions.get(id);
  }

  get sessions(): ModelSession[] {
    return [...this.#sessions.values()];
  }

  create(pod: string): ModelSession {
    const session: ModelSession = {
      id: this.#name('session'),
      fence: 1,
      owner: pod,
      token: this.#name('token'),
      spentToken: undefined,
      attempt: 0,
      watermark: 0,
      acked: 0,
      topics: new Map(),
      handled: [],
    };
    this.#sessions.set(session.id, session);
    return session;
  }

  /** Takes a session over, if the claim is good: whoever held it is fenced, and there is a new token. */
  attach({ id, pod, token, attempt }: Claim): ModelSession | Refusal {
    const session = this.#sessions.get(id);
    if (!session) return 'unknown';
    if (token !== session.token && token !== session.spentToken) return 'refused';
    if (attempt <= session.attempt) return 'late';
    session.spentToken = token;
    session.token = this.#name('token');
    session.attempt = attempt;
    session.fence++;
    session.owner = pod;
    return session;
  }

  /** A pod takes a session over whose own pod seems dead; its client knows nothing of it. */
  adopt(session: ModelSession, pod: string): void {
    session.fence++;
    session.owner = pod;
  }

  /** What a machine is made from. */
  stateOf(session: ModelSession): ServerSessionState {
    const { id, watermark, acked, closing } = session;
    const own = this.log(id, '');
    return {
      id,
      watermark,
      stream: { epoch: own.epoch, end: own.end, acked },
      topics: Array.from(session.topics, ([topic, { epoch, offset }]) => {
        const log = this.log(id, topic);
        return { topic, epoch, offset, end: log.end, streamEpoch: log.epoch };
      }),
      ...(closing && { closing }),
    };
  }

  append(session: string, topic: string, data: Uint8Array): LogEntry {
    return this.log(session, topic).append(data, false);
  }

  /** A stream loses its history. */
  lose(id: string, topic: string): void {
    this.log(id, topic).lose(this.#name('epoch'));
    const session = this.#sessions.get(id);
    if (session && topic === '') session.acked = 0;
  }

  remove(id: string): void {
    this.#sessions.delete(id);
    this.#logs.delete(`s:${id}`);
  }

  #name(kind: string): string {
    return `${kind}-${++this.#made}`;
  }
}
