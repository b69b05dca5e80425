import { content, NOW } from './contract-kit.js';
import { type ModelStore, viewOf } from './contract-model.js';
import type { DrawnEffect, DrawnPart, Step } from './contract-steps.js';
import type { BatchResult, Effect, Part, Store, StreamKey } from './store.js';

const STREAMS: readonly StreamKey[] = ['s:s1', 's:s2', 't:x', 't:y'];

export interface Comparison {
  readonly actual: unknown;
  readonly expected: unknown;
}

/** A store and its model, taking the same steps. */
export class Pair {
  store: Store;
  readonly #model: ModelStore;
  readonly #epochs = new Map<string, number>();
  readonly #newest = new Map<string, string>();
  #attempts = 0;
  #nowMs = NOW;

  constructor(store: Store, model: ModelStore) {
    this.store = store;
    this.#model = model;
  }

  /** Takes a step after some time, and returns what can be seen then, of the store and of the model. */
  async take(next: Step, byMs: number): Promise<Comparison> {
    this.#nowMs += byMs;
    const answer = await this.#do(next);
    const streams: { actual: unknown; expected: unknown }[] = [];
    for (const key of STREAMS) {
      const { first, end, entries } = await this.store.read(key, 1, { entries: 3, bytes: 1_000_000 });
      const texts = entries.map(({ data }) => new TextDecoder().decode(data));
      streams.push({ actual: { key, first, end, texts }, expected: { key, ...this.#model.read(key, 1, 3) } });
    }
    const { sessions } = await this.store.stats();
    const followers = await Promise.all(['x', 'y'].map((topic) => this.store.followers(topic, '', 9)));
    return {
      actual: { answer: answer.actual, streams: streams.map(({ actual }) => actual), sessions, followers },
      expected: {
        answer: answer.expected,
        streams: streams.map(({ expected }) => expected),
        sessions: this.#model.sessionCount(),
        followers: ['x', 'y'].map((topic) => {
          const all = this.#model.followers(topic);
          return { sessions: all, total: all.length };
        }),
      },
    };
  }

  async #do(next: Step): Promise<Comparison> {
    const { store } = this;
    const model = this.#model;
    const nowMs = this.#nowMs;
    switch (next.do) {
      case 'create': {
        const fields = {
          id: next.session,
          pod: next.pod,
          token: next.token,
          lifeMs: next.lifeMs,
          nowMs,
          request: '{}',
        };
        const actual = await store.create(fields).then(viewOf, () => 'exists' as const);
        if (actual !== 'exists') {
          this.#epochs.set(next.session, 1);
          this.#newest.set(next.session, next.token);
        }
        return { actual, expected: model.create(fields) };
      }
      case 'attach': {
        // Mostly the latest attempt; sometimes one that was held up.
        const attempt = next.overtaken === 0 ? ++this.#attempts : this.#attempts - next.overtaken;
        const presented = next.presented === 'newest' ? (this.#newest.get(next.session) ?? '') : next.presented;
        const fields = { id: next.session, pod: next.pod, presented, attempt, next: next.next, nowMs };
        const answer = await store.attach(fields);
        if (typeof answer !== 'string') {
          this.#epochs.set(answer.id, answer.epoch);
          this.#newest.set(answer.id, next.next);
        }
        return { actual: typeof answer === 'string' ? answer : viewOf(answer), expected: model.attach(fields) };
      }
      case 'commit': {
        const fields = { pod: next.pod, nowMs, parts: next.parts.map((each) => this.#part(each)) };
        return { actual: withoutEpochs(await store.commit(fields)), expected: model.commit(fields) };
      }
      case 'lease':
        model.lease(next.pod, nowMs + next.forMs);
        return { actual: await store.lease(next.pod, nowMs + next.forMs), expected: undefined };
      case 'adopt': {
        const candidates = model.adoptable(next.pod, nowMs);
        const adopted = await store.adopt(next.pod, nowMs, next.limit);
        for (const { id, epoch } of adopted) this.#epochs.set(id, epoch);
        const choice = choiceOf(
          adopted.map(({ id }) => id),
          candidates,
          next.limit,
        );
        return {
          actual: { choice: choice.actual, states: adopted.map(viewOf) },
          expected: { choice: choice.expected, states: choice.valid.map((id) => model.adopt(id, next.pod, nowMs)) },
        };
      }
      case 'expire': {
        const candidates = model.expirable(nowMs);
        const choice = choiceOf(await store.expire(nowMs, next.limit), candidates, next.limit);
        model.expire(choice.valid, nowMs);
        return choice;
      }
      case 'reopen':
        return { actual: undefined, expected: undefined };
    }
  }

  #part({ guard, detached, effects, ...rest }: DrawnPart): Part {
    return {
      ...rest,
      ...(guard && { guard: { session: guard.session, epoch: this.#epoch(guard) } }),
      ...(detached !== undefined && { detachedMs: detached ? this.#nowMs : null }),
      effects: effects.map((each) => this.#effect(each)),
    };
  }

  #effect(drawn: DrawnEffect): Effect {
    const { type, text: said = '', code, topic: name = '', session: id = '' } = drawn as Flat<DrawnEffect>;
    const guard = { session: id, epoch: 'epochOff' in drawn ? this.#epoch(drawn) : 0 };
    switch (type) {
      case 'send':
        return { type, ...guard, ...content(said) };
      case 'publish':
        return { type, topic: name, ...content(said) };
      case 'data':
        return { type, ...guard, data: said };
      case 'close':
        return { type, ...guard, code: code ?? 0, reason: 'why' };
      default:
        return { type: type as 'subscribe' | 'unsubscribe', ...guard, topic: name };
    }
  }

  #epoch(drawn: { readonly session: string; readonly epochOff: number }): number {
    return (this.#epochs.get(drawn.session) ?? 1) + drawn.epochOff;
  }
}

/** Any of the candidates may be chosen, as many as the limit allows. */
function choiceOf(chosen: string[], candidates: string[], limit: number): Comparison & { valid: string[] } {
  const valid = chosen.filter((id) => candidates.includes(id));
  return {
    actual: { count: chosen.length, invalid: chosen.filter((id) => !valid.includes(id)) },
    expected: { count: Math.min(limit, candidates.length), invalid: [] },
    valid,
  };
}

/** All fields of a union of records, each as it is where it is. */
type Flat<Union> = {
  [Key in Union extends unknown ? keyof Union : never]?: Union extends Record<Key, infer Value> ? Value : never;
};

function withoutEpochs({ parts }: BatchResult): BatchResult {
  return {
    parts: parts.map((result) => {
      if (result.fenced) return result;
      return {
        fenced: false,
        effects: result.effects.map((each) => (each === 'fenced' ? each : { offset: each.offset, epoch: '' })),
      };
    }),
  };
}
