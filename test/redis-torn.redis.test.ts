import { setTimeout as delay } from 'node:timers/promises';
import type { Effect } from '@holdfast/store';
import { until } from '@holdfast/testing';
import { expect, it } from 'vitest';
import {
  ALL,
  batchOf,
  HASH,
  newSession,
  NOW,
  openStore,
  publish,
  startServer,
  textsOf,
  untilDone,
} from './redis-store.fixture.js';

// At its first start the server leaves the torn batch out, but keeps its first commands in the file. It carries them out at its second, if only anybody
// has written anything in between.
it.each(['it was given again', 'somebody else wrote'])(
  'has nothing twice and nothing of half a batch, wherever the kill has torn what it wrote, when %s before it dies again',
  async (between) => {
    const CUTS = 12;
    const outcomes = new Set<string>();
    for (let cut = 0; cut < CUTS; cut++) {
      const server = await startServer('--appendonly', 'yes', '--appendfsync', 'no');
      const [store, stranger] = [await openStore(server), await openStore(server, { prefix: 'other:' })];
      await store.create(newSession('s'));
      const follow: Effect = { type: 'subscribe', session: 's', epoch: 1, topic: 'followed' };
      await store.commit(batchOf(publish('t', '1'), publish('u', '1'), follow));
      await stranger.commit(batchOf(publish('t', '1')));
      const { epoch } = await store.read('t:t', 0, ALL);
      const whole = await server.keptBytes();
      const batch = batchOf(publish('t', '2'), publish('t', '3'), publish('u', '2'));
      // Nobody learns that it was done.
      server.pause();
      await expect(store.commit(batch)).rejects.toMatchObject({ code: 'HF_STORE', retryable: true });
      server.resume();
      await until(async () => (await server.keptBytes()) > whole, { timeoutMs: 5_000, what: 'the batch' });
      await delay(20);
      const torn = (await server.keptBytes()) - whole;
      await server.stop();
      await server.cutKept(whole + Math.ceil((torn * (cut + 0.5)) / CUTS));
      await server.restart();
      expect(server.isTorn).toBe(true);
      await untilDone(
        ...(between === 'somebody else wrote'
          ? ([stranger, batchOf(publish('t', '2'))] as const)
          : ([store, batch] as const)),
      );
      await server.restart();
      const isDone = between === 'it was given again';
      await untilDone(store, isDone ? batchOf(publish('t', '4')) : batch);

      const slice = await store.read('t:t', 0, ALL);
      const isAnew = slice.epoch !== epoch;
      outcomes.add(isAnew ? 'anew' : 'as it was');
      const texts = { t: await textsOf(store, 't'), u: await textsOf(store, 'u') };
      const given = isDone ? { t: ['4'], u: [] } : { t: ['2', '3'], u: ['2'] };
      expect(texts).toEqual(isAnew ? given : { t: ['1', '2', '3', ...(isDone ? ['4'] : [])], u: ['1', '2'] });
      const claim = { id: 's', pod: 'b', presented: HASH, attempt: 1, next: 'n'.repeat(43), nowMs: NOW };
      expect(await store.attach(claim)).toEqual(isAnew ? 'unknown' : expect.objectContaining({ epoch: 2 }));
      expect(await textsOf(stranger, 't')).toEqual(isDone ? ['1'] : ['1', '2']);
      await store.expire(NOW, 10);
      const keys = ((await server.command('KEYS', 'holdfast:*')) as string[]).filter(
        (key) => !/memory:|:meta$/.test(key),
      );
      const place = isAnew ? 'holdfast:{1}' : 'holdfast:';
      expect(keys.filter((key) => !key.startsWith(place))).toEqual([]);
      expect(keys).toContain(`${place}t:t`);
      await store.close();
      await stranger.close();
      await server.stop();
    }
    expect(outcomes).toEqual(new Set(['anew', 'as it was']));
  },
  60_000,
);

it('gives up what it has when half of a script was carried out, and throws it away bit by bit', async () => {
  const server = await startServer();
  const store = await openStore(server);
  const topics = Array.from({ length: 2_500 }, (_, n) => `t${n}`);
  await store.create(newSession('s'));
  await store.commit(batchOf(...topics.map((topic) => publish(topic, 'old'))));
  const keys = async (): Promise<string[]> => (await server.command('KEYS', 'holdfast:*')) as string[];
  const old = async (): Promise<number> => (await keys()).filter((key) => /^holdfast:(e:)?[ts]:/.test(key)).length;
  await server.command('HINCRBY', 'holdfast:meta', 'begun', '1');
  await store.commit(batchOf(publish('t1', 'new')));
  expect(await textsOf(store, 't1')).toEqual(['new']);
  expect(await store.stats()).toMatchObject({ sessions: 0, streams: 1, entries: 1 });
  const left = [];
  for (let n = 0; n < 3; n++) {
    await store.expire(NOW, 10);
    left.push(await old());
  }
  // A session and 999 topics, then 1,000 and 501 topics, of two keys each.
  expect(left).toEqual([3_002, 1_002, 0]);
  expect((await keys()).filter((key) => !/:(\{1\}|memory:)/.test(key))).toEqual(['holdfast:meta']);
});
