import { describe, expect, it } from 'vitest';
import {
  attached,
  commit,
  commitPart,
  endTold,
  entriesOf,
  LIFE_MS,
  listen,
  newSession,
  NOW,
  type OpenStore,
  opened,
  send,
  subscribe,
} from './contract-kit.js';
import { ANY_EPOCH, type Store } from './store.js';

const all = async (store: Store, topic = 't'): Promise<readonly string[]> =>
  (await store.followers(topic, '', 100)).sessions;

/** Who follows a topic, and what is sent to a session by somebody who does not hold it. */
export function followerContract(open: OpenStore): void {
  describe('the followers of a topic', () => {
    it('are listed in the order of their ids, page by page, with their number', async () => {
      const { store } = await opened(open);
      for (const id of ['s3', 's1', 's2', 's10']) await store.create(newSession(id));
      await commit(
        store,
        ['s3', 's1', 's2', 's10'].map((id) => subscribe(id, 1, 't')),
      );
      expect(await store.followers('t', '', 3)).toEqual({ sessions: ['s1', 's10', 's2'], total: 4 });
      expect(await store.followers('t', 's2', 3)).toEqual({ sessions: ['s3'], total: 4 });
      expect(await store.followers('t', 's1', 1)).toEqual({ sessions: ['s10'], total: 4 });
      expect(await store.followers('t', 's3', 3)).toEqual({ sessions: [], total: 4 });
    });

    it('are none where nobody follows, and asking makes no topic', async () => {
      const { store } = await opened(open);
      expect(await store.followers('t', '', 9)).toEqual({ sessions: [], total: 0 });
      expect((await store.stats()).streams).toBe(0);
    });

    it('stay while their sessions move, and while nobody is connected', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      await commit(store, [subscribe('s', 1, 't')]);
      await commitPart(store, ['s', 1], { detachedMs: NOW });
      expect(await all(store)).toEqual(['s']);
      const { epoch } = await attached(store, 's');
      expect(await all(store)).toEqual(['s']);
      await commit(store, [subscribe('s', epoch, 't')]);
      expect(await store.followers('t', '', 9)).toEqual({ sessions: ['s'], total: 1 });
    });

    it('are gone when they unsubscribe, end or expire', async () => {
      const { store } = await opened(open);
      for (const id of ['a', 'b', 'c', 'd']) await store.create(newSession(id));
      await commit(
        store,
        ['a', 'b', 'c', 'd'].map((id) => subscribe(id, 1, 't')),
      );
      await commit(store, [{ type: 'unsubscribe', session: 'a', epoch: 1, topic: 't' }]);
      expect(await all(store)).toEqual(['b', 'c', 'd']);
      await commitPart(store, ['b', 1], { end: true });
      expect(await all(store)).toEqual(['c', 'd']);
      await commitPart(store, ['c', 1], { detachedMs: NOW });
      await store.lease('a', NOW + 10 * LIFE_MS);
      expect(await store.expire(NOW + LIFE_MS + 1, 9)).toEqual(['c']);
      expect(await all(store)).toEqual(['d']);
    });

    it('are kept apart by topic, also where names begin alike', async () => {
      const { store } = await opened(open);
      for (const id of ['t', 's']) await store.create(newSession(id));
      await commit(store, [subscribe('t', 1, 's'), subscribe('s', 1, 'st'), subscribe('s', 1, 'é')]);
      expect([await all(store, 's'), await all(store, 'st'), await all(store, 'é')]).toEqual([['t'], ['s'], ['s']]);
    });
  });

  describe('a send from somebody who does not hold the session', () => {
    it('lands whoever holds it, and wakes that pod', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      await attached(store, 's', { pod: 'b' });
      const tail = listen(store, 'b', 's:s');
      const [landed] = await commit(store, [send('s', ANY_EPOCH, 'news')], { pod: 'publisher' });
      expect(landed).toMatchObject({ offset: 1 });
      expect(await entriesOf(store, 's:s')).toEqual([[1, 'news']]);
      await tail.until((wakes) => endTold(wakes, 's:s') === 1);
    });

    it('is refused where there is no session, or one that is closing', async () => {
      const { store } = await opened(open);
      expect(await commit(store, [send('s', ANY_EPOCH, 'x')])).toEqual(['fenced']);
      await store.create(newSession('s'));
      await commit(store, [{ type: 'close', session: 's', epoch: 1, code: 4000, reason: '' }]);
      expect(await commit(store, [send('s', ANY_EPOCH, 'x')])).toEqual(['fenced']);
      expect(await entriesOf(store, 's:s')).toEqual([]);
    });

    it('is the only effect that needs no epoch, and no guard of a part', async () => {
      const { store } = await opened(open);
      await store.create(newSession('s'));
      expect(await commit(store, [subscribe('s', ANY_EPOCH, 't')])).toEqual(['fenced']);
      expect(await commitPart(store, ['s', ANY_EPOCH], { effects: [send('s', ANY_EPOCH, 'x')] })).toEqual({
        fenced: true,
      });
      expect(await entriesOf(store, 's:s')).toEqual([]);
    });
  });
}
