import { type Batch, type EffectResult, errors, HoldfastError } from '@holdfast/store';
import { type WrittenBatch, type WrittenPart, writeResult } from './batch-text.js';
import type { Follows } from './follows.js';
import { grouped } from './groups.js';
import type { InDoubt } from './in-doubt.js';
import { type Answer, readAnswer } from './layout.js';
import { type Script, scripts } from './lua/scripts.js';
import type { Runner } from './runner.js';
import {
  groupOf,
  groupsOf,
  type Held,
  heldParts,
  needsRecord,
  Results,
  type Share,
  Shares,
  topicsSeen,
} from './split.js';

/** Where a batch is recorded: slot group, store object and number. */
interface Ref {
  readonly group: number;
  readonly owner: string;
  readonly id: number;
}

/** What is recorded of a batch: all of it, and whose guards held. */
interface Recorded extends WrittenBatch {
  readonly held: readonly Held[];
}

/** Where a topic is. */
interface Position {
  readonly offset: number;
  readonly epoch: string;
}

interface Numbered {
  readonly id: number;
  readonly open: number;
}

/** Somebody gave a batch up for lost before it was recorded: it has to be given under another number. */
const VOID = Symbol('void');
const RENUMBERINGS_MAX = 5;

/**
 * Commits batches in a cluster. Parts that concern one slot group each are applied there, group by group. Any other batch is first claimed (the
 * guards are looked at, the sessions know of the batch), then recorded, whole, which commits it, then applied group by group, topics first and
 * watermarks last, and cleared. Each script applies its share once, by the number of the batch; so whoever finds a record (the pod that made it, one
 * that gets a session of it, any pod that expires things) may apply it again from the start.
 */
export class ClusterCommit {
  readonly #runner: Runner;
  readonly #follows: Follows;
  readonly #inDoubt: InDoubt;
  /** Where batches of this object are recorded that are not known to be finished. */
  readonly #recordedIn = new Map<number, number>();
  /** How far a topic is known to reach, at least. */
  readonly #knownEnd: (topic: string) => number;

  constructor(runner: Runner, follows: Follows, inDoubt: InDoubt, knownEnd: (topic: string) => number) {
    this.#knownEnd = knownEnd;
    this.#runner = runner;
    this.#follows = follows;
    this.#inDoubt = inDoubt;
  }

  async commit(given: Batch, written: WrittenBatch, failAt?: number): Promise<Answer> {
    for (let renumberings = 0; renumberings < RENUMBERINGS_MAX; renumberings++) {
      const { id, open, isAgain } = this.#inDoubt.begin(given);
      try {
        const answer = needsRecord(this.#runner.groups, written.batch)
          ? await this.#commitRecorded(written, { id, open }, isAgain, failAt)
          : await this.#commitDirectly(written, { id, open });
        this.#inDoubt.answered(id);
        this.#recordedIn.delete(id);
        if (answer !== VOID) return answer;
      } catch (error) {
        this.#inDoubt.failed(id);
        throw inDoubt(error);
      }
    }
    throw new HoldfastError(errors.STORE, 'the batch was given up by others');
  }

  /** Finishes the batches of this object that failed after they may have been recorded. */
  async finishOwn(): Promise<void> {
    for (const id of this.#inDoubt.unfinished()) {
      await this.finish(`${this.#recordedIn.get(id)} ${this.#runner.me}:${id}`);
      this.#inDoubt.finished(id);
      this.#recordedIn.delete(id);
    }
  }

  /** Applies what is recorded under a reference, or sees to it that nothing ever will be. */
  async finish(text: string): Promise<void> {
    const ref = readRef(text);
    const found = await this.#recall(ref, true);
    if (typeof found === 'string') return;
    await this.#clear(ref, await this.#applyRecorded(found, ref));
  }

  /** Where topics end, each asked in its group. */
  async endsOf(topics: readonly string[]): Promise<Map<string, Position>> {
    const { groups } = this.#runner;
    const asked = grouped(new Set(topics), (topic) => groups.of(topic));
    const ends = new Map<string, Position>();
    await settled(
      [...asked].map(async ([group, names]) => {
        const found = (await this.#runner.run(group, scripts.look, { topics: names })) as [number, string][];
        names.forEach((name, index) => ends.set(name, { offset: found[index]![0], epoch: found[index]![1] }));
      }),
    );
    return ends;
  }

  async #commitDirectly({ batch, payloads, adds }: WrittenBatch, number: Numbered): Promise<Answer> {
    const { groups } = this.#runner;
    const ends = await this.endsOf(batch.parts.flatMap((part) => topicsSeen(part, this.#knownEnd)));
    const endOf = (topic: string): Position => ends.get(topic) ?? { offset: Infinity, epoch: '' };
    const results = new Results(batch.parts);
    const shares = new Shares(payloads);
    batch.parts.forEach((part, index) => {
      const [group] = groupsOf(groups, part);
      if (group === undefined) return;
      const fields = { ...part, topicsAcked: part.topicsAcked?.map((acked) => clipped(acked, endOf(acked.topic))) };
      const effects = part.effects.map((effect, at) => {
        const land = (result: EffectResult): void => results.land(index, at, result);
        return [effect.type === 'subscribe' ? startingAt(effect, endOf(effect.topic)) : effect, land] as const;
      });
      shares.of(group).add(fields, effects, (refused) => results.fence(index, refused));
    });
    let isKnown = false;
    await settled(
      [...shares].map(async ([group, share]) => {
        const fields = { batch: { ...batch, parts: share.parts }, ...number };
        const said = await this.#apply(group, adds ? scripts.commit : scripts.settle, fields, share, batch.parts);
        if (said === 'stale') readAnswer(said);
        isKnown ||= said === 'again';
      }),
    );
    await this.#follows.flush();
    return { text: writeResult(results.all()), isKnown };
  }

  async #commitRecorded(
    written: WrittenBatch,
    number: Numbered,
    isAgain: boolean,
    failAt?: number,
  ): Promise<Answer | typeof VOID> {
    // In one of its own groups, so that it needs no other node; always in the same.
    const [group = 0] = written.batch.parts.flatMap((part) => [...groupsOf(this.#runner.groups, part)]);
    const ref = { group, owner: this.#runner.me, id: number.id };
    let found: Recorded | string = isAgain ? await this.#recall(ref, false) : 'none';
    if (found === 'none') {
      const recorded = { ...written, held: await this.#claim(written, ref, number.open) };
      this.#inDoubt.recorded(number.id);
      this.#recordedIn.set(number.id, group);
      const said = await this.#record(recorded, ref, failAt);
      found = said === 'recorded' ? recorded : said === 'there' ? await this.#recall(ref, false) : said;
    }
    if (found === 'void') return VOID;
    if (typeof found === 'string') return readAnswer(found);
    const text = await this.#applyRecorded(found, ref, number.open);
    // If it stays, whoever finds it finds it applied.
    this.#clear(ref, text, number.open).catch(() => undefined);
    return { text, isKnown: false };
  }

  /** Looks whose guards are current, and whether all nodes that are needed are there and have room. */
  async #claim({ batch, adds }: WrittenBatch, ref: Ref, open: number): Promise<Held[]> {
    const { groups } = this.#runner;
    const guards = new Map<number, { session: string; epoch: number }[]>();
    for (const part of batch.parts) {
      for (const group of [...groupsOf(groups, part), ...topicsSeen(part).map((topic) => groups.of(topic))]) {
        if (!guards.has(group)) guards.set(group, []);
      }
      if (part.guard !== undefined) guards.get(groups.of(part.guard.session))?.push(part.guard);
    }
    const found = new Map<string, Held>();
    const script = adds ? scripts.claim : scripts.claimAlways;
    await settled(
      [...guards].map(async ([group, asked]) => {
        const held = (await this.#runner.run(group, script, {
          group: ref.group,
          id: ref.id,
          open,
          guards: asked,
        })) as number[];
        asked.forEach(({ session, epoch }, index) => {
          found.set(`${epoch} ${session}`, held[index] === 1 ? 'held' : held[index] === 0 ? 'fenced' : 'gone');
        });
      }),
    );
    return heldParts(batch.parts, ({ session, epoch }) => found.get(`${epoch} ${session}`) ?? 'fenced');
  }

  async #record({ batch, held, adds, payloads }: Recorded, ref: Ref, failAt: number | undefined): Promise<string> {
    const script = scripts.record;
    const text = Buffer.from(JSON.stringify({ batch, held, adds }));
    const said = await this.#runner.run(ref.group, script, { id: ref.id, failAt }, { payloads: [text, ...payloads] });
    return String(said);
  }

  async #recall({ group, owner, id }: Ref, isVoid: boolean): Promise<Recorded | string> {
    const fields = { owner, id, void: isVoid };
    const found = (await this.#runner.run(group, scripts.recall, fields, { as: 'bytes' })) as Buffer | Buffer[];
    if (!Array.isArray(found)) return String(found);
    const [text, ...payloads] = found;
    return { ...(JSON.parse(String(text)) as Omit<Recorded, 'payloads'>), payloads };
  }

  /** Applies a recorded batch: all that is about topics, then all that is about sessions. Returns the answer. */
  async #applyRecorded({ batch, held, payloads }: Recorded, ref: Ref, open?: number): Promise<string> {
    const { groups } = this.#runner;
    const results = new Results(batch.parts);
    const topics = new Shares(payloads);
    /** Where the topic was for the effect, or the acknowledgement, of this number in a part. */
    const seen = batch.parts.map(() => ({ effects: new Map<number, Position>(), acked: new Map<number, Position>() }));
    const look = (topic: string, at: number, found: Map<number, Position>) => {
      const land = (result: EffectResult): void => {
        if (result !== 'fenced') found.set(at, result);
      };
      topics.of(groups.of(topic)).add({}, [[{ type: 'look', topic }, land]]);
    };
    const applied = [...batch.parts.entries()].filter(([index]) => held[index] === 'held');
    batch.parts.forEach((_, index) => {
      const how = held[index];
      if (how !== 'held') results.fence(index, how === 'gone' ? { fenced: true, gone: true } : { fenced: true });
    });
    for (const [index, { topicsAcked = [], effects }] of applied) {
      topicsAcked.forEach(({ topic }, at) => look(topic, at, seen[index]!.acked));
      effects.forEach((effect, at) => {
        if (effect.type === 'subscribe') look(effect.topic, at, seen[index]!.effects);
        if (effect.type !== 'publish') return;
        topics.of(groups.of(effect.topic)).add({}, [[effect, (result) => results.land(index, at, result)]]);
      });
    }
    if (await this.#step('t', topics, batch, { ref, open })) return '';

    const sessions = new Shares(payloads);
    const decided = new Map<number, Record<string, number>>();
    for (const [index, part] of applied) {
      const { guard, topicsAcked, effects, ...fields } = part;
      const byGroup = grouped(
        [...effects.entries()].filter(([, effect]) => effect.type !== 'publish'),
        ([, effect]) => groupOf(groups, effect),
      );
      const home = guard && groups.of(guard.session);
      if (home !== undefined && !byGroup.has(home)) byGroup.set(home, []);
      for (const [group, own] of byGroup) {
        const { effects: ends, acked } = seen[index]!;
        const landing = own.map(([at, effect]) => {
          const land = (result: EffectResult): void => results.land(index, at, result);
          return [effect.type === 'subscribe' ? startingAt(effect, ends.get(at)) : effect, land] as const;
        });
        const clips = topicsAcked?.map((each, at) => clipped(each, acked.get(at)));
        sessions.of(group).add(group === home ? { guard, ...fields, topicsAcked: clips } : {}, landing);
      }
      if (guard === undefined || home === undefined) continue;
      decided.set(home, { ...decided.get(home), [guard.session]: guard.epoch });
    }
    if (await this.#step('s', sessions, batch, { ref, open }, decided)) return '';
    await this.#follows.flush();
    return writeResult(results.all());
  }

  /** Applies one step of a recorded batch in all its groups. Says whether it was over long ago. */
  async #step(
    step: 't' | 's',
    shares: Shares,
    batch: WrittenBatch['batch'],
    { ref, open }: { readonly ref: Ref; readonly open: number | undefined },
    decided?: ReadonlyMap<number, object>,
  ): Promise<boolean> {
    let isOver = false;
    await settled(
      [...shares].map(async ([group, share]) => {
        const { owner, id } = ref;
        const own = {
          owner,
          id,
          open,
          step,
          ...(decided?.has(group) && { decided: decided.get(group) }),
        };
        const fields = { batch: { ...batch, parts: share.parts }, ...own };
        const said = await this.#apply(group, scripts.settle, fields, share, decided === undefined ? [] : batch.parts);
        isOver ||= said === 'stale';
      }),
    );
    return isOver;
  }

  async #apply(group: number, script: Script, fields: object, share: Share, parts: readonly WrittenPart[]) {
    const said = String(await this.#runner.run(group, script, fields, { payloads: share.payloads }));
    if (said === 'stale') return 'stale';
    const { text, isKnown } = readAnswer(said);
    share.land(text);
    if (!isKnown) return 'applied';
    // Whoever applied it may not have come to tell the topics.
    const subscribed = parts.flatMap(({ effects }) =>
      effects.flatMap((effect) =>
        effect.type === 'subscribe' && groupOf(this.#runner.groups, effect) === group ? [effect.topic] : [],
      ),
    );
    if (subscribed.length > 0) await this.#follows.ask(group, subscribed);
    return 'again';
  }

  async #clear({ group, owner, id }: Ref, text: string, open?: number): Promise<void> {
    await this.#runner.run(group, scripts.clear, { owner, id, text, open });
  }
}

/** One node has refused its share: others may have applied theirs, or will, so that the batch is not to be given in another form. */
function inDoubt(error: unknown): unknown {
  const isRejected = error instanceof HoldfastError && error.code === errors.STORE_REJECTED.code;
  return isRejected ? new HoldfastError(errors.STORE, error.message, { cause: error }) : error;
}

function readRef(text: string): Ref {
  const [, group, owner = '', id] = /^(\d+) (.*):(\d+)$/.exec(text) ?? [];
  return { group: Number(group), owner, id: Number(id) };
}

function clipped({ topic, offset }: { readonly topic: string; readonly offset: number }, end: Position | undefined) {
  return { topic, offset: Math.min(offset, end?.offset ?? 0) };
}

function startingAt<E extends object>(effect: E, end: Position | undefined): E {
  return { ...effect, offset: end?.offset ?? 0, stream: end?.epoch ?? '' };
}

/** Waits for all of them, also when one fails, so that nothing is under way any more when it is given again. */
export async function settled(all: readonly Promise<unknown>[]): Promise<void> {
  for (const each of await Promise.allSettled(all)) if (each.status === 'rejected') throw each.reason;
}
