import { setTimeout as delay } from 'node:timers/promises';
import type { Batch, Effect, Store, Wake } from '@holdfast/store';
import { RedisStore, type RedisStoreOptions } from '@holdfast/store-redis';
import { until } from '@holdfast/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Groups } from '../packages/store-redis/src/groups.js';
import { RedisCluster } from './redis-cluster.fixture.js';
import { ALL, NOW, publish, textsOf, untilDone } from './redis-store.fixture.js';
import { RedisServer } from './redis.fixture.js';

const groups = new Groups('holdfast:', true);

async function startCluster(options: Parameters<typeof RedisCluster.start>[0] = {}): Promise<RedisCluster> {
  const cluster = await RedisCluster.start(options);
  onTestFinished(() => cluster[Symbol.asyncDispose]());
  return cluster;
}

async function openStore(cluster: RedisCluster, options: RedisStoreOptions = {}): Promise<RedisStore> {
  const store = await RedisStore.open({ url: cluster.url, commandMs: 2000, checkMs: 50, ...options });
  onTestFinished(() => store.close());
  return store;
}

const batchOf = (pod: string, ...effects: Effect[]): Batch => ({ pod, nowMs: NOW, parts: [{ effects }] });

/** A topic on the node of this number, of three. */
function topicOn(node: number): string {
  for (let n = 0; ; n++) {
    const slot = groups.slotOf(groups.of(`t${n}`));
    if (Math.min(2, Math.floor(slot / 5461)) === node) return `t${n}`;
  }
}

/** Two topics on two nodes, written to in one batch each time, until told to stop: how many were answered. */
function write(store: Store, topics: readonly string[]): { readonly stop: () => Promise<number> } {
  let isOver = false;
  let given = 0;
  const writing = (async () => {
    while (!isOver) {
      await untilDone(store, batchOf('a', ...topics.map((topic) => publish(topic, `${given}`))));
      given++;
    }
  })();
  return {
    stop: async () => {
      isOver = true;
      await writing;
      return given;
    },
  };
}

const counted = (count: number): string[] => Array.from({ length: count }, (_, index) => `${index}`);

describe('a node of a cluster', () => {
  it('that is killed makes batches wait until its replica has taken over, and each is applied once', async () => {
    const cluster = await startCluster({ hasReplicas: true, flags: ['--min-replicas-to-write', '0'] });
    const store = await openStore(cluster);
    const topics = [topicOn(0), topicOn(1)] as const;
    const writing = write(store, topics);
    await delay(500);
    // A replica has all that was answered but for what is on its way: a quiet moment, as a kill may lose it.
    await cluster.masters[0].command('WAIT', '1', '1000');
    await cluster.masters[0].stop();
    await until(
      () =>
        store.read(`t:${topics[0]}`, 0, ALL).then(
          () => true,
          () => false,
        ),
      {
        timeoutMs: 30_000,
        what: 'the failover',
      },
    );
    await delay(300);
    const given = await writing.stop();
    expect(given).toBeGreaterThan(10);
    const killed = await textsOf(store, topics[0]);
    const other = await textsOf(store, topics[1]);
    expect(other).toEqual(counted(given));
    // Whatever the replica had not got is told by another epoch; nothing comes twice or out of order.
    expect(killed).toEqual(counted(given).filter((text) => killed.includes(text)));
    expect(killed.at(-1)).toBe(`${given - 1}`);
  }, 60_000);

  it('that is paused makes what concerns it fail within its bound, and nothing else', async () => {
    const cluster = await startCluster({ flags: ['--cluster-require-full-coverage', 'no'] });
    const store = await openStore(cluster);
    cluster.masters[2].pause();
    const startedMs = performance.now();
    await expect(store.commit(batchOf('a', publish(topicOn(2), 'x')))).rejects.toMatchObject({ code: 'HF_STORE' });
    expect(performance.now() - startedMs).toBeLessThan(20_000);
    await store.commit(batchOf('a', publish(topicOn(0), 'x'), publish(topicOn(1), 'x')));
    cluster.masters[2].resume();
    await untilDone(store, batchOf('a', publish(topicOn(2), 'y')));
    expect((await textsOf(store, topicOn(2))).at(-1)).toBe('y');
  }, 60_000);
});

it('lets batches wait while their slot moves to another node, and applies each once', async () => {
  const cluster = await startCluster();
  const store = await openStore(cluster);
  const topics = [topicOn(0), topicOn(1)] as const;
  for (let n = 0; n < 5; n++) await store.commit(batchOf('a', publish(topics[0], 'before')));
  const [from, to] = cluster.masters;
  let waiting: Promise<unknown> = Promise.resolve();
  const writing = write(store, [...topics].reverse());
  await cluster.moveSlot(groups.slotOf(groups.of(topics[0])), from, to, async () => {
    const both = batchOf('b', publish(topics[0], 'once'));
    await expect(store.commit(both)).rejects.toMatchObject({ code: 'HF_STORE', retryable: true });
    await expect(store.read(`t:${topics[0]}`, 0, ALL)).rejects.toMatchObject({ code: 'HF_STORE' });
    waiting = untilDone(store, both);
    await delay(300);
  });
  await waiting;
  const given = await writing.stop();
  const moved = await textsOf(store, topics[0]);
  const other = await textsOf(store, topics[1]);
  expect(moved.filter((text) => /\d/.test(text))).toEqual(counted(given));
  expect(other).toEqual(counted(given));
  expect(moved.filter((text) => text === 'once')).toEqual(['once']);
  expect(moved.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => 'before'));
}, 60_000);

it('makes up for wake-ups that were lost with their connection, whichever node they came from', async () => {
  const cluster = await startCluster();
  const [store, other] = [await openStore(cluster), await openStore(cluster)];
  const wakes: Wake[] = [];
  const tail = store.tail('a', (wake) => wakes.push(wake));
  const topics = [0, 1, 2].map(topicOn);
  for (const topic of topics) tail.follow(`t:${topic}`);
  for (let end = 1; end <= 4; end++) {
    await cluster.everywhere('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await untilDone(other, batchOf('b', ...topics.map((topic) => publish(topic, `${end}`))));
    for (const topic of topics) {
      await until(() => wakes.some(({ streams }) => streams.get(`t:${topic}`) === end), {
        timeoutMs: 5_000,
        what: () => `end ${end} of ${topic}`,
      });
    }
    expect(await textsOf(store, topicOn(0))).toHaveLength(end);
  }
}, 60_000);

it.each(['is flushed', 'has carried out half a script'])(
  'tells that one node %s, and only of what lay there',
  async (what) => {
    const cluster = await startCluster();
    const store = await openStore(cluster);
    const [lost, kept] = [topicOn(0), topicOn(1)];
    await store.commit(batchOf('a', publish(lost, 'x'), publish(kept, 'x')));
    const read = async () => ({
      lost: await store.read(`t:${lost}`, 0, ALL),
      kept: await store.read(`t:${kept}`, 0, ALL),
    });
    const before = await read();
    const wakes: Wake[] = [];
    const tail = store.tail('b', (wake) => wakes.push(wake));
    for (const topic of [lost, kept]) tail.follow(`t:${topic}`);
    const meta = `${groups.prefixOf(groups.of(lost))}meta`;
    await cluster.masters[0].command(...(what === 'is flushed' ? ['FLUSHALL'] : ['HINCRBY', meta, 'begun', '1']));
    await until(() => wakes.some(({ streams }) => streams.has(`t:${lost}`)), { timeoutMs: 5_000, what: 'the loss' });
    const after = await read();
    expect(after.lost.epoch).not.toBe(before.lost.epoch);
    expect(after.kept).toEqual(before.kept);
    const { parts } = await store.commit(batchOf('a', publish(lost, 'y'), publish(kept, 'y')));
    expect(parts).toMatchObject([{ effects: [{ offset: 1 }, { offset: 2 }] }]);
  },
  60_000,
);

it.each(['is flushed', 'has carried out half a script'])(
  'forgets topics whose followers were on a node that %s',
  async (what) => {
    const cluster = await startCluster();
    const store = await openStore(cluster, { retention: { ageMs: 1000 } });
    const [session, topic] = [topicOn(0), topicOn(1)];
    const token = 'h'.repeat(43);
    await store.create({ id: session, pod: 'a', token, nowMs: NOW, lifeMs: 60_000, request: '{}' });
    await store.commit(batchOf('a', { type: 'subscribe', session, epoch: 1, topic }));
    expect(await store.stats()).toMatchObject({ sessions: 1, streams: 2 });
    const meta = `${groups.prefixOf(groups.of(session))}meta`;
    await cluster.masters[0].command(...(what === 'is flushed' ? ['FLUSHALL'] : ['HINCRBY', meta, 'begun', '1']));
    for (let n = 1; n <= 6; n++) await store.expire(NOW + n * 5_000, 100);
    expect(await store.stats()).toMatchObject({ sessions: 0, streams: 0 });
  },
  60_000,
);

describe('opening', () => {
  it('refuses a server that is no cluster where the URL says so, and the reverse', async () => {
    const server = await RedisServer.start();
    onTestFinished(() => server[Symbol.asyncDispose]());
    const url = server.url.replace('redis:', 'redis+cluster:');
    await expect(RedisStore.open({ url, connectMs: 500 })).rejects.toMatchObject({ code: 'HF_STORE_NO_CLUSTER' });
    const cluster = await startCluster();
    await expect(RedisStore.open({ url: cluster.masters[0].url })).rejects.toMatchObject({ code: 'HF_STORE_CLUSTER' });
  }, 60_000);

  it('needs one of the nodes that the URL names, not all', async () => {
    const cluster = await startCluster();
    const [, , third] = cluster.masters;
    const store = await RedisStore.open({ url: `redis+cluster://127.0.0.1:1,127.0.0.1:${third.port}` });
    onTestFinished(() => store.close());
    await store.commit(batchOf('a', publish('t', 'x')));
    expect(await textsOf(store, 't')).toEqual(['x']);
  }, 60_000);
});
