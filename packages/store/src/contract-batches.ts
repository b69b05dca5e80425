import { describe, expect, it } from 'vitest';
import {
  attached,
  batch,
  commit,
  commitPart,
  effectsOf,
  entriesOf,
  newSession,
  offsetOf,
  type OpenStore,
  opened,
  publish,
  send,
  subscribe,
} from './contract-kit.js';
import type { Effect } from './store.js';

/** What one commit does, and in which order. */
export function batchContract(open: OpenStore): void {
  describe('a batch', () => {
    it('numbers each stream from 1 without a hole, in order, under the epoch of the stream', async () => {
      const { store } = await opened(open);
      const { stream } = await store.create(newSession('s'));
      const first = await commit(store, [send('s', 1, 'a'), publish('t', 'b'), send('s', 1, 'c')]);
      const second = await commit(store, [publish('t', 'd'), send('s', 1, 'e')]);
      expect([...first, ...second].map(offsetOf)).toEqual([1, 1, 2, 2, 3]);
      expect(first[0]).toEqual({ offset: 1, epoch: stream.epoch });
      const topic = await store.read('t:t', 0, { entries: 9, bytes: 9 });
      expect(first[1]).toEqual({ offset: 1, epoch: topic.epoch });
      expect(await entriesOf(store, 's:s')).toEqual([
        [1, 'a'],
        [2, 'c'],
        [3, 'e'],
      ]);
      expect(await entriesOf(store, 't:t')).toEqual([
        [1, 'b'],
        [2, 'd'],
      ]);
    });

    it('answers for each part and each effect, also for none', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      const { parts } = await store.commit(
        batch([
          { effects: [] },
          { guard: { session: 's', epoch: 9 }, effects: [publish('t', 'no')] },
          {
            guard: { session: 's', epoch: 1 },
            effects: [{ type: 'unsubscribe', session: 's', epoch: 1, topic: 'none' }],
          },
        ]),
      );
      expect(parts).toEqual([
        { fenced: false, effects: [] },
        { fenced: true },
        { fenced: false, effects: [{ offset: 0, epoch: '' }] },
      ]);
      expect(await store.commit(batch([]))).toEqual({ parts: [] });
    });

    it('refuses a part whose guard is old as a whole, and nothing else', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      await store.create(newSession('other'));
      await attached(store, 's');
      const { parts } = await store.commit(
        batch([
          {
            guard: { session: 's', epoch: 1 },
            watermark: 5,
            end: true,
            effects: [publish('t', 'old'), send('other', 1, 'old')],
          },
          { guard: { session: 'other', epoch: 1 }, watermark: 3, effects: [publish('t', 'new')] },
        ]),
      );
      expect(parts.map((part) => part.fenced)).toEqual([true, false]);
      expect(await entriesOf(store, 't:t')).toEqual([[1, 'new']]);
      expect(await entriesOf(store, 's:other')).toEqual([]);
      expect(await attached(store, 'other')).toMatchObject({ watermark: 3 });
    });

    it('refuses one effect on a session that has moved, and applies the rest of its part', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      await store.create(newSession('moved'));
      await attached(store, 'moved');
      const result = await commitPart(store, ['s', 1], {
        watermark: 1,
        effects: [send('moved', 1, 'x'), subscribe('moved', 1, 't'), publish('t', 'y'), send('s', 1, 'z')],
      });
      expect(effectsOf(result).map(offsetOf)).toEqual([undefined, undefined, 1, 1]);
      expect(await attached(store, 's')).toMatchObject({ watermark: 1, stream: { end: 1 } });
    });

    it('commits a watermark with its effects, once, whoever repeats the message later', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      const handled = (epoch: number) =>
        commitPart(store, ['s', epoch], { watermark: 1, effects: [publish('t', 'effect')] });
      expect((await handled(1)).fenced).toBe(false);
      const state = await attached(store, 's');
      // The pod that lost the session repeats itself; the one that has it sees the watermark and does not.
      expect((await handled(1)).fenced).toBe(true);
      expect(state.watermark).toBe(1);
      expect(await entriesOf(store, 't:t')).toHaveLength(1);
    });

    it('moves watermark and cursors forward only, and never past the end', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      await commit(store, [
        subscribe('s', 1, 't'),
        send('s', 1, '1'),
        send('s', 1, '2'),
        publish('t', '1'),
        publish('t', '2'),
      ]);
      const acks = (offset: number) => ({ watermark: offset, acked: offset, topicsAcked: [{ topic: 't', offset }] });
      for (const offset of [1, 0, 99, 1]) await commitPart(store, ['s', 1], acks(offset));
      expect(await attached(store, 's')).toMatchObject({
        watermark: 99,
        stream: { end: 2, acked: 2 },
        topics: [{ topic: 't', offset: 2, end: 2 }],
      });
    });

    it('ends a session behind the effects of its part', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      const { parts } = await store.commit(
        batch([
          { guard: { session: 's', epoch: 1 }, end: true, effects: [send('s', 1, 'last'), publish('t', 'left')] },
          { guard: { session: 's', epoch: 1 }, effects: [publish('t', 'ghost')] },
        ]),
      );
      expect(parts.map((part) => part.fenced)).toEqual([false, true]);
      expect(effectsOf(parts[0]).map(offsetOf)).toEqual([1, 1]);
      expect(await entriesOf(store, 't:t')).toEqual([[1, 'left']]);
    });

    it('sends nothing behind a close, of which the first counts', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      const close = (code: number): Effect => ({ type: 'close', session: 's', epoch: 1, code, reason: `r${code}` });
      const results = await commit(store, [send('s', 1, 'a'), close(4001), send('s', 1, 'b'), close(4002)]);
      expect(results.map((result) => result === 'fenced')).toEqual([false, false, true, false]);
      expect(await commit(store, [send('s', 1, 'c')])).toEqual(['fenced']);
      expect(await attached(store, 's')).toMatchObject({
        closing: { code: 4001, reason: 'r4001' },
        stream: { end: 1 },
      });
    });

    it('keeps the newest data of a session', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      const data = (value: string): Effect => ({ type: 'data', session: 's', epoch: 1, data: value });
      await commit(store, [data('1'), data('2')]);
      await commit(store, [data('{"three":3}')]);
      expect((await attached(store, 's')).data).toBe('{"three":3}');
    });
  });

  describe('a subscription', () => {
    it('starts at the end of the topic as it is at that point of the batch', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      const results = await commit(store, [publish('t', 'before'), subscribe('s', 1, 't'), publish('t', 'after')]);
      expect(results.map(offsetOf)).toEqual([1, 1, 2]);
      expect((await attached(store, 's')).topics).toMatchObject([{ topic: 't', offset: 1, end: 2 }]);
    });

    it('keeps the older cursor when it is made twice', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      const [first] = await commit(store, [subscribe('s', 1, 't')]);
      const [, again] = await commit(store, [publish('t', 'x'), subscribe('s', 1, 't')]);
      expect(again).toEqual(first);
      expect((await attached(store, 's')).topics).toMatchObject([{ offset: 0, end: 1 }]);
    });

    it('ends, and starts at the end when it is made anew', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      const unsubscribe: Effect = { type: 'unsubscribe', session: 's', epoch: 1, topic: 't' };
      await commit(store, [subscribe('s', 1, 't'), publish('t', 'x'), unsubscribe, unsubscribe]);
      expect((await attached(store, 's', { pod: 'a' })).topics).toEqual([]);
      await commit(store, [subscribe('s', 2, 't')]);
      expect((await attached(store, 's')).topics).toMatchObject([{ offset: 1 }]);
    });

    it('is not made by an acknowledgement', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      await commit(store, [publish('t', 'x')]);
      await commitPart(store, ['s', 1], { topicsAcked: [{ topic: 't', offset: 1 }] });
      expect((await attached(store, 's')).topics).toEqual([]);
    });
  });
}
