import {
  errors,
  HoldfastError,
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
import { deferred, type Deferred } from '@holdfast/testing';

type Operation = 'create' | 'attach' | 'commit' | 'read' | 'followers' | 'lease' | 'adopt' | 'expire';

/** A store that fails, waits and loses wake-ups as a test tells it. */
export class FaultyStore implements Store {
  readonly durable = false;
  /** Operations that fail until they are taken out. */
  readonly failing = new Set<Operation>();
  /** Whether this batch is rejected, now and for ever. */
  rejects: (batch: Batch) => boolean = () => false;
  /** Batches that were committed, oldest first. */
  readonly batches: Batch[] = [];
  /** Reads that were asked for. */
  reads = 0;
  /** What the answers of the next attaches wait for, after they were made; none waits for `undefined`. */
  readonly lateAttaches: (Promise<void> | undefined)[] = [];
  readonly lateAdopts: (Promise<void> | undefined)[] = [];
  /** Wake-ups go nowhere. */
  deaf = false;
  readonly #inner: Store;
  readonly #gates = new Map<Operation, Deferred<void>>();

  constructor(inner: Store = new MemoryStore()) {
    this.#inner = inner;
  }

  /** Operations of this kind wait, before they do anything, until the returned function is called. */
  hold(operation: Operation): () => void {
    const gate = deferred();
    this.#gates.set(operation, gate);
    return () => {
      this.#gates.delete(operation);
      gate.resolve();
    };
  }

  async create(session: NewSession): Promise<SessionState> {
    await this.#pass('create');
    return this.#inner.create(session);
  }

  async attach(claim: Claim): Promise<SessionState | Refusal> {
    await this.#pass('attach');
    const answer = this.#inner.attach(claim);
    await this.lateAttaches.shift();
    return answer;
  }

  async commit(batch: Batch): Promise<BatchResult> {
    await this.#pass('commit');
    if (this.rejects(batch)) throw new HoldfastError(errors.STORE_REJECTED, 'on purpose');
    this.batches.push(batch);
    return this.#inner.commit(batch);
  }

  async read(stream: StreamKey, after: number, limit: ReadLimit): Promise<Slice> {
    this.reads++;
    await this.#pass('read');
    return this.#inner.read(stream, after, limit);
  }

  async followers(topic: string, after: string, limit: number): Promise<Followers> {
    await this.#pass('followers');
    return this.#inner.followers(topic, after, limit);
  }

  tail(pod: string, listener: (wake: Wake) => void): Tail {
    return this.#inner.tail(pod, (wake) => {
      if (!this.deaf) listener(wake);
    });
  }

  async lease(pod: string, untilMs: number): Promise<void> {
    await this.#pass('lease');
    return this.#inner.lease(pod, untilMs);
  }

  async adopt(pod: string, nowMs: number, limit: number): Promise<SessionState[]> {
    await this.#pass('adopt');
    const answer = this.#inner.adopt(pod, nowMs, limit);
    await this.lateAdopts.shift();
    return answer;
  }

  async expire(nowMs: number, limit: number): Promise<string[]> {
    await this.#pass('expire');
    return this.#inner.expire(nowMs, limit);
  }

  async stats(): Promise<StoreStats> {
    return this.#inner.stats();
  }

  async close(): Promise<void> {
    return this.#inner.close();
  }

  async #pass(operation: Operation): Promise<void> {
    await this.#gates.get(operation)?.promise;
    if (this.failing.has(operation)) throw new Error(`${operation} fails on purpose`);
  }
}
