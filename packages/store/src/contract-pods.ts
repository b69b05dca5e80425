import { describe, expect, it } from 'vitest';
import {
  attached,
  claim,
  commit,
  commitPart,
  endTold,
  hashOf,
  LIFE_MS,
  listen,
  newSession,
  NOW,
  type OpenStore,
  opened,
  publish,
  send,
  subscribe,
} from './contract-kit.js';
import type { Store, Wake } from './store.js';

async function isKnown(store: Store, id: string, nowMs: number): Promise<boolean> {
  const answer = await store.attach(claim(id, { presented: hashOf('wrong'), nowMs }));
  return answer === 'refused';
}

const fencedIn = (wakes: readonly Wake[]) => wakes.flatMap(({ fenced }) => fenced);

/** Wake-ups, leases, adoption and expiry. */
export function podContract(open: OpenStore): void {
  describe('a tail', () => {
    it('is told of what others write to the streams it follows, and of nothing else', async () => {
      const { store } = await opened(open);
      const tail = listen(store, 'b', 't:mine', 't:left');
      tail.unfollow('t:left');
      await commit(store, [publish('left', 'x'), publish('other', 'x'), publish('mine', 'x'), publish('mine', 'y')]);
      await commit(store, [publish('mine', 'own')], { pod: 'b' });
      await commit(store, [publish('mine', 'z')]);
      await tail.until((wakes) => endTold(wakes, 't:mine') === 4);
      expect(new Set(tail.wakes.flatMap(({ streams }) => [...streams.keys()]))).toEqual(new Set(['t:mine']));
      expect(tail.wakes.every(({ streams }) => streams.get('t:mine') !== 3)).toBe(true);
    });

    it('of the pod that holds a session is told what others send to it', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s', { pod: 'b' }));
      const tail = listen(store, 'b', 's:s');
      await commit(store, [send('s', 1, 'x')]);
      await tail.until((wakes) => wakes.length > 0);
      expect(endTold(tail.wakes, 's:s')).toBe(1);
    });

    it('is never told from within the call that it is told of, and once for one batch', async () => {
      const { store } = await opened(open);
      const tail = listen(store, 'b', 't:1', 't:2');
      const committed = commit(store, [publish('1', 'x'), publish('2', 'x'), publish('1', 'y')]);
      expect(tail.wakes).toEqual([]);
      await committed;
      await tail.until((wakes) => wakes.length > 0);
      expect(tail.wakes).toHaveLength(1);
      expect([...tail.wakes[0]!.streams]).toEqual([
        ['t:1', 2],
        ['t:2', 1],
      ]);
    });

    it('is told nothing any more once it is closed', async () => {
      const { store } = await opened(open);
      const closed = listen(store, 'b', 't:t');
      const other = listen(store, 'c', 't:t');
      closed.close();
      closed.follow('t:t');
      await commit(store, [publish('t', 'x')]);
      await other.until((wakes) => endTold(wakes, 't:t') === 1);
      expect(closed.wakes).toEqual([]);
    });

    it('is told when another pod takes or ends its session, which of the two, and with the epoch that is over', async () => {
      const { store } = await opened(open);
      for (const id of ['moved', 'ended', 'expired']) await store.create(newSession(id));
      const tail = listen(store, 'a');
      await attached(store, 'moved');
      await commitPart(store, ['ended', 1], { end: true }, { pod: 'b' });
      await commitPart(store, ['expired', 1], { detachedMs: NOW - 1 });
      await store.expire(NOW + LIFE_MS, 9);
      await tail.until((wakes) => fencedIn(wakes).length === 3);
      expect(fencedIn(tail.wakes)).toEqual([
        { session: 'moved', epoch: 1 },
        { session: 'ended', epoch: 1, gone: true },
        { session: 'expired', epoch: 1, gone: true },
      ]);
    });

    it('is not told of what its own pod does to its sessions', async () => {
      const { store } = await opened(open);
      for (const id of ['again', 'ended', 'taken']) await store.create(newSession(id));
      const tail = listen(store, 'a');
      await attached(store, 'again', { pod: 'a' });
      await commitPart(store, ['ended', 1], { end: true });
      await attached(store, 'taken');
      await tail.until((wakes) => fencedIn(wakes).length > 0);
      expect(fencedIn(tail.wakes)).toEqual([{ session: 'taken', epoch: 1 }]);
    });
  });

  describe('adoption', () => {
    it('takes the sessions of a pod whose lease has lapsed, under a new epoch, and tells that pod if it lives', async () => {
      const { store } = await opened(open);
      await store.lease('a', NOW + 10);
      const made = await store.create(newSession('s'));
      await commit(store, [send('s', 1, 'x'), subscribe('s', 1, 't')]);
      const tail = listen(store, 'a');
      expect(await store.adopt('b', NOW + 10, 9)).toEqual([]);
      const [state] = await store.adopt('b', NOW + 11, 9);
      expect(state).toMatchObject({ id: 's', epoch: 2, stream: { ...made.stream, end: 1 }, topics: [{ topic: 't' }] });
      expect(await store.adopt('b', NOW + 11, 9)).toEqual([]);
      expect(await commitPart(store, ['s', 1], { watermark: 1 })).toEqual({ fenced: true });
      await tail.until((wakes) => fencedIn(wakes).length > 0);
      expect(fencedIn(tail.wakes)).toEqual([{ session: 's', epoch: 1 }]);
      expect(await attached(store, 's', { nowMs: NOW + 11 })).toMatchObject({ epoch: 3 });
    });

    it('takes no more than the limit, and nothing twice', async () => {
      const { store } = await opened(open);
      const ids = ['1', '2', '3', '4', '5'];
      for (const id of ids) await store.create(newSession(id));
      await store.lease('a', NOW);
      const taken = [
        ...(await store.adopt('b', NOW + 1, 2)),
        ...(await store.adopt('c', NOW + 1, 2)),
        ...(await store.adopt('b', NOW + 1, 2)),
      ];
      expect(taken.map(({ id }) => id).sort()).toEqual(ids);
    });

    it('starts at once where a pod has let its lease lapse, and ends no life early', async () => {
      const { store } = await opened(open);
      await store.lease('a', NOW + 5000);
      for (const id of ['1', '2']) await store.create(newSession(id, { lifeMs: 1000 }));
      await store.lease('a', 0);
      expect(await store.adopt('b', NOW + 1, 1)).toHaveLength(1);
      // The one that was adopted counts from then; the other as if its pod had lived on to the end of its lease.
      expect(await store.expire(NOW + 6000, 9)).toHaveLength(1);
      expect(await store.expire(NOW + 6001, 9)).toHaveLength(1);
    });

    it('leaves alone whose pod lives, never took a lease, or is the one that asks', async () => {
      const { store } = await opened(open);
      await store.lease('alive', NOW + 1000);
      await store.lease('b', NOW);
      for (const pod of ['alive', 'unleased', 'b']) await store.create(newSession(`of-${pod}`, { pod }));
      expect(await store.adopt('b', NOW + 500, 9)).toEqual([]);
    });

    it('leaves alone a session whose life is over', async () => {
      const { store } = await opened(open);
      await store.lease('a', NOW);
      await store.create(newSession('s'));
      expect(await store.adopt('b', NOW + LIFE_MS + 1, 9)).toEqual([]);
    });

    it('lets the life of a session that was attached run from the adoption', async () => {
      const { store } = await opened(open);
      await store.lease('a', NOW);
      await store.create(newSession('attached'));
      await store.create(newSession('detached'));
      await commitPart(store, ['detached', 1], { detachedMs: NOW });
      await store.adopt('b', NOW + 1000, 9);
      expect(await store.expire(NOW + LIFE_MS + 1, 9)).toEqual(['detached']);
      expect(await store.expire(NOW + 1000 + LIFE_MS, 9)).toEqual([]);
      expect(await store.expire(NOW + 1001 + LIFE_MS, 9)).toEqual(['attached']);
    });
  });

  describe('expiry', () => {
    it('ends a session that has had no transport for longer than its life', async () => {
      const { store } = await opened(open);
      for (const id of ['s', 'back']) {
        await store.create(newSession(id));
        await commitPart(store, [id, 1], { detachedMs: NOW + 10 });
      }
      await commitPart(store, ['back', 1], { detachedMs: null }, { nowMs: NOW + LIFE_MS });
      expect(await store.expire(NOW + 10 + LIFE_MS, 9)).toEqual([]);
      expect(await store.expire(NOW + 11 + LIFE_MS, 9)).toEqual(['s']);
      expect(await store.expire(NOW + 11 + LIFE_MS, 9)).toEqual([]);
      expect(await isKnown(store, 's', NOW)).toBe(false);
      expect(await isKnown(store, 'back', NOW + LIFE_MS)).toBe(true);
    });

    it('never ends a session that is attached while its pod lives', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      await commitPart(store, ['s', 1], { detachedMs: NOW - LIFE_MS });
      await attached(store, 's', { pod: 'a' });
      for (let at = NOW; at < NOW + 5 * LIFE_MS; at += LIFE_MS / 2) {
        await store.lease('a', at + LIFE_MS / 2);
        expect(await store.expire(at, 9)).toEqual([]);
      }
    });

    it('ends a session whose pod died with it, a life after its lease', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s', { lifeMs: 1000 }));
      await store.create(newSession('longer', { lifeMs: 5000 }));
      await store.lease('a', NOW + 100);
      expect(await store.expire(NOW + 1100, 9)).toEqual([]);
      expect(await store.expire(NOW + 1101, 9)).toEqual(['s']);
    });

    it('counts from the last attach where the pod never took a lease', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s', { lifeMs: 1000 }));
      await attached(store, 's', { nowMs: NOW + 500 });
      expect(await store.expire(NOW + 1500, 9)).toEqual([]);
      expect(await store.expire(NOW + 1501, 9)).toEqual(['s']);
    });

    it('ends no more than the limit at once, and all of them in the end', async () => {
      const { store } = await opened(open);
      const ids = ['1', '2', '3', '4', '5'];
      for (const id of ids) {
        await store.create(newSession(id));
        await commitPart(store, [id, 1], { detachedMs: NOW, effects: [send(id, 1, 'x')] });
      }
      const expired: string[] = [];
      for (let round = 0; round < 3; round++) expired.push(...(await store.expire(NOW + LIFE_MS + 1, 2)));
      expect(expired.sort()).toEqual(ids);
      expect(await store.stats()).toMatchObject({ sessions: 0, streams: 0, entries: 0 });
    });
  });
}
