import { once } from 'node:events';
import { MemoryStore, sessionStream, topicStream } from '@holdfast/store';
import { until } from '@holdfast/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { FaultyStore } from './faulty-store.fixture.js';
import { createPublisher, type PublisherOptions } from './publisher.js';
import { RawClient } from './raw-client.fixture.js';
import { serve } from './server.fixture.js';
import type { Socket } from './socket.js';

/** A pod with a client, and a publisher that holds nobody. */
async function begun(options: Partial<PublisherOptions> = {}) {
  const memory = new MemoryStore();
  const store = new FaultyStore(memory);
  const served = await serve({ store: memory, pod: 'a' });
  const opened = served.nextSocket();
  const client = await RawClient.begin(served.url);
  const socket = await opened;
  const publisher = createPublisher({ store, ...options });
  onTestFinished(() => publisher.close({ deadlineMs: 0 }));
  return { ...served, memory, store, client, socket, publisher };
}

const textsOf = async (store: MemoryStore, topic: string): Promise<string[]> =>
  (await store.read(topicStream(topic), 0, { entries: 100, bytes: 1e6 })).entries.map(({ data }) =>
    Buffer.from(data).toString(),
  );

describe('a process that holds no sockets', () => {
  test('sends to a session, in order with what its pod sends, and publishes to a topic', async () => {
    const { client, socket, publisher } = await begun();
    await new Promise((done) => socket.subscribe('news', done));
    socket.send('from the pod');
    await client.texts(1);
    await publisher.send(socket.session.id, 'from elsewhere');
    socket.send('from the pod again');
    await publisher.publish('news', 'to all');
    expect(await client.texts(2)).toEqual(['from elsewhere', 'from the pod again']);
    expect(await client.texts(1, 't')).toEqual(['to all']);
  });

  test('reaches a session whose client is away, when it comes back', async () => {
    const { url, client, socket, publisher } = await begun();
    client.drop();
    await once(socket, 'detached');
    await publisher.send(socket.session.id, Buffer.from('missed'));
    const back = await RawClient.resume(url, client.ticket);
    expect((await back.hear('m')).data).toEqual(Buffer.from('missed'));
  });

  test('is told when there is no such session, or none any more', async () => {
    const { socket, publisher } = await begun();
    await expect(publisher.send('nobody', 'x')).rejects.toMatchObject({ code: 'HF_SESSION_UNKNOWN' });
    await expect(publisher.send('no id at all', 'x')).rejects.toMatchObject({ code: 'HF_SESSION_UNKNOWN' });
    await expect(publisher.publish('', 'x')).rejects.toMatchObject({ code: 'HF_TOPIC' });
    socket.close(4000);
    await until(async () => {
      const answer = publisher.send(socket.session.id, 'x');
      return answer.then(
        () => false,
        (error: { code: string }) => error.code === 'HF_SESSION_UNKNOWN',
      );
    });
    expect(publisher.pending).toBe(0);
  });

  test('sends to a session from another one of its own pods, too', async () => {
    const { wss, client, socket } = await begun();
    await wss.publisher.send(socket.session.id, 'by the server');
    expect(await client.texts(1)).toEqual(['by the server']);
  });
});

describe('a user', () => {
  test('is reached in all sessions, there or away, that have moved or not, and no longer when they are nobody’s', async () => {
    const { memory, client, socket, publisher } = await begun();
    socket.session.user = 'ada';
    expect(socket.session.user).toBe('ada');
    await until(async () => (await publisher.presenceOfUser('ada').list()).total === 1);
    await publisher.sendToUser('ada', 'one');
    expect(await client.texts(1, 't')).toEqual(['one']);

    const b = await serve({ store: memory, pod: 'c' });
    const moving = b.nextSocket();
    const moved = await RawClient.resume(b.url, client.ticket, { received: 0, topics: [] });
    const there = await moving;
    expect(there.session).toMatchObject({ recovered: true, user: 'ada' });
    there.session.user = 'bob';
    await until(async () => (await publisher.presenceOfUser('ada').list()).total === 0);
    await publisher.sendToUser('ada', 'to nobody');
    await publisher.sendToUser('bob', 'two');
    expect(await moved.texts(2, 't')).toEqual(['one', 'two']);
    there.session.user = undefined;
    await until(async () => (await publisher.presenceOfUser('bob').list()).total === 0);
    expect(there.session.user).toBeUndefined();
  });

  test('is reached with a plain client as well, while that is connected', async () => {
    const { wss, url, publisher } = await begun();
    const opened = once(wss, 'connection') as Promise<[Socket]>;
    const plain = new WebSocket(url);
    const [socket] = await opened;
    socket.session.user = 'ada';
    const heard = once(plain, 'message');
    await until(async () => {
      await publisher.sendToUser('ada', 'hello');
      return Promise.race([heard, new Promise((resolve) => setImmediate(resolve, undefined))]);
    });
    expect(String((await heard)[0])).toBe('hello');
    socket.session.user = undefined;
    expect(socket.session.user).toBeUndefined();
  });

  test('has a topic that applications cannot name, and a name that can be written', async () => {
    const { socket, publisher } = await begun();
    expect(() => socket.subscribe('~ada')).toThrow(expect.objectContaining({ code: 'HF_TOPIC' }));
    await expect(publisher.publish('~ada', 'x')).rejects.toMatchObject({ code: 'HF_TOPIC' });
    for (const name of ['', 'x'.repeat(128), '\ud800', 7 as unknown as string]) {
      expect(() => (socket.session.user = name)).toThrow(expect.objectContaining({ code: 'HF_USER' }));
      await expect(publisher.sendToUser(name, 'x')).rejects.toMatchObject({ code: 'HF_USER' });
    }
    expect(socket.session.user).toBeUndefined();
  });
});

describe('while the store fails', () => {
  test('messages wait, are written in order when it works again, and the store is told of', async () => {
    const { store, memory, publisher } = await begun();
    const told: string[] = [];
    publisher.on('storeError', () => told.push('error')).on('storeRecovered', () => told.push('recovered'));
    store.failing.add('commit');
    const sent = ['1', '2', '3'].map((text) => publisher.publish('news', text));
    await until(() => told.length === 1);
    expect(publisher.pending).toBe(3);
    store.failing.clear();
    await Promise.all(sent);
    expect(await textsOf(memory, 'news')).toEqual(['1', '2', '3']);
    expect([told, publisher.pending]).toEqual([['error', 'recovered'], 0]);
  });

  test('no more than the bounds wait, in messages and in bytes', async () => {
    const { store, publisher } = await begun({ maxPending: 2, maxPendingBytes: 10 });
    store.failing.add('commit');
    const sent = [publisher.publish('news', '12345')];
    await expect(publisher.publish('news', '123456')).rejects.toMatchObject({ code: 'HF_BACKLOG' });
    sent.push(publisher.publish('news', ''));
    await expect(publisher.publish('news', '')).rejects.toMatchObject({ code: 'HF_BACKLOG' });
    store.failing.clear();
    await Promise.all(sent);
    await publisher.publish('news', '1234567890');
  });

  test('a publisher that is closed waits for what is pending, and then says that it does not know', async () => {
    const { store, memory, publisher } = await begun();
    const written = publisher.publish('news', 'written');
    await publisher.close();
    await written;
    expect(await textsOf(memory, 'news')).toEqual(['written']);
    await expect(publisher.publish('news', 'late')).rejects.toMatchObject({ code: 'HF_PUBLISHER_CLOSED' });

    const other = createPublisher({ store });
    other.on('storeError', () => undefined);
    store.failing.add('commit');
    const stuck = expect(other.publish('news', 'stuck')).rejects.toMatchObject({ code: 'HF_PUBLISHER_CLOSED' });
    await other.close({ deadlineMs: 10 });
    await stuck;
  });
});

test('impossible bounds are refused', () => {
  for (const options of [{ maxPending: 0 }, { maxPendingBytes: 1.5 }]) {
    expect(() => createPublisher({ store: new MemoryStore(), ...options })).toThrow(
      expect.objectContaining({ code: 'HF_OPTION' }),
    );
  }
});

test('what is sent to a session lies in its stream alone', async () => {
  const { memory, socket, publisher } = await begun();
  await publisher.send(socket.session.id, 'x');
  expect((await memory.read(sessionStream(socket.session.id), 0, { entries: 9, bytes: 99 })).end).toBe(1);
});
