import { once } from 'node:events';
import { MemoryStore } from '@holdfast/store';
import { until, VirtualClock } from '@holdfast/testing';
import { expect, onTestFinished, test, vi } from 'vitest';
import { FaultyStore } from './faulty-store.fixture.js';
import { Presence } from './presence.js';
import { RawClient } from './raw-client.fixture.js';
import { serve, serverClock } from './server.fixture.js';

const policy = { pingMs: 1_000_000, deadMs: 2_000_000 };

/** Two pods, a client on the first that follows the lobby, and who watches from the second. */
async function watched() {
  const clock = new VirtualClock({ startMs: 1_750_000_000_000 });
  const memory = new MemoryStore();
  const store = new FaultyStore(memory);
  const a = await serve({ store: memory, pod: 'a', clock: serverClock(clock), policy, leaseMs: 9_000 });
  const b = await serve({ store, pod: 'b', clock: serverClock(clock), policy, leaseMs: 9_000 });
  const join = async () => {
    const opened = a.nextSocket();
    const client = await RawClient.begin(a.url);
    const socket = await opened;
    await new Promise((done) => socket.subscribe('lobby', done));
    return { client, socket, id: socket.session.id };
  };
  const presence = b.wss.presence('lobby', { membersMax: 3 });
  const told: string[] = [];
  presence
    .on('join', (session) => told.push(`join ${session}`))
    .on('leave', (session) => told.push(`leave ${session}`));
  presence.on('overflow', (total) => told.push(`overflow ${total}`));
  await clock.advanceAsync(1_000);
  return { clock, memory, store, a, b, join, presence, told };
}

test('who follows a topic is told of on another pod, and listed, page by page', async () => {
  const { clock, join, presence, told } = await watched();
  const [one, other] = [await join(), await join()];
  await clock.advanceAsync(1_000);
  expect(told.sort()).toEqual([`join ${one.id}`, `join ${other.id}`].sort());
  const ids = [one.id, other.id].sort();
  expect(await presence.list()).toEqual({ sessions: ids, total: 2 });
  expect(await presence.list({ limit: 1, after: ids[0] })).toEqual({ sessions: [ids[1]], total: 2 });
  one.socket.unsubscribe('lobby');
  await until(async () => (await presence.list()).total === 1);
  await clock.advanceAsync(1_000);
  expect(told.slice(2)).toEqual([`leave ${one.id}`]);
});

test('nobody leaves or joins because a connection is lost, a session moves, or its pod dies', async () => {
  const { clock, a, b, join, presence, told } = await watched();
  const { client, socket, id } = await join();
  await clock.advanceAsync(1_000);
  client.drop();
  await once(socket, 'detached');
  await clock.advanceAsync(5_000);
  const back = await RawClient.resume(a.url, client.ticket);
  await clock.advanceAsync(1_000);
  const moved = await RawClient.resume(b.url, back.ticket);
  await clock.advanceAsync(1_000);
  moved.drop();
  await clock.advanceAsync(20_000);
  expect(told).toEqual([`join ${id}`]);
  expect((await presence.list()).sessions).toEqual([id]);
});

test('a session whose life is over has left', async () => {
  const { clock, join, told } = await watched();
  const { client, socket, id } = await join();
  await clock.advanceAsync(1_000);
  client.drop();
  await once(socket, 'detached');
  await clock.advanceAsync(599_000);
  expect(told).toEqual([`join ${id}`]);
  await clock.advanceAsync(10_000);
  expect(told).toEqual([`join ${id}`, `leave ${id}`]);
});

test('those who are there already do not join, and nobody comes or goes while the store fails', async () => {
  const { clock, store, b, join } = await watched();
  const { id, socket } = await join();
  const told: string[] = [];
  const presence = b.wss.presence('lobby').on('join', (session) => told.push(session));
  presence.on('leave', (session) => told.push(`not ${session}`));
  await clock.advanceAsync(1_000);
  store.failing.add('followers');
  socket.terminate();
  await clock.advanceAsync(3_000);
  expect(told).toEqual([]);
  store.failing.clear();
  await clock.advanceAsync(1_000);
  expect(told).toEqual([`not ${id}`]);
});

test('more than can be watched are counted, once, and watched again when there are fewer', async () => {
  const { clock, join, told } = await watched();
  const all = [await join(), await join(), await join()];
  await clock.advanceAsync(1_000);
  told.length = 0;
  const fourth = await join();
  await clock.advanceAsync(2_000);
  expect(told).toEqual(['overflow 4']);
  all[0]?.socket.terminate();
  await clock.advanceAsync(2_000);
  expect(told.slice(1).sort()).toEqual([`join ${fourth.id}`, `leave ${all[0]?.id}`].sort());
});

test('one that is closed looks no more, and a closed server has none', async () => {
  const { clock, store, b, join, presence, told } = await watched();
  presence.close();
  presence.close();
  await join();
  await clock.advanceAsync(3_000);
  expect(told).toEqual([]);
  const looked: number[] = [];
  const original = store.followers.bind(store);
  store.followers = (...asked) => {
    looked.push(1);
    return original(...asked);
  };
  b.wss.presence('lobby').on('join', () => undefined);
  await clock.advanceAsync(1_000);
  expect(looked.length).toBeGreaterThan(0);
  await new Promise<void>((resolve) => b.wss.close(() => resolve()));
  looked.length = 0;
  await clock.advanceAsync(5_000);
  expect(looked).toEqual([]);
});

test('impossible options are refused', async () => {
  const memory = new MemoryStore();
  const clock = serverClock();
  for (const options of [{ pollMs: 0 }, { membersMax: -1 }]) {
    expect(() => new Presence(memory, 't', clock, options)).toThrow(expect.objectContaining({ code: 'HF_OPTION' }));
  }
  const presence = new Presence(memory, 't', clock);
  for (const limit of [0, 1_001, 1.5]) {
    await expect(presence.list({ limit })).rejects.toMatchObject({ code: 'HF_OPTION' });
  }
});

test('a listener that throws takes the news of nobody else', async () => {
  const { clock, join, presence, told } = await watched();
  const thrown: unknown[] = [];
  const real = queueMicrotask;
  vi.stubGlobal('queueMicrotask', (run: () => void) =>
    real(() => {
      try {
        run();
      } catch (error) {
        thrown.push(error);
      }
    }),
  );
  onTestFinished(() => void vi.unstubAllGlobals());
  presence.prependListener('join', (session) => {
    throw new Error(session);
  });
  presence.on('join', () => undefined);
  const ids = [(await join()).id, (await join()).id].sort();
  await clock.advanceAsync(1_000);
  expect(thrown.map((error) => (error as Error).message).sort()).toEqual(ids);
  expect(told).toEqual([]);
});
