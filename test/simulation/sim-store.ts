import type { Timeline } from '@holdfast/protocol/testing';
import {
  MemoryStore,
  type Batch,
  type BatchResult,
  type Claim,
  type Followers,
  type NewSession,
  type ReadLimit,
  type Refusal,
  type SessionState,
  type Slice,
  type Store,
  type StoreStats,
  type StreamKey,
  type Tail,
  type Wake,
} from '@holdfast/store';
import type { Random } from '@holdfast/testing';
import type { Host } from './host.js';
import type { LogAudit } from './log-audit.js';

/** What goes wrong between a pod and the store, until which time. */
export interface StoreTrouble {
  /** Requests fail before they are applied. */
  failUntilMs: number;
  /** Requests, and answers, wait. */
  hangUntilMs: number;
  /** Requests are applied and reported as failed. */
  answersLostUntilMs: number;
  /** Wake-ups come late. */
  wakesLateUntilMs: number;
}

export const noTrouble = (): StoreTrouble => ({
  failUntilMs: 0,
  hangUntilMs: 0,
  answersLostUntilMs: 0,
  wakesLateUntilMs: 0,
});

export interface StoreModelOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly inner: MemoryStore;
  readonly audit: LogAudit;
  readonly storeMs: readonly [number, number];
  /** What befalls all pods at once. */
  readonly trouble: StoreTrouble;
}

/** A store on the other side of a network: requests and answers take time, fail, and outlive the pod that made them. */
export class StoreView implements Store {
  readonly durable = true;
  readonly trouble = noTrouble();
  readonly #model: StoreModelOptions;
  readonly #host: Host;
  /** The answers to batches that were applied: a store knows a batch that it is given again. */
  #tail: Tail | undefined;
  readonly #answers = new WeakMap<Batch, BatchResult>();

  constructor(model: StoreModelOptions, host: Host) {
    this.#model = model;
    this.#host = host;
  }

  async create(session: NewSession): Promise<SessionState> {
    const { inner, audit } = this.#model;
    return this.#ask(async () => {
      const state = await inner.create(session);
      audit.given(state.id, session.pod, state.epoch);
      return state;
    });
  }

  async attach(claim: Claim): Promise<SessionState | Refusal> {
    const { inner, audit } = this.#model;
    return this.#ask(async () => {
      const state = await inner.attach(claim);
      if (typeof state !== 'string') audit.given(state.id, claim.pod, state.epoch);
      return state;
    });
  }

  async commit(batch: Batch): Promise<BatchResult> {
    const { inner, audit } = this.#model;
    return this.#ask(async () => {
      const known = this.#answers.get(batch);
      if (known) return known;
      const result = await inner.commit(batch);
      this.#answers.set(batch, result);
      audit.applied(batch, result);
      return result;
    });
  }

  async read(stream: StreamKey, after: number, limit: ReadLimit): Promise<Slice> {
    return this.#ask(() => this.#model.inner.read(stream, after, limit));
  }

  async followers(topic: string, after: string, limit: number): Promise<Followers> {
    return this.#ask(() => this.#model.inner.followers(topic, after, limit));
  }

  tail(pod: string, listener: (wake: Wake) => void): Tail {
    const { inner, timeline, random, trouble } = this.#model;
    this.#tail = inner.tail(pod, (wake) => {
      const isLate = timeline.nowMs < Math.max(trouble.wakesLateUntilMs, this.trouble.wakesLateUntilMs);
      const delayMs = this.#delayMs() + (isLate ? random() * 3_000 : 0);
      // Of what is lost, streams are found by their position later; a session that is lost shows when it is written to.
      const fenced = isLate && random.chance(0.5) ? [] : wake.fenced;
      timeline.after(delayMs, () => this.#host.run(() => listener({ ...wake, fenced })));
    });
    return this.#tail;
  }

  /** The pod is gone, and listens to nothing any more. */
  cutTail(): void {
    this.#tail?.close();
  }

  async lease(pod: string, untilMs: number): Promise<void> {
    return this.#ask(() => this.#model.inner.lease(pod, untilMs));
  }

  async adopt(pod: string, nowMs: number, limit: number): Promise<SessionState[]> {
    const { inner, audit } = this.#model;
    return this.#ask(async () => {
      const adopted = await inner.adopt(pod, nowMs, limit);
      for (const { id, epoch } of adopted) audit.given(id, pod, epoch);
      return adopted;
    });
  }

  async expire(nowMs: number, limit: number): Promise<string[]> {
    const { inner, audit } = this.#model;
    return this.#ask(async () => {
      const expired = await inner.expire(nowMs, limit);
      for (const id of expired) audit.ended(id);
      return expired;
    });
  }

  async stats(): Promise<StoreStats> {
    return this.#model.inner.stats();
  }

  async close(): Promise<void> {}

  /** A request on its way there, and its answer on its way back. Whoever asked may be dead or stopped by then. */
  #ask<T>(apply: () => Promise<T>): Promise<T> {
    const { timeline, trouble } = this.#model;
    return new Promise((resolve, reject) => {
      const answer = (settle: () => void): void => {
        timeline.at(this.#arrivalMs(), () => this.#host.run(settle));
      };
      timeline.at(this.#arrivalMs(), () => {
        const { nowMs } = timeline;
        const fails = nowMs < Math.max(trouble.failUntilMs, this.trouble.failUntilMs);
        if (fails) return answer(() => reject(new Error('the store fails')));
        const isLost = nowMs < Math.max(trouble.answersLostUntilMs, this.trouble.answersLostUntilMs);
        apply().then(
          (result) => answer(() => (isLost ? reject(new Error('the answer was lost')) : resolve(result))),
          // What the store, or the audit of it, throws is no fault of the model's.
          (error: Error) => timeline.after(0, () => thrown(error)),
        );
      });
    });
  }

  #arrivalMs(): number {
    const { timeline, trouble } = this.#model;
    return Math.max(timeline.nowMs, trouble.hangUntilMs, this.trouble.hangUntilMs) + this.#delayMs();
  }

  #delayMs(): number {
    const { random, storeMs } = this.#model;
    return storeMs[0] + random() * (storeMs[1] - storeMs[0]);
  }
}

function thrown(error: Error): never {
  throw error;
}
