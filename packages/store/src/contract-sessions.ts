import { describe, expect, it } from 'vitest';
import {
  attached,
  batch,
  claim,
  commit,
  commitPart,
  hashOf,
  LIFE_MS,
  newSession,
  NOW,
  type OpenStore,
  opened,
  send,
  raced,
  subscribe,
} from './contract-kit.js';

/** Creating, attaching, tokens and the fence. */
export function sessionContract(open: OpenStore): void {
  describe('sessions', () => {
    it('makes a session with epoch 1, an empty stream and nothing else', async () => {
      const { store } = await opened(open);
      const state = await store.create(newSession('s', { request: '{"url":"/é"}' }));
      expect(state).toEqual({
        id: 's',
        epoch: 1,
        watermark: 0,
        stream: { epoch: state.stream.epoch, end: 0, acked: 0 },
        topics: [],
        request: '{"url":"/é"}',
        createdMs: NOW,
      });
      expect(state.stream.epoch).not.toBe('');
    });

    it('refuses to make a session whose id is taken, and leaves that one alone', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      await expect(store.create(newSession('s', { token: hashOf('other') }))).rejects.toMatchObject({
        code: 'HF_SESSION_EXISTS',
      });
      expect((await attached(store, 's')).epoch).toBe(2);
    });

    it('returns everything a session has when it is attached', async () => {
      const { store } = await opened(open);
      const made = await store.create(newSession('s', { request: '{"a":1}' }));
      await commit(store, [
        send('s', 1, 'one'),
        send('s', 1, 'two'),
        subscribe('s', 1, 'news'),
        { type: 'data', session: 's', epoch: 1, data: '{"name":"Zoë"}' },
        { type: 'publish', topic: 'news', data: new Uint8Array([1]), binary: true },
        { type: 'close', session: 's', epoch: 1, code: 1000, reason: 'done' },
      ]);
      await commitPart(store, ['s', 1], { watermark: 7, acked: 1 });
      const { topics, ...state } = await attached(store, 's', { nowMs: NOW + 5 });
      expect(state).toEqual({
        id: 's',
        epoch: 2,
        watermark: 7,
        stream: { epoch: made.stream.epoch, end: 2, acked: 1 },
        data: '{"name":"Zoë"}',
        closing: { code: 1000, reason: 'done' },
        request: '{"a":1}',
        createdMs: NOW,
      });
      expect(topics).toEqual([{ topic: 'news', epoch: topics[0]!.epoch, offset: 0, end: 1 }]);
    });

    it('knows no session that was never made', async () => {
      const { store } = await opened(open);
      expect(await store.attach(claim('nobody'))).toBe('unknown');
    });

    it('knows no session whose life is over, also before it is removed', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      await commitPart(store, ['s', 1], { detachedMs: NOW });
      expect(await store.attach(claim('s', { nowMs: NOW + LIFE_MS + 1 }))).toBe('unknown');
      expect((await attached(store, 's', { nowMs: NOW + LIFE_MS })).epoch).toBe(2);
    });

    it('refuses an attempt that a later one has overtaken, and changes nothing', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      const [early, late, last] = [
        claim('s', { next: hashOf('lost') }),
        claim('s'),
        claim('s', { presented: hashOf('t2') }),
      ];
      await store.attach(late);
      for (const again of [early, late]) expect(await store.attach(again)).toBe('late');
      expect(await store.attach({ ...early, presented: hashOf('wrong') })).toBe('refused');
      expect(await store.attach(last)).toMatchObject({ epoch: 3 });
    });

    it('raises the epoch at every attach', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      expect((await attached(store, 's', { pod: 'a' })).epoch).toBe(2);
      expect((await attached(store, 's', { presented: hashOf('t2'), next: hashOf('t3') })).epoch).toBe(3);
    });
  });

  describe('resume tokens', () => {
    it.each(['', 't', 't1', hashOf('t2'), `${hashOf('t1')}x`])('refuse %j and change nothing', async (presented) => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      expect(await store.attach(claim('s', { presented, next: hashOf('stolen') }))).toBe('refused');
      expect(await store.attach(claim('s', { presented: hashOf('stolen') }))).toBe('refused');
      expect((await attached(store, 's')).epoch).toBe(2);
    });

    it('stay good until the client has shown the next, however often it was cut off before', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      for (const next of ['t2', 't3', 't4']) await attached(store, 's', { next: hashOf(next) });
      expect((await attached(store, 's', { presented: hashOf('t4'), next: hashOf('t5') })).epoch).toBe(5);
    });

    it('die with the second attach after them', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      await attached(store, 's', { next: hashOf('t2') });
      await attached(store, 's', { presented: hashOf('t2'), next: hashOf('t3') });
      expect(await store.attach(claim('s', { presented: hashOf('t1'), next: hashOf('t4') }))).toBe('refused');
      expect((await attached(store, 's', { presented: hashOf('t2'), next: hashOf('t4') })).epoch).toBe(4);
      expect(await store.attach(claim('s', { presented: hashOf('t3') }))).toBe('refused');
    });

    it('die when the client confirms the next, and only under the current epoch', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      await attached(store, 's', { next: hashOf('t2') });
      expect(await commitPart(store, ['s', 1], { confirm: true })).toEqual({ fenced: true });
      await attached(store, 's', { presented: hashOf('t1'), next: hashOf('t3') });
      await commitPart(store, ['s', 3], { confirm: true });
      expect(await store.attach(claim('s', { presented: hashOf('t1') }))).toBe('refused');
      expect((await attached(store, 's', { presented: hashOf('t3') })).epoch).toBe(4);
    });
  });

  describe('the fence', () => {
    it('lets one of two pods that attach at once write, and tells them apart by epoch', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      const winners = await raced([store, store, store], 's');
      expect(winners.map(({ state }) => state.epoch)).toEqual(winners.map((_, index) => index + 2));
      const results = await Promise.all(
        winners.map(({ pod, state }) => commitPart(store, ['s', state.epoch], { watermark: 1 }, { pod })),
      );
      expect(results.map((result) => result.fenced)).toEqual(winners.map((_, index) => index < winners.length - 1));
    });

    it('refuses what was begun under an epoch that is over', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      await attached(store, 's');
      expect(await commit(store, [send('s', 1, 'late'), send('s', 2, 'now'), send('s', 3, 'early')])).toEqual([
        'fenced',
        expect.objectContaining({ offset: 1 }),
        'fenced',
      ]);
    });

    it('refuses everything of a session that has ended', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      await commitPart(store, ['s', 1], { end: true, effects: [send('s', 1, 'bye')] });
      expect(await store.attach(claim('s'))).toBe('unknown');
      expect(await commitPart(store, ['s', 1], { watermark: 1 })).toEqual({ fenced: true, gone: true });
      const { parts } = await store.commit(
        batch([{ effects: [send('s', 1, 'x'), { type: 'data', session: 's', epoch: 1, data: '1' }] }]),
      );
      expect(parts).toEqual([{ fenced: false, effects: ['fenced', 'fenced'] }]);
      expect(await store.read('s:s', 0, { entries: 10, bytes: 10 })).toEqual({
        epoch: '',
        first: 1,
        end: 0,
        entries: [],
      });
    });

    it('starts a session that is made anew with another stream epoch', async () => {
      const { store } = await opened(open);
      const first = await store.create(newSession('s'));
      await commit(store, [subscribe('s', 1, 'news'), { type: 'data', session: 's', epoch: 1, data: '1' }]);
      await commitPart(store, ['s', 1], { end: true });
      const second = await store.create(newSession('s'));
      expect(second).toEqual({ ...first, stream: { epoch: second.stream.epoch, end: 0, acked: 0 } });
      expect(second.stream.epoch).not.toBe(first.stream.epoch);
    });
  });
}
