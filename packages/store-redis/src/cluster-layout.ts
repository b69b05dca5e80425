import type { Batch, Claim, StreamKey } from '@holdfast/store';
import type { WrittenBatch } from './batch-text.js';
import { ClusterCommit, settled } from './cluster-commit.js';
import type { Follows } from './follows.js';
import { grouped } from './groups.js';
import type { InDoubt } from './in-doubt.js';
import type { Answer, Layout } from './layout.js';
import { scripts } from './lua/scripts.js';
import type { PositionReply, StateReply } from './replies.js';
import type { Runner } from './runner.js';

/** Pairs of a reference to a batch and a session that waits for it, in one list. */
type Unfinished = readonly string[];

/** Keys in many slot groups: each operation asks the groups that it is about, and finishes what it finds half done. */
export class ManyGroups implements Layout {
  readonly #runner: Runner;
  readonly #follows: Follows;
  readonly #commits: ClusterCommit;

  constructor(runner: Runner, inDoubt: InDoubt, follows: Follows, knownEnd: (topic: string) => number) {
    this.#runner = runner;
    this.#follows = follows;
    this.#commits = new ClusterCommit(runner, follows, inDoubt, knownEnd);
  }

  commit(given: Batch, written: WrittenBatch, failAt: number | undefined): Promise<Answer> {
    return this.#commits.commit(given, written, failAt);
  }

  /** Fences first, so that nothing is added to what has to be finished before the state is true. */
  async attach(claim: Claim): Promise<StateReply | string> {
    const group = this.#runner.groups.of(claim.id);
    let state = (await this.#runner.run(group, scripts.attach, { claim })) as StateReply | string | null;
    if (state === null || typeof state === 'string') return state ?? 'unknown';
    const epoch = state[1];
    const claims = state[12];
    if (claims.length > 0) {
      await this.#finish(claim.id, claims);
      state = (await this.#runner.run(group, scripts.state, { session: claim.id })) as StateReply | null;
      if (state === null) return 'unknown';
    }
    const [seen] = await this.#withEnds([state]);
    // If it was lost again meanwhile, whoever has it holds a newer epoch.
    return replaced(seen!, 1, epoch);
  }

  async adopt(pod: string, nowMs: number, limit: number): Promise<StateReply[]> {
    const run = async (group: number, fields: object) =>
      (await this.#runner.run(group, scripts.adopt, { pod, nowMs, ...fields })) as [unknown[], Unfinished];
    const found = await this.#eachGroup((group) => run(group, { limit, dry: true }));
    await this.#finishAll([...found.values()].flatMap(([, unfinished]) => unfinished));
    const counts = new Map([...found].map(([group, [ids, refs]]) => [group, ids.length + refs.length / 2]));
    const states: StateReply[] = [];
    await settled(
      [...shared(counts, limit)].map(async ([group, share]) => {
        const [taken] = await run(group, { limit: share });
        states.push(...(taken as StateReply[]));
      }),
    );
    return this.#withEnds(states);
  }

  async expire(nowMs: number, limit: number): Promise<string[]> {
    const run = async (group: number, fields: object): Promise<string[]> =>
      (await this.#runner.run(group, scripts.expireSessions, { nowMs, ...fields })) as string[];
    const found = await this.#eachGroup((group) => run(group, { limit, dry: true }));
    const expired: string[] = [];
    const counts = new Map([...found].map(([group, ids]) => [group, ids.length]));
    await settled(
      [...shared(counts, limit)].map(async ([group, share]) => {
        expired.push(...(await run(group, { limit: share })));
      }),
    );
    await this.#follows.flush();
    await this.#expireStreams(nowMs);
    return expired;
  }

  async positions(streams: readonly StreamKey[]): Promise<PositionReply[]> {
    const replies = new Map<StreamKey, PositionReply>();
    const asked = grouped(streams, (stream) => this.#runner.groups.of(stream.slice(2)));
    await settled(
      [...asked].map(async ([group, own]) => {
        const found = (await this.#runner.run(group, scripts.positions, { streams: own })) as PositionReply[];
        own.forEach((stream, index) => replies.set(stream, found[index]!));
      }),
    );
    return streams.map((stream) => replies.get(stream)!);
  }

  async tend(): Promise<void> {
    await this.#commits.finishOwn();
    await this.#follows.flush();
  }

  /** Forgets what nobody follows any more, and asks after topics that have been quiet for long; finishes what its maker has left. */
  async #expireStreams(nowMs: number): Promise<void> {
    type Ask = readonly [topic: string, groups: readonly string[]];
    const found = await this.#eachGroup(
      async (group) =>
        (await this.#runner.run(group, scripts.expireStreams, { nowMs })) as [asks: Ask[], unfinished: string[]],
    );
    const unfinished = [...found].flatMap(([group, [, refs]]) => refs.map((ref) => `${group} ${ref}`));
    for (const ref of unfinished) await this.#commits.finish(ref);
    const asks = [...found.values()].flatMap(([all]) =>
      all.flatMap(([topic, groups]) => groups.map((group) => ({ topic, group: Number(group) }))),
    );
    for (const [group, own] of grouped(asks, (ask) => ask.group)) {
      await this.#follows.ask(
        group,
        own.map(({ topic }) => topic),
      );
    }
    await this.#follows.flush();
  }

  /** The answers of all groups; groups that fail are passed over, unless all do. */
  async #eachGroup<T>(ask: (group: number) => Promise<T>): Promise<Map<number, T>> {
    const answers = new Map<number, T>();
    let failure: unknown;
    await Promise.all(
      this.#runner.groups.all().map(async (group) => {
        try {
          answers.set(group, await ask(group));
        } catch (error) {
          failure = error;
        }
      }),
    );
    if (answers.size === 0) throw failure;
    return answers;
  }

  /** Sessions whose batches cannot be finished now stay where they are, to be adopted later. */
  async #finishAll(unfinished: Unfinished): Promise<void> {
    const pairs = Array.from({ length: unfinished.length / 2 }, (_, index) => {
      return { ref: unfinished[2 * index]!, session: unfinished[2 * index + 1]! };
    });
    const done = [...grouped(pairs, ({ ref }) => ref)].map(async ([ref, waiting]) => {
      await this.#commits.finish(ref);
      await settled(waiting.map(({ session }) => this.#unclaim(session, [ref])));
    });
    await Promise.allSettled(done);
  }

  async #unclaim(session: string, refs: readonly string[]): Promise<void> {
    await this.#runner.run(this.#runner.groups.of(session), scripts.unclaim, { session, refs });
  }

  async #finish(session: string, refs: readonly string[]): Promise<void> {
    await settled(refs.map((ref) => this.#commits.finish(ref)));
    await this.#unclaim(session, refs);
  }

  /** States with where their topics end. Topics that do not know that they are followed, as its pod died before it said so, are told. */
  async #withEnds(states: readonly StateReply[]): Promise<StateReply[]> {
    const { groups } = this.#runner;
    const wanted = states.flatMap((state) => {
      const topics = state[11].filter((_, index) => index % 4 === 0).map(String);
      return topics.map((topic) => ({ topic, group: groups.of(state[0]), at: groups.of(topic) }));
    });
    if (wanted.length === 0) return [...states];
    const ends = new Map<string, number>();
    await settled(
      [...grouped(wanted, ({ group, at }) => `${group} ${at}`).values()].map(async (own) => {
        const { group, at } = own[0]!;
        const topics = [...new Set(own.map(({ topic }) => topic))];
        const found = (await this.#runner.run(at, scripts.look, { topics, group })) as [number, string, number][];
        topics.forEach((topic, index) => ends.set(topic, found[index]![0]));
        const untold = topics.filter((_, index) => found[index]![2] === 0);
        if (untold.length > 0) await this.#follows.ask(group, untold);
      }),
    );
    await this.#follows.flush();
    return states.map((state) => {
      const subscriptions = state[11].map((field, index, all) =>
        index % 4 === 3 ? (ends.get(String(all[index - 3])) ?? 0) : field,
      );
      return replaced(state, 11, subscriptions);
    });
  }
}

/** How many each group may take, so that together they take as many as there are, and not more than the limit. */
function shared(counts: ReadonlyMap<number, number>, limit: number): Map<number, number> {
  const shares = new Map<number, number>();
  let left = limit;
  for (const [group, count] of counts) {
    const share = Math.min(count, left);
    if (share > 0) shares.set(group, share);
    left -= share;
  }
  return shares;
}

function replaced<At extends 1 | 11>(state: StateReply, at: At, field: StateReply[At]): StateReply {
  return Object.assign([...state], { [at]: field }) as unknown as StateReply;
}
