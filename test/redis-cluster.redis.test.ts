import type { Batch, Effect, NewSession, Part, Store } from '@holdfast/store';
import { RedisStore, type RedisStoreOptions } from '@holdfast/store-redis';
import { until } from '@holdfast/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Groups } from '../packages/store-redis/src/groups.js';
import type { RedisStoreInternals } from '../packages/store-redis/src/redis-store.js';
import { RedisCluster } from './redis-cluster.fixture.js';

const NOW = 1_750_000_000_000;
const ALL = { entries: 100_000, bytes: 1e9 };
const HASH = 'h'.repeat(43);
const PREFIX = 'holdfast:';

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await RedisCluster.start();
}, 60_000);
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(async () => {
  await cluster.everywhere('FLUSHALL');
});

async function openStore(options: RedisStoreOptions = {}, internals: RedisStoreInternals = {}): Promise<RedisStore> {
  const store = await RedisStore.open({ url: cluster.url, commandMs: 3000, checkMs: 50, ...options }, internals);
  onTestFinished(() => store.close());
  return store;
}

const content = (text: string) => ({ data: Buffer.from(text), binary: false });
const publish = (topic: string, text: string): Effect => ({ type: 'publish', topic, ...content(text) });
const send = (session: string, epoch: number, text: string): Effect => ({
  type: 'send',
  session,
  epoch,
  ...content(text),
});
const batchOf = (...parts: Part[]): Batch => ({ pod: 'a', nowMs: NOW, parts });
const newSession = (id: string, pod = 'a'): NewSession => {
  return { id, pod, token: HASH, nowMs: NOW, lifeMs: 60_000, request: '{}' };
};

let attempts = 0;
const claim = (id: string, pod = 'b') => {
  return { id, pod, presented: HASH, attempt: ++attempts, next: 'n'.repeat(43), nowMs: NOW };
};

async function textsOf(store: Store, stream: 's:s' | `s:${string}` | `t:${string}`): Promise<string[]> {
  const { entries } = await store.read(stream, 0, ALL);
  return entries.map(({ data }) => Buffer.from(data).toString());
}

it('spreads sessions and topics over all nodes', async () => {
  const store = await openStore();
  for (let n = 0; n < 60; n++) {
    await store.create(newSession(`s${n}`));
    await store.commit(batchOf({ effects: [publish(`t${n}`, 'x')] }));
  }
  const sizes = (await cluster.everywhere('KEYS', `${PREFIX}*}e:t:*`)).map((keys) => (keys as string[]).length);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(60);
  expect(Math.min(...sizes)).toBeGreaterThan(5);
  const groups = new Groups(PREFIX, true);
  const nodes = groups.all().map((group) => Math.floor((groups.slotOf(group) / 16_384) * 3));
  expect([0, 1, 2].map((node) => nodes.filter((each) => each === node).length)).toEqual([11, 10, 11]);
});

describe('a pod that dies between any two scripts of a batch', () => {
  /** A message of `s`: it answers, sends to another session, publishes to two topics and subscribes. */
  const message = (name: string, epoch: number, run: string): Batch => {
    const session = `s-${name}`;
    const effects: Effect[] = [
      publish(`x-${name}`, `${run} x`),
      send(session, epoch, `${run} own`),
      send(`other-${name}`, 1, `${run} other`),
      { type: 'subscribe', session, epoch, topic: `y-${name}` },
      publish(`y-${name}`, `${run} y`),
      { type: 'data', session, epoch, data: `"${run}"` },
    ];
    return batchOf({ guard: { session, epoch }, watermark: 1, effects });
  };

  const seen = async (store: Store, name: string, run: string): Promise<number> => {
    const streams = [`s:s-${name}`, `s:other-${name}`, `t:x-${name}`, `t:y-${name}`] as const;
    const all = await Promise.all(streams.map((stream) => textsOf(store, stream)));
    return all.flat().filter((text) => text.startsWith(run)).length;
  };

  /** As if everything had been recorded a minute ago: nobody may look at what was recorded just now. */
  const age = async (): Promise<void> => {
    for (const node of cluster.masters) {
      for (const key of (await node.command('KEYS', `${PREFIX}*}records`)) as string[]) {
        for (const ref of (await node.command('ZRANGE', key, '0', '-1')) as string[]) {
          await node.command('ZINCRBY', key, '-60', ref);
        }
      }
    }
  };

  it.each(['attach', 'adopt', 'expire'])(
    'has committed all of it or nothing, as %s finds it',
    async (how) => {
      let left = Infinity;
      const dying = await openStore({}, { isAlive: () => left-- > 0 });
      const other = await openStore();
      const ends = new Set<string>();
      for (let scripts = 0; ends.size < 3 && scripts < 60; scripts++) {
        const name = `${how}-${scripts}`;
        const pod = `pod-${name}`;
        await dying.create(newSession(`s-${name}`, pod));
        await dying.create(newSession(`other-${name}`, 'c'));
        await dying.lease(pod, NOW);
        left = scripts;
        const batch = message(name, 1, 'first');
        const answer = await dying.commit(batch).catch(() => undefined);
        left = 0;

        let state;
        if (how === 'adopt') [state] = await other.adopt('b', NOW + 1, 9);
        if (how === 'expire') {
          await age();
          await other.expire(NOW, 9);
          const applied = await seen(other, name, 'first');
          expect([0, 4]).toContain(applied);
        }
        state ??= await other.attach(claim(`s-${name}`));
        if (typeof state === 'string') return expect.fail(`the session is ${state}`);
        const isCommitted = state.watermark === 1;
        const applied = await seen(other, name, 'first');
        expect(applied).toBe(isCommitted ? 4 : 0);
        expect(state.data).toBe(isCommitted ? '"first"' : undefined);
        if (isCommitted) expect(state.topics).toMatchObject([{ topic: `y-${name}`, offset: 0, end: 1 }]);
        // It is handed out again, and its handler may do otherwise this time.
        else await other.commit(message(name, 2, 'second'));
        ends.add(answer !== undefined ? 'answered' : isCommitted ? 'recorded' : 'nothing');

        // It was only asleep, and gives the batch again.
        left = Infinity;
        const late = await dying.commit(batch);
        if (!isCommitted) expect(late.parts).toEqual([{ fenced: true }]);
        expect(await seen(other, name, 'first')).toBe(applied);
        expect(applied + (await seen(other, name, 'second'))).toBe(4);
      }
      expect(ends).toEqual(new Set(['nothing', 'recorded', 'answered']));
    },
    120_000,
  );

  it('has an unguarded batch applied by whoever expires things, or by itself when it is back', async () => {
    let left = Infinity;
    const store = await openStore({}, { isAlive: () => left-- > 0 });
    const batch = batchOf({ effects: [publish('x', '1'), publish('y', '1'), publish('z', '1')] });
    let isRecorded = false;
    for (let scripts = 1; !isRecorded; scripts++) {
      left = scripts;
      await store.commit(batch).catch(() => undefined);
      left = 0;
      const keys = await cluster.everywhere('KEYS', `${PREFIX}*}r:*`);
      isRecorded = keys.flat().length > 0;
    }
    left = Infinity;
    const other = await openStore();
    await until(async () => (await textsOf(other, 't:z')).length > 0, { timeoutMs: 10_000, what: 'the rest' });
    await store.commit(batch);
    for (const topic of ['x', 'y', 'z']) expect(await textsOf(other, `t:${topic}`)).toEqual(['1']);
    await until(async () => (await cluster.everywhere('KEYS', `${PREFIX}*}r:*`)).flat().length === 0, {
      timeoutMs: 5_000,
      what: 'the records to be cleared',
    });
  });
});
