import { setImmediate as nextTurn } from 'node:timers/promises';
import { MemoryStore, topicStream, type Entry, type Tail } from '@holdfast/store';
import { VirtualClock } from '@holdfast/testing';
import { describe, expect, test } from 'vitest';
import { FaultyStore } from './faulty-store.fixture.js';
import { serverClock } from './server.fixture.js';
import { TopicHub, type Follower } from './topic-hub.js';

const NOW = 1_750_000_000_000;

function setUp(memory = new MemoryStore()) {
  const store = new FaultyStore(memory);
  const clock = new VirtualClock({ startMs: NOW });
  const tail: Tail = store.tail('a', ({ streams }) => {
    for (const [key, end] of streams) hub.grown(key.slice(2), end);
  });
  const hub = new TopicHub(store, tail, serverClock(clock));
  /** As another pod: the hub is told by a wake-up, or not at all. */
  const publish = async (...texts: string[]): Promise<void> => {
    await memory.commit(batchOf('b', texts));
    await nextTurn();
  };
  /** As this pod: the hub is told of each entry. */
  const publishHere = async (...texts: string[]): Promise<void> => {
    const { parts } = await memory.commit(batchOf('a', texts));
    const [part] = parts;
    if (part?.fenced !== false) throw new Error('fenced');
    for (const [i, text] of texts.entries()) {
      const { offset, epoch } = part.effects[i] as { offset: number; epoch: string };
      hub.entry('news', { offset, data: Buffer.from(text), binary: false }, epoch);
    }
    await nextTurn();
  };
  const follower = (): Follower & { texts: string[]; offsets: number[] } => {
    const texts: string[] = [];
    const offsets: number[] = [];
    return {
      texts,
      offsets,
      handleEntry: (_topic: string, { offset, data }: Entry) => {
        texts.push(Buffer.from(data).toString());
        offsets.push(offset);
      },
    };
  };
  return { memory, store, clock, hub, publish, publishHere, follower };
}

const batchOf = (pod: string, texts: readonly string[]) => ({
  pod,
  nowMs: NOW,
  parts: [
    {
      effects: texts.map((text) => ({
        type: 'publish' as const,
        topic: 'news',
        data: Buffer.from(text),
        binary: false,
      })),
    },
  ],
});

test('who follows gets what is written from then on, here and elsewhere, in order', async () => {
  const { hub, publish, publishHere, follower } = setUp();
  await publish('before');
  const one = follower();
  hub.follow('news', one);
  await nextTurn();
  await publishHere('a');
  await publish('b', 'c');
  await publishHere('d');
  expect(one.texts).toEqual(['a', 'b', 'c', 'd']);
});

test('who follows gets what this pod writes in the same turn', async () => {
  const { hub, publishHere, follower } = setUp();
  const one = follower();
  hub.follow('news', one);
  await publishHere('a');
  expect(one.texts).toEqual(['a']);
});

test('entries of this pod cost no read', async () => {
  const { store, hub, publishHere, follower } = setUp();
  const one = follower();
  hub.follow('news', one);
  await nextTurn();
  const { reads } = store;
  await publishHere('a', 'b', 'c');
  expect(one.texts).toEqual(['a', 'b', 'c']);
  expect(store.reads).toBe(reads);
});

test('a follower of a session gets what was written since its cursor was looked up', async () => {
  const { hub, publish, follower } = setUp();
  await publish('1', '2', '3');
  const one = follower();
  expect(hub.follow('news', one, 1)).toBe(1);
  await nextTurn();
  expect(one.texts).toEqual(['2', '3']);
});

test('a later follower is told how far the topic is, so that it reads what it has missed', async () => {
  const { hub, publish, follower } = setUp();
  hub.follow('news', follower());
  await publish('1', '2', '3');
  expect(hub.follow('news', follower(), 1)).toBe(3);
});

test('a follower that knows more than the hub makes it look', async () => {
  const { store, hub, publish, follower } = setUp();
  const one = follower();
  hub.follow('news', one);
  await nextTurn();
  store.deaf = true;
  await publish('1', '2');
  expect(one.texts).toEqual([]);
  expect(hub.follow('news', follower(), 2)).toBe(2);
  await nextTurn();
  expect(one.texts).toEqual(['1', '2']);
});

test('an entry that others were written before is fed behind them', async () => {
  const { store, hub, publish, publishHere, follower } = setUp();
  const one = follower();
  hub.follow('news', one);
  await nextTurn();
  store.deaf = true;
  await publish('1', '2');
  await publishHere('3');
  expect(one.texts).toEqual(['1', '2', '3']);
});

test('a wake-up that comes late or twice feeds nothing again', async () => {
  const { hub, publish, follower } = setUp();
  const one = follower();
  hub.follow('news', one);
  await nextTurn();
  await publish('1', '2', '3');
  for (const end of [1, 3, 2]) hub.grown('news', end);
  await nextTurn();
  expect(one.offsets).toEqual([1, 2, 3]);
});

describe('a read that fails', () => {
  test('is tried again without any news', async () => {
    const { store, clock, hub, publish, follower } = setUp();
    const one = follower();
    hub.follow('news', one);
    await nextTurn();
    store.failing.add('read');
    await publish('1');
    await clock.advanceAsync(1_000);
    store.failing.clear();
    expect(one.texts).toEqual([]);
    await clock.advanceAsync(250);
    expect(one.texts).toEqual(['1']);
    expect(clock.pending).toBe(0);
  });

  test('when the topic is first followed delays only', async () => {
    const { store, clock, hub, publishHere, follower } = setUp();
    store.failing.add('read');
    const one = follower();
    hub.follow('news', one, 0);
    await nextTurn();
    await publishHere('1');
    store.failing.clear();
    await clock.advanceAsync(250);
    await publishHere('2');
    expect(one.texts).toEqual(['1', '2']);
  });

  test('is not tried again when nobody follows any more', async () => {
    const { store, clock, hub, follower } = setUp();
    store.failing.add('read');
    const one = follower();
    hub.follow('news', one);
    await nextTurn();
    hub.unfollow('news', one);
    await clock.advanceAsync(1_000);
    expect(store.reads).toBe(1);
    expect(clock.pending).toBe(0);
  });
});

test('a log that lags behind its wake-up is looked at again', async () => {
  const { store, clock, hub, publish, follower } = setUp();
  const one = follower();
  hub.follow('news', one);
  await nextTurn();
  hub.grown('news', 2);
  await nextTurn();
  expect(store.reads).toBe(2);
  store.deaf = true;
  await publish('1', '2');
  await clock.advanceAsync(250);
  expect(one.texts).toEqual(['1', '2']);
});

test('history that is gone is passed over, and what is left is fed', async () => {
  const { store, hub, publish, follower } = setUp(new MemoryStore({ retention: { entries: 2 } }));
  const one = follower();
  hub.follow('news', one);
  await nextTurn();
  store.deaf = true;
  await publish('1', '2', '3', '4');
  hub.grown('news', 4);
  await nextTurn();
  expect(one.texts).toEqual(['3', '4']);
});

test('a topic that was forgotten and begins anew is followed from its new beginning', async () => {
  const { memory, hub, publish, publishHere, follower } = setUp(new MemoryStore({ retention: { ageMs: 1_000 } }));
  const one = follower();
  hub.follow('news', one);
  await nextTurn();
  await publishHere('1', '2', '3');
  const { epoch } = await memory.read(topicStream('news'), 0, { entries: 1, bytes: 1 });
  for (const agesMs of [2_000, 4_000]) await memory.expire(NOW + agesMs, 100);
  await publish('anew');
  expect((await memory.read(topicStream('news'), 0, { entries: 1, bytes: 1 })).epoch).not.toBe(epoch);
  await publishHere('and on');
  expect(one.texts).toEqual(['1', '2', '3', 'anew', 'and on']);
});

test('a topic is not tailed any more when the last follower has gone', async () => {
  const { store, hub, publish, follower } = setUp();
  const [one, two] = [follower(), follower()];
  hub.follow('news', one);
  hub.follow('news', two);
  await nextTurn();
  hub.unfollow('news', one);
  await publish('for two');
  hub.unfollow('news', two);
  const { reads } = store;
  await publish('for nobody');
  expect([one.texts, two.texts]).toEqual([[], ['for two']]);
  expect(store.reads).toBe(reads);
});
