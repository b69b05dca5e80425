import { describe, expect, it } from 'vitest';
import {
  attached,
  commit,
  commitPart,
  content,
  entriesOf,
  LIFE_MS,
  newSession,
  NOW,
  type OpenStore,
  opened,
  publish,
  send,
  subscribe,
} from './contract-kit.js';
import type { Slice, Store } from './store.js';

const ALL = { entries: 1000, bytes: 1_000_000 };

async function extentOf(store: Store, stream: 's:s' | 't:t'): Promise<Pick<Slice, 'first' | 'end'>> {
  const { first, end } = await store.read(stream, 0, ALL);
  return { first, end };
}

/** Reading streams, and what retention drops of them. */
export function streamContract(open: OpenStore): void {
  describe('reading a stream', () => {
    it('gives what lies behind the cursor, up to the limits, and at least one entry', async () => {
      const { store } = await opened(open);
      await commit(
        store,
        ['aaa', 'bbb', 'ccc', 'ddd'].map((text) => publish('t', text)),
      );
      const offsets = async (after: number, entries: number, bytes: number): Promise<number[]> =>
        (await store.read('t:t', after, { entries, bytes })).entries.map(({ offset }) => offset);
      expect(await offsets(0, 9, 99)).toEqual([1, 2, 3, 4]);
      expect(await offsets(2, 9, 99)).toEqual([3, 4]);
      expect(await offsets(1, 2, 99)).toEqual([2, 3]);
      expect(await offsets(0, 9, 1)).toEqual([1]);
      expect(await offsets(0, 9, 3)).toEqual([1]);
      expect(await offsets(0, 9, 4)).toEqual([1, 2]);
      expect(await offsets(4, 9, 99)).toEqual([]);
      expect(await offsets(99, 9, 99)).toEqual([]);
    });

    it('gives back every byte, text or binary, empty or large', async () => {
      const { store } = await opened(open);
      const all = Uint8Array.from({ length: 256 }, (_, index) => index);
      const large = new Uint8Array(300_000).map((_, index) => index * 31);
      const sent = [
        { data: all, binary: true },
        content('Grüße, 世界 \u{1F30D}'),
        { data: new Uint8Array(0), binary: true },
        content(''),
        { data: large, binary: true },
        { data: all.subarray(3, 9), binary: true },
      ];
      await commit(
        store,
        sent.map((payload) => ({ type: 'publish', topic: 't', ...payload })),
      );
      const { entries } = await store.read('t:t', 0, ALL);
      expect(entries.map(({ data, binary }) => ({ data: [...data], binary }))).toEqual(
        sent.map(({ data, binary }) => ({ data: [...data], binary })),
      );
    });

    it('makes a topic that nobody has written to, so that it has an epoch', async () => {
      const { store } = await opened(open);
      const slice = await store.read('t:t', 0, ALL);
      expect(slice).toEqual({ epoch: slice.epoch, first: 1, end: 0, entries: [] });
      expect(slice.epoch).not.toBe('');
      expect((await commit(store, [publish('t', 'x')]))[0]).toEqual({ epoch: slice.epoch, offset: 1 });
    });

    it('gives each topic an epoch of its own', async () => {
      const { store } = await opened(open);
      const epochs = await Promise.all(['t:1', 't:2', 't:3'].map((key) => store.read(key as 't:1', 0, ALL)));
      expect(new Set(epochs.map(({ epoch }) => epoch)).size).toBe(3);
    });

    it('makes no stream for a session that is not there', async () => {
      const { store } = await opened(open);
      expect(await store.read('s:s', 0, ALL)).toEqual({ epoch: '', first: 1, end: 0, entries: [] });
      expect((await store.stats()).streams).toBe(0);
    });

    it('keeps names apart that begin alike', async () => {
      const { store } = await opened(open);
      const names = ['a', 'ab', 'a b', 'a/b', 'aa', 'é', `${'x'.repeat(128)}`];
      await commit(
        store,
        names.flatMap((name) => [publish(name, name), publish(name, name)]),
      );
      for (const name of names)
        expect((await entriesOf(store, `t:${name}`)).map(([, text]) => text)).toEqual([name, name]);
    });
  });

  describe('what is kept of a stream', () => {
    it('ends where the client of the session has acknowledged it', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      await commit(
        store,
        ['1', '2', '3'].map((text) => send('s', 1, text)),
      );
      await commitPart(store, ['s', 1], { acked: 2 });
      expect(await extentOf(store, 's:s')).toEqual({ first: 3, end: 3 });
      expect(await entriesOf(store, 's:s')).toEqual([[3, '3']]);
      await commitPart(store, ['s', 1], { acked: 3, effects: [send('s', 1, '4')] });
      expect(await entriesOf(store, 's:s')).toEqual([[4, '4']]);
      await commitPart(store, ['s', 1], { acked: 4 });
      expect(await extentOf(store, 's:s')).toEqual({ first: 5, end: 4 });
    });

    it('is not what one of many readers of a topic has acknowledged', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      await commit(store, [subscribe('s', 1, 't'), publish('t', 'x')]);
      await commitPart(store, ['s', 1], { topicsAcked: [{ topic: 't', offset: 1 }] });
      expect(await entriesOf(store, 't:t')).toEqual([[1, 'x']]);
    });

    it('is bounded by count', async () => {
      const { store } = await opened(open, { entries: 3 });
      for (let number = 1; number <= 5; number++) await commit(store, [publish('t', String(number))]);
      expect(await extentOf(store, 't:t')).toEqual({ first: 3, end: 5 });
      expect(await entriesOf(store, 't:t')).toEqual([
        [3, '3'],
        [4, '4'],
        [5, '5'],
      ]);
      expect((await store.stats()).entries).toBe(3);
    });

    it('is bounded by bytes, but for the newest entry', async () => {
      const { store } = await opened(open, { bytes: 10 });
      await store.create(newSession('s'));
      await commit(store, [send('s', 1, 'aaaa'), send('s', 1, 'bbbb'), send('s', 1, 'cc')]);
      expect(await extentOf(store, 's:s')).toEqual({ first: 1, end: 3 });
      await commit(store, [send('s', 1, 'd')]);
      expect(await extentOf(store, 's:s')).toEqual({ first: 2, end: 4 });
      await commit(store, [send('s', 1, 'e'.repeat(99))]);
      expect(await extentOf(store, 's:s')).toEqual({ first: 5, end: 5 });
      await commit(store, [send('s', 1, 'f')]);
      expect(await entriesOf(store, 's:s')).toEqual([[6, 'f']]);
    });

    it('is bounded by age, when something is written and when things expire', async () => {
      const { store } = await opened(open, { ageMs: 100 });
      await store.create(newSession('s'));
      for (const at of [0, 50, 100])
        await commit(store, [publish('t', `${at}`), send('s', 1, `${at}`)], { nowMs: NOW + at });
      expect(await extentOf(store, 't:t')).toEqual({ first: 1, end: 3 });
      await commit(store, [publish('t', 'new')], { nowMs: NOW + 101 });
      expect(await extentOf(store, 't:t')).toEqual({ first: 2, end: 4 });
      await store.expire(NOW + 151, 9);
      expect(await extentOf(store, 't:t')).toEqual({ first: 3, end: 4 });
      expect(await extentOf(store, 's:s')).toEqual({ first: 3, end: 3 });
      await store.expire(NOW + 999, 9);
      expect(await extentOf(store, 't:t')).toEqual({ first: 5, end: 4 });
      expect(await extentOf(store, 's:s')).toEqual({ first: 4, end: 3 });
      expect((await commit(store, [publish('t', 'on')], { nowMs: NOW + 999 }))[0]).toMatchObject({ offset: 5 });
    });

    it('is forgotten, epoch and all, when a topic has neither entries nor followers for as long as entries are kept', async () => {
      const { store } = await opened(open, { ageMs: 100 });
      const [published] = await commit(store, [publish('t', 'x')]);
      await store.expire(NOW + 101, 9);
      expect((await store.stats()).streams).toBe(1);
      await store.expire(NOW + 202, 9);
      await store.expire(NOW + 303, 9);
      expect((await store.stats()).streams).toBe(0);
      const [again] = await commit(store, [publish('t', 'y')], { nowMs: NOW + 303 });
      expect(again).toMatchObject({ offset: 1 });
      expect(again).not.toEqual(published);
    });

    it('keeps its epoch while a session follows the topic', async () => {
      const { store } = await opened(open, { ageMs: 100 });
      await store.create(newSession('s', { lifeMs: 10_000 }));
      await commit(store, [subscribe('s', 1, 't'), publish('t', 'x')]);
      const { epoch } = await store.read('t:t', 0, ALL);
      for (const after of [101, 202, 303, 404]) await store.expire(NOW + after, 9);
      expect(await store.read('t:t', 0, ALL)).toEqual({ epoch, first: 2, end: 1, entries: [] });
      expect((await attached(store, 's', { nowMs: NOW + 404 })).topics).toMatchObject([{ offset: 0, end: 1 }]);
    });

    it('counts sessions, streams and entries', async () => {
      const { store } = await opened(open);
      expect(await store.stats()).toMatchObject({ sessions: 0, streams: 0, entries: 0 });
      await store.create(newSession('s'));
      await store.create(newSession('r', { lifeMs: LIFE_MS * 2 }));
      await commit(store, [send('s', 1, 'x'), publish('t', 'y'), publish('t', 'z')]);
      expect(await store.stats()).toMatchObject({ sessions: 2, streams: 3, entries: 3 });
      await commitPart(store, ['s', 1], { end: true });
      expect(await store.stats()).toMatchObject({ sessions: 1, streams: 2, entries: 2 });
    });
  });
}
