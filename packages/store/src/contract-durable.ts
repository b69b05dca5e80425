import { describe, expect, it } from 'vitest';
import {
  attached,
  batch,
  claim,
  commit,
  commitPart,
  endTold,
  entriesOf,
  hashOf,
  LIFE_MS,
  listen,
  newSession,
  NOW,
  type OpenStore,
  opened,
  publish,
  raced,
  send,
  subscribe,
} from './contract-kit.js';
import type { Store } from './store.js';

const ALL = { entries: 1000, bytes: 1_000_000 };

/** What outlives the store, and what a second process sees of it. */
export interface Abilities {
  readonly reopens: boolean;
  readonly hasPeers: boolean;
  readonly fails: boolean;
}

export function durableContract(open: OpenStore, abilities: Abilities): void {
  it('says of itself whether it is durable', async () => {
    const { store } = await opened(open);
    expect(store.durable).toBe(abilities.reopens);
  });
  if (abilities.reopens) reopenContract(open);
  if (abilities.fails) failureContract(open);
  if (abilities.hasPeers) peerContract(open);
}

function reopenContract(open: OpenStore): void {
  describe('opened again', () => {
    it('has every session as it was, with the epochs of its streams', async () => {
      const test = await opened(open);
      const made = await test.store.create(newSession('s', { request: '{"url":"/é"}' }));
      await commit(test.store, [
        subscribe('s', 1, 't'),
        publish('t', 'one'),
        send('s', 1, 'a'),
        send('s', 1, 'b'),
        { type: 'data', session: 's', epoch: 1, data: '{"name":"Zoë"}' },
        { type: 'close', session: 's', epoch: 1, code: 4000, reason: 'bye' },
      ]);
      await commitPart(test.store, ['s', 1], { watermark: 9, acked: 1, detachedMs: NOW });
      const topic = await test.store.read('t:t', 0, ALL);

      const store = await test.reopen!();
      expect(await entriesOf(store, 's:s')).toEqual([[2, 'b']]);
      expect((await store.read('t:t', 0, ALL)).epoch).toBe(topic.epoch);
      expect(await attached(store, 's')).toEqual({
        ...made,
        epoch: 2,
        watermark: 9,
        stream: { epoch: made.stream.epoch, end: 2, acked: 1 },
        topics: [{ topic: 't', epoch: topic.epoch, offset: 0, end: 1 }],
        data: '{"name":"Zoë"}',
        closing: { code: 4000, reason: 'bye' },
      });
    });

    it('goes on with offsets, retention, tokens, leases and lives', async () => {
      const test = await opened(open, { entries: 2 });
      await test.store.lease('a', NOW + 100);
      for (const id of ['live', 'detached']) await test.store.create(newSession(id));
      await attached(test.store, 'live', { pod: 'a' });
      await commitPart(test.store, ['live', 2], { confirm: true });
      await commitPart(test.store, ['detached', 1], { detachedMs: NOW });
      await commit(test.store, [publish('t', '1'), publish('t', '2')]);

      const store = await test.reopen!();
      expect(await commit(store, [publish('t', '3')])).toMatchObject([{ offset: 3 }]);
      expect((await store.read('t:t', 0, ALL)).first).toBe(2);
      expect(await store.attach(claim('live', { presented: hashOf('t1') }))).toBe('refused');
      expect((await store.adopt('b', NOW + 101, 1)).length).toBe(1);
      expect(await store.expire(NOW + LIFE_MS + 1, 9)).toEqual(['detached']);
      expect(await attached(store, 'live', { presented: hashOf('t2') })).toMatchObject({ id: 'live' });
    });
  });
}

function failureContract(open: OpenStore): void {
  describe('a commit that fails halfway', () => {
    const parts = [
      { guard: { session: 's', epoch: 1 }, watermark: 2, acked: 1, effects: [publish('t', 'e1'), send('s', 1, 'e2')] },
      { effects: [publish('t', 'e3')] },
      {
        guard: { session: 'r', epoch: 1 },
        watermark: 5,
        end: true as const,
        effects: [send('s', 1, 'e4'), publish('new', 'e5')],
      },
    ];

    async function prepared(store: Store): Promise<void> {
      for (const id of ['s', 'r']) await store.create(newSession(id));
      await commit(store, [subscribe('s', 1, 't'), send('s', 1, 'before'), publish('t', 'before')]);
    }

    async function everything(store: Store): Promise<unknown> {
      return {
        streams: await Promise.all((['s:s', 's:r', 't:t'] as const).map((key) => store.read(key, 0, ALL))),
        stats: { ...(await store.stats()), bytes: undefined },
      };
    }

    it.each([0, 1, 2, 3, 4])('at effect %i has done nothing at all, and may be repeated', async (effect) => {
      const test = await opened(open);
      await prepared(test.store);
      const before = await everything(test.store);
      test.failAt!(effect);
      await expect(test.store.commit(batch(parts))).rejects.toThrow('on purpose');
      expect(await everything(test.store)).toEqual(before);

      const store = test.reopen === undefined ? test.store : await test.reopen();
      expect(await everything(store)).toEqual(before);
      const result = await store.commit(batch(parts));
      expect(result.parts.map((part) => part.fenced)).toEqual([false, false, false]);
      expect(await entriesOf(store, 't:t')).toEqual([
        [1, 'before'],
        [2, 'e1'],
        [3, 'e3'],
      ]);
      expect(await attached(store, 's')).toMatchObject({ watermark: 2, stream: { end: 3, acked: 1 } });
      expect(await store.attach(claim('r'))).toBe('unknown');
    });

    it('tells no tail of it', async () => {
      const { store, failAt } = await opened(open);
      await prepared(store);
      const tail = listen(store, 'b', 't:t');
      failAt!(4);
      await expect(store.commit(batch(parts))).rejects.toThrow('on purpose');
      await commit(store, [publish('t', 'after')]);
      await tail.until((wakes) => wakes.length > 0);
      expect(tail.wakes.map(({ streams, fenced }) => [[...streams], fenced])).toEqual([[[['t:t', 2]], []]]);
    });
  });
}

function peerContract(open: OpenStore): void {
  describe('two processes on one store', () => {
    it('see what the other has committed, at once', async () => {
      const { store, peer } = await opened(open);
      const other = await peer!();
      await store.create(newSession('s'));
      for (let number = 1; number <= 5; number++) {
        const [result] = await commit(number % 2 === 0 ? store : other, [send('s', 1, `${number}`)]);
        expect(result).toMatchObject({ offset: number });
        expect(await entriesOf(number % 2 === 0 ? other : store, 's:s')).toHaveLength(number);
      }
      expect(await attached(other, 's')).toMatchObject({ epoch: 2, stream: { end: 5 } });
      expect(await commitPart(store, ['s', 1], { watermark: 1 })).toEqual({ fenced: true });
    });

    it('let one of them win a race for a session', async () => {
      const { store, peer } = await opened(open);
      const other = await peer!();
      await store.create(newSession('s'));
      const winners = await raced([store, other], 's');
      const results = await Promise.all(
        winners.map(({ pod, state }) => commitPart(store, ['s', state.epoch], { watermark: 1 }, { pod })),
      );
      expect(results.map((result) => result.fenced)).toEqual(winners.map((_, index) => index < winners.length - 1));
    });

    it('wake each other for topics, for sessions that the other holds, and when one takes a session', async () => {
      const { store, peer } = await opened(open);
      const other = await peer!();
      await store.create(newSession('s', { pod: 'b' }));
      await store.create(newSession('taken', { pod: 'b' }));
      const tail = listen(other, 'b', 't:t', 's:s');
      await commit(store, [publish('t', 'x'), send('s', 1, 'y')]);
      await tail.until((wakes) => endTold(wakes, 't:t') === 1 && endTold(wakes, 's:s') === 1);
      await attached(store, 'taken', { pod: 'a' });
      await tail.until((wakes) => wakes.some(({ fenced }) => fenced.length > 0));
      expect(tail.wakes.flatMap(({ fenced }) => fenced)).toEqual([{ session: 'taken', epoch: 1 }]);
    });

    it('go on when the other has closed', async () => {
      const { store, peer } = await opened(open);
      const other = await peer!();
      await commit(other, [publish('t', '1')]);
      await other.close();
      await commit(store, [publish('t', '2')]);
      const third = await peer!();
      expect(await commit(third, [publish('t', '3')])).toMatchObject([{ offset: 3 }]);
      expect(await entriesOf(store, 't:t')).toHaveLength(3);
    });
  });
}
