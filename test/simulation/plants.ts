import { ServerSession } from '@holdfast/protocol';
import { MemoryStore, type Batch, type Guard, type MemoryStoreOptions, type Part, type Store } from '@holdfast/store';
import { Inbox } from '../../packages/protocol/src/inbox.js';
import { Intake } from '../../packages/protocol/src/intake.js';
import { Liveness } from '../../packages/protocol/src/liveness.js';
import { Outbox } from '../../packages/protocol/src/outbox.js';
import { Reader } from '../../packages/protocol/src/reader.js';
import { Committer } from '../../packages/server/src/committer.js';
import { TopicHub } from '../../packages/server/src/topic-hub.js';
import { MemoryLedger } from '../../packages/store/src/memory-ledger.js';

/** A deliberate bug: how it gets into the code, and out again. Production code knows nothing of it. */
export interface Plant {
  /** Changes the code; returns what changes it back. */
  readonly patch?: () => () => void;
  /** Makes another store. */
  readonly store?: (options: MemoryStoreOptions) => MemoryStore;
  /** Stands between a pod and its store. */
  readonly wrapStore?: (store: Store) => Store;
}

export const NO_PLANT: Plant = {};

/** Puts another function in the place of a method. */
function method<T extends object, K extends keyof T>(target: T, key: K, make: (original: T[K]) => T[K]): Plant {
  return {
    patch: () => {
      const original = target[key];
      target[key] = make(original);
      return () => (target[key] = original);
    },
  };
}

/** A store that is like the one behind it but for how it commits. */
const commits = (commit: (inner: Store, batch: Batch) => ReturnType<Store['commit']>): Plant => ({
  wrapStore: (inner) =>
    new Proxy(inner, {
      get: (target, key) => {
        if (key === 'commit') return (batch: Batch) => commit(target, batch);
        const value = Reflect.get(target, key, target) as unknown;
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    }),
});

const withoutWatermark = ({ watermark: _, ...part }: Part): Part => part;

/** Applies writes under the epoch of now, whatever epoch they were made under. */
class UnfencedStore extends MemoryStore {
  readonly #epochs = new Map<string, number>();

  override async create(...args: Parameters<MemoryStore['create']>): ReturnType<MemoryStore['create']> {
    return this.#note(await super.create(...args));
  }

  override async attach(...args: Parameters<MemoryStore['attach']>): ReturnType<MemoryStore['attach']> {
    const state = await super.attach(...args);
    return typeof state === 'string' ? state : this.#note(state);
  }

  override async adopt(...args: Parameters<MemoryStore['adopt']>): ReturnType<MemoryStore['adopt']> {
    return (await super.adopt(...args)).map((state) => this.#note(state));
  }

  override async commit(batch: Batch): ReturnType<MemoryStore['commit']> {
    const renewed = <T extends Guard>(guard: T): T => ({ ...guard, epoch: this.#epochs.get(guard.session) ?? 0 });
    const parts = batch.parts.map((part) => ({
      ...part,
      ...(part.guard && { guard: renewed(part.guard) }),
      effects: part.effects.map((effect) => (effect.type === 'publish' ? effect : renewed(effect))),
    }));
    return super.commit({ ...batch, parts });
  }

  #note<T extends { readonly id: string; readonly epoch: number }>(state: T): T {
    this.#epochs.set(state.id, state.epoch);
    return state;
  }
}

/** Forgets the token that was presented at once, not when the client has shown that it has the next. */
class HastyStore extends MemoryStore {
  override async attach(claim: Parameters<MemoryStore['attach']>[0]): ReturnType<MemoryStore['attach']> {
    const state = await super.attach(claim);
    if (typeof state === 'string') return state;
    const guard = { session: state.id, epoch: state.epoch };
    await super.commit({ pod: claim.pod, nowMs: claim.nowMs, parts: [{ guard, confirm: true, effects: [] }] });
    return state;
  }
}

/** Does not ask which of two attempts is the later one. */
class ForgetfulStore extends MemoryStore {
  #attempts = 0;

  override async attach(claim: Parameters<MemoryStore['attach']>[0]): ReturnType<MemoryStore['attach']> {
    return super.attach({ ...claim, attempt: ++this.#attempts });
  }
}

/** Lets an attach have the session under the epoch that it had before. */
function epochStays(): () => void {
  const { session } = MemoryLedger.prototype;
  const { attach } = MemoryStore.prototype;
  const seen = new Map<string, ReturnType<typeof session>>();
  MemoryLedger.prototype.session = function (id) {
    const record = session.call(this, id);
    seen.set(id, record);
    return record;
  };
  MemoryStore.prototype.attach = async function (claim) {
    const attached = attach.call(this, claim);
    const record = seen.get(claim.id);
    const state = await attached;
    if (typeof state === 'string' || !record) return state;
    record.epoch -= 1;
    return { ...state, epoch: record.epoch };
  };
  return () => {
    MemoryLedger.prototype.session = session;
    MemoryStore.prototype.attach = attach;
  };
}

/** The bugs that the simulator must find. */
export const PLANTS: Readonly<Record<string, Plant>> = {
  'acknowledges a message before its commit': method(
    ServerSession.prototype,
    'poll',
    (poll) =>
      function (this: ServerSession) {
        const output = poll.call(this);
        if (output?.type === 'deliver') this.handleCommitted(output.n, 0);
        return output;
      },
  ),
  'skips the fence': { store: (options) => new UnfencedStore(options) },
  'attaches without raising the epoch': { patch: epochStays },
  'writes the watermark before its effects': commits(async (inner, batch) => {
    const { parts } = batch;
    await inner.commit({ ...batch, parts: parts.map((part) => ({ ...part, end: undefined, effects: [] })) });
    return inner.commit(batch);
  }),
  'writes effects without their watermark': commits((inner, batch) =>
    inner.commit({ ...batch, parts: batch.parts.map(withoutWatermark) }),
  ),
  'gives a batch up that has failed': commits((inner, batch) =>
    inner.commit(batch).catch(() => {
      const done = { offset: 0, epoch: '' };
      return { parts: batch.parts.map(({ effects }) => ({ fenced: false, effects: effects.map(() => done) })) };
    }),
  ),
  'writes a batch again whose answer was lost': commits((inner, batch) => inner.commit({ ...batch })),
  'attaches while a batch is under way': method(Committer.prototype, 'between', () => (work) => work()),
  'sends one message more than the window allows': method(
    Outbox.prototype,
    'begin',
    (begin) =>
      function (this: Outbox, { messages, bytes }, received) {
        begin.call(this, { messages: messages + 1, bytes }, received);
      },
  ),
  'does not send again what was not acknowledged': method(
    Outbox.prototype,
    'begin',
    (begin) =>
      function (this: Outbox, window, received) {
        begin.call(this, window, received);
        this.ack(this.everSent);
      },
  ),
  'hands a message to the application twice': method(
    Inbox.prototype,
    'accept',
    (accept) =>
      function (this: Inbox, topic, n) {
        const arrival = accept.call(this, topic, n);
        return arrival === 'duplicate' ? 'fresh' : arrival;
      },
  ),
  'handles a message twice': method(
    Intake.prototype,
    'take',
    (take) =>
      function (this: Intake, n, data) {
        const taken = take.call(this, n, data);
        return taken === 'duplicate' ? 'fresh' : taken;
      },
  ),
  'skips a gap': method(
    Reader.prototype,
    'take',
    (take) =>
      function* (this: Reader, slice, isSafe) {
        for (const step of take.call(this, slice, isSafe)) if (step.do !== 'gap') yield step;
      },
  ),
  'kills a token before the next has arrived': { store: (options) => new HastyStore(options) },
  'lets a late attempt undo a newer one': { store: (options) => new ForgetfulStore(options) },
  'does not hear what other pods publish': method(TopicHub.prototype, 'grown', () => () => {}),
  'never finds a half-open connection': method(
    Liveness.prototype,
    'check',
    (check) =>
      function (this: Liveness, nowMs) {
        const pulse = check.call(this, nowMs);
        if (pulse === 'dead') this.heard(nowMs);
        return pulse === 'dead' ? 'alive' : pulse;
      },
  ),
};
