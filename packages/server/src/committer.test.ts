import { setImmediate as nextTurn } from 'node:timers/promises';
import { HoldfastError } from '@holdfast/protocol';
import { topicStream, type Effect, type SessionState } from '@holdfast/store';
import { VirtualClock } from '@holdfast/testing';
import { describe, expect, test } from 'vitest';
import { Committer, type Done, type PendingEffect, type PendingPart, type Writer } from './committer.js';
import { FaultyStore } from './faulty-store.fixture.js';
import { serverClock } from './server.fixture.js';

const LIMIT = { entries: 1_000, bytes: 1_000_000 };

function setUp(maxPendingBytes = 1_000) {
  const store = new FaultyStore();
  const clock = new VirtualClock({ startMs: 1_750_000_000_000 });
  const news: string[] = [];
  const committed: PendingPart[] = [];
  const committer: Committer = new Committer({
    store,
    clock: serverClock(clock),
    pod: 'a',
    maxPendingBytes,
    listener: {
      committed: (part, result) => {
        committed.push(part);
        for (const effect of part.effects) committer.settle(effect, result.fenced ? new Error('fenced') : undefined);
      },
      rejected: ({ writer, effects }) => news.push(`rejected ${writer?.id} ${effects.length}`),
      turnDone: () => news.push('turn'),
      troubled: (troubled) => news.push(troubled ? 'trouble' : 'recovered'),
      doneFailed: (error) => news.push(String(error)),
    },
  });
  const texts = async (topic = 'news'): Promise<string[]> =>
    (await store.read(topicStream(topic), 0, LIMIT)).entries.map(({ data }) => Buffer.from(data).toString());
  return { store, clock, committer, news, committed, texts };
}

const publish = (text: string, done?: Done): PendingEffect => ({
  type: 'publish',
  topic: 'news',
  data: Buffer.from(text),
  binary: false,
  done,
});

async function sessionIn(store: FaultyStore, id = 's1'): Promise<Writer & { epoch: number }> {
  const state: SessionState = await store.create({ id, pod: 'a', token: 't', nowMs: 1, lifeMs: 60_000, request: '{}' });
  return { id, epoch: state.epoch, pendingBytes: 0 };
}

describe('what a pod does in one turn', () => {
  test('is one batch, in the order in which it was done', async () => {
    const { store, committer, texts } = setUp();
    const one = await sessionIn(store, 's1');
    const two = await sessionIn(store, 's2');
    committer.within(one, 1, () => committer.effect(publish('a')));
    committer.within(one, 2, () => committer.effect(publish('b')));
    committer.within(two, 1, () => committer.effect(publish('c')));
    committer.effect(publish('d'));
    committer.within(one, 3, () => committer.effect(publish('e')));
    await committer.idle();
    expect(store.batches).toHaveLength(1);
    expect(store.batches[0]?.parts.map(({ guard, watermark }) => [guard?.session, watermark])).toEqual([
      ['s1', 2],
      ['s2', 1],
      [undefined, undefined],
      ['s1', 3],
    ]);
    expect(await texts()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('waits while a batch is under way, and follows as one', async () => {
    const { store, committer, texts } = setUp();
    const release = store.hold('commit');
    committer.effect(publish('first'));
    await nextTurn();
    await nextTurn();
    committer.effect(publish('second'));
    await nextTurn();
    committer.effect(publish('third'));
    release();
    await committer.idle();
    expect(store.batches.map(({ parts }) => parts.length)).toEqual([1, 1]);
    expect(await texts()).toEqual(['first', 'second', 'third']);
  });
});

test('a callback that goes on for ever lets others have their turn', async () => {
  const { committer, texts } = setUp();
  let isOver = false;
  const goOn = (): void => {
    if (!isOver) committer.effect(publish('again', goOn));
  };
  goOn();
  for (let i = 0; i < 5; i++) await nextTurn();
  isOver = true;
  await committer.idle();
  expect((await texts()).length).toBeLessThan(10);
});

describe('an attach between batches', () => {
  test('waits for the batch that is under way, and comes before the next', async () => {
    const { store, committer } = setUp();
    const release = store.hold('commit');
    const order: string[] = [];
    committer.effect(publish('first', () => order.push('first')));
    await nextTurn();
    await nextTurn();
    const attached = committer.between(async () => {
      order.push('between');
    });
    committer.effect(publish('second', () => order.push('second')));
    await nextTurn();
    expect(order).toEqual([]);
    release();
    await attached;
    await committer.idle();
    expect(order).toEqual(['first', 'between', 'second']);
  });

  test('that fails tells its caller and stops nothing', async () => {
    const { committer, texts } = setUp();
    const failing = committer.between(() => Promise.reject(new Error('no')));
    committer.effect(publish('goes on'));
    await expect(failing).rejects.toThrow('no');
    await committer.idle();
    expect(await texts()).toEqual(['goes on']);
  });

  test('raises the epoch for what waits', async () => {
    const { store, committer, committed } = setUp();
    const writer = await sessionIn(store);
    committer.within(writer, 1, () => committer.effect(publish('kept')));
    await committer.between(async () => {
      await store.attach({ id: 's1', pod: 'a', presented: 't', attempt: 1, next: 'u', nowMs: 2 });
      writer.epoch = 2;
    });
    await committer.idle();
    expect(committed[0]?.guard).toEqual({ session: 's1', epoch: 2 });
  });

  // Seed 1153 of the simulator: the client was locked out, since it had never got the newest token.
  test('voids what waits of the token before it: the client has shown that it has that one, not the newest', async () => {
    const { store, committer } = setUp();
    const writer = await sessionIn(store);
    const attach = (presented: string, next: string, attempt: number) =>
      store.attach({ id: 's1', pod: 'a', presented, attempt, next, nowMs: 2 });
    committer.note(writer, { confirms: writer.epoch });
    await committer.between(async () => {
      await attach('t', 'u', 1);
      writer.epoch = 2;
    });
    await committer.idle();
    expect(await attach('t', 'v', 2)).toMatchObject({ epoch: 3 });
  });

  test('leaves in force what is noted of its own token', async () => {
    const { store, committer } = setUp();
    const writer = await sessionIn(store);
    await store.attach({ id: 's1', pod: 'a', presented: 't', attempt: 1, next: 'u', nowMs: 2 });
    writer.epoch = 2;
    committer.note(writer, { confirms: 2 });
    await committer.idle();
    const late = { id: 's1', pod: 'a', presented: 't', attempt: 2, next: 'v', nowMs: 2 };
    expect(await store.attach(late)).toBe('refused');
  });
});

describe('a handler that throws', () => {
  test('leaves none of its effects, but its message counts as handled', async () => {
    const { store, committer, committed, texts } = setUp(20);
    const writer = await sessionIn(store);
    const ends: unknown[] = [];
    committer.within(writer, 1, () => committer.effect(publish('good')));
    const failing = (): void =>
      committer.within(writer, 2, () => {
        committer.effect(publish('bad', (error) => ends.push(error)));
        throw new Error('oops');
      });
    expect(failing).toThrow('oops');
    expect(ends).toEqual([expect.objectContaining({ code: 'HF_HANDLER' })]);
    await committer.idle();
    expect(await texts()).toEqual(['good']);
    expect(committed[0]?.watermark).toBe(2);
  });

  test('gives the room of its effects back', () => {
    const { committer } = setUp(10);
    const writer: Writer = { id: 's1', epoch: 1, pendingBytes: 0 };
    const failing = (): void =>
      committer.within(writer, 1, () => {
        committer.effect({
          ...publish('12345678'),
          type: 'send',
          to: writer,
          session: 's1',
          epoch: 0,
        } as PendingEffect);
        throw new Error('oops');
      });
    expect(failing).toThrow('oops');
    expect(writer.pendingBytes).toBe(0);
    committer.effect(publish('1234567890'));
  });
});

describe('while the store fails', () => {
  test('the batch is tried again until it is through, with growing pauses, and the trouble is told once', async () => {
    const { store, clock, committer, news, texts } = setUp();
    store.failing.add('commit');
    committer.effect(publish('patient'));
    await clock.advanceAsync(0);
    expect(news).toEqual(['trouble']);
    await clock.advanceAsync(50 + 100 + 200);
    expect(news).toEqual(['trouble']);
    store.failing.clear();
    await clock.advanceAsync(400);
    expect(news).toEqual(['trouble', 'recovered', 'turn']);
    expect(await texts()).toEqual(['patient']);
  });

  test('no more than the bound waits, the batch under way included', async () => {
    const { store, clock, committer } = setUp(10);
    store.failing.add('commit');
    committer.effect(publish('123456'));
    await clock.advanceAsync(0);
    committer.effect(publish('1234'));
    expect(() => committer.effect(publish('5'))).toThrow(HoldfastError);
    expect(() => committer.add({ effects: [publish('5')] })).toThrow('HF_BACKLOG');
    store.failing.clear();
    await clock.advanceAsync(100);
    await committer.idle();
    committer.effect(publish('1234567890'));
  });
});

describe('what the store rejects', () => {
  const isPoison = ({ effects }: { effects: readonly Effect[] }): boolean =>
    effects.some((effect) => effect.type === 'publish' && Buffer.from(effect.data).toString() === 'poison');

  test('is lost alone, and told; what was done before and after it is written, in order', async () => {
    const { store, committer, news, texts } = setUp();
    const one = await sessionIn(store, 's1');
    const two = await sessionIn(store, 's2');
    store.rejects = ({ parts }) => parts.some(isPoison);
    const ends: string[] = [];
    const note = (text: string) => publish(text, (error) => ends.push(`${text} ${(error as HoldfastError)?.code}`));
    committer.within(one, 1, () => committer.effect(note('a')));
    committer.within(two, 1, () => committer.effect(note('poison')));
    for (const text of ['b', 'c', 'poison', 'd']) committer.effect(note(text));
    committer.within(one, 2, () => committer.effect(note('e')));
    await committer.idle();
    expect(await texts()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(ends).toEqual([
      'a undefined',
      'poison HF_STORE_REJECTED',
      'b undefined',
      'c undefined',
      'poison HF_STORE_REJECTED',
      'd undefined',
      'e undefined',
    ]);
    expect(news).toEqual(['rejected s2 1', 'rejected undefined 1', 'turn']);
    committer.effect(publish('x'.repeat(1_000)));
  });

  test('is found out also when the store was in trouble before', async () => {
    const { store, clock, committer, news } = setUp();
    store.failing.add('commit');
    store.rejects = ({ parts }) => parts.some(isPoison);
    committer.effect(publish('poison'));
    await clock.advanceAsync(0);
    store.failing.clear();
    await clock.advanceAsync(100);
    expect(news).toEqual(['trouble', 'recovered', 'rejected undefined 1', 'turn']);
  });
});

test('nothing more is written for a session of which something was rejected', async () => {
  const { store, committer, texts } = setUp();
  const writer = await sessionIn(store);
  const ends: unknown[] = [];
  committer.within({ ...writer, rejected: true }, 1, () =>
    committer.effect(publish('late', (error) => ends.push(error))),
  );
  await committer.idle();
  expect(await texts()).toEqual([]);
  expect(ends).toEqual([expect.objectContaining({ code: 'HF_ENDED' })]);
});

test('a callback that throws is reported, and the others are called', async () => {
  const { committer, news } = setUp();
  const called: string[] = [];
  committer.effect(
    publish('one', () => {
      throw new Error('mine');
    }),
  );
  committer.effect(publish('two', () => called.push('two')));
  await committer.idle();
  expect(called).toEqual(['two']);
  expect(news).toEqual(['Error: mine', 'turn']);
});

test('notes about a session add up, and the later one counts', async () => {
  const { store, committer, committed } = setUp();
  const writer = await sessionIn(store);
  committer.note(writer, { detachedMs: 5, acked: 1, topicsAcked: [{ topic: 'a', offset: 1 }] });
  committer.note(writer, { detachedMs: null, acked: 2, topicsAcked: [{ topic: 'b', offset: 2 }] });
  await committer.idle();
  expect(committed).toMatchObject([
    {
      detachedMs: null,
      acked: 2,
      topicsAcked: [
        { topic: 'a', offset: 1 },
        { topic: 'b', offset: 2 },
      ],
    },
  ]);
});

test('nothing is added to a part that ends its session', async () => {
  const { store, committer, committed } = setUp();
  const writer = await sessionIn(store);
  const ends: unknown[] = [];
  committer.note(writer, { end: true });
  committer.within(writer, 1, () => committer.effect(publish('too late', (error) => ends.push(error))));
  await committer.idle();
  expect(committed).toHaveLength(2);
  expect(ends).toEqual([new Error('fenced')]);
});
