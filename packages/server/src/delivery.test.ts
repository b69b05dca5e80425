import { once } from 'node:events';
import type { Socket as NetSocket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MemoryStore } from '@holdfast/store';
import { DeliveryLedger, until } from '@holdfast/testing';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { ServerOptions } from './options.js';
import { RawClient, textOf, type Attached } from './raw-client.fixture.js';
import { serve } from './server.fixture.js';

async function begun(options: Partial<ServerOptions> = {}, body: Parameters<typeof RawClient.begin>[1] = {}) {
  const served = await serve(options);
  const opened = served.nextSocket();
  const client = await RawClient.begin(served.url, body);
  return { ...served, client, socket: await opened };
}

describe('a slow consumer', () => {
  const window = { messages: 16, bytes: 100_000 };

  test('that acknowledges nothing gets its window and no more', async () => {
    const { client, socket } = await begun({}, { window });
    for (let i = 1; i <= 100; i++) socket.send(`${i}`);
    await client.texts(16);
    client.say({ type: 'ping', stamp: 7, ack: 0 });
    await client.hear('pong');
    expect(client.takeAll()).toEqual([]);
    expect(socket.bufferedAmount).toBeGreaterThan(0);
    client.say({ type: 'ack', ack: 10, topics: [] });
    expect((await client.texts(10)).at(-1)).toBe('26');
  });

  test('that shares its window between topics gets no more of all of them together', async () => {
    const { wss, client, socket } = await begun({}, { window });
    for (const topic of ['a', 'b', 'c']) socket.subscribe(topic);
    await client.hear('sub');
    for (let i = 1; i <= 50; i++) for (const topic of ['a', 'b', 'c']) wss.publish(topic, `${i}`);
    await client.texts(16, 't');
    client.say({ type: 'ping', stamp: 7, ack: 0 });
    await client.hear('pong');
    expect(client.takeAll()).toEqual([]);
  });

  test('costs no memory beside the log while 100,000 messages are sent, and then gets them all', async () => {
    const count = 100_000;
    const store = new MemoryStore({ retention: { entries: count, bytes: 1e9 } });
    const { connections, client, socket } = await begun({ store }, { window: { messages: 1e6, bytes: 1e9 } });
    const ledger = new DeliveryLedger();
    client.ws.pause();
    let buffered = 0;
    for (let i = 1; i <= count; i++) {
      ledger.sent('down', i);
      socket.send('x'.repeat(100));
      if (i % 10_000 !== 0) continue;
      for (let turn = 0; turn < 3; turn++) {
        await nextTurn();
        buffered = Math.max(buffered, unwritten(connections));
      }
    }
    await until(() => socket.bufferedAmount > count * 99);
    // The high water of a transport, and what is gathered for one write.
    expect(buffered).toBeGreaterThan(100_000);
    expect(buffered).toBeLessThan(262_144 + 65_536 + 10_000);
    client.ws.resume();
    for (let n = 0; n < count;) {
      ({ n } = await client.hear('m'));
      ledger.received('down', n);
      if (n % 500 === 0) client.say({ type: 'ack', ack: n, topics: [] });
    }
    expect(ledger.report()).toMatchObject({ sent: count, received: count, lost: 0, duplicated: 0, outOfOrder: 0 });
  }, 60_000);
});

/** What the process holds for the network. */
const unwritten = (connections: readonly NetSocket[]): number =>
  connections.reduce((sum, { writableLength }) => sum + writableLength, 0);

describe('history that is gone', () => {
  test('is told as a gap, and the rest is complete', async () => {
    const { url, client, socket } = await begun({ store: new MemoryStore({ retention: { entries: 3 } }) });
    client.drop();
    await once(socket, 'detached');
    for (let i = 1; i <= 10; i++) socket.send(`${i}`);
    const back = await RawClient.resume(url, client.ticket);
    expect(await back.hear('gap')).toMatchObject({ from: 1, to: 7, topic: '' });
    expect(await back.texts(3)).toEqual(['8', '9', '10']);
  });

  test('of a topic is told as a gap of that topic', async () => {
    const { wss, url, client, socket } = await begun({ store: new MemoryStore({ retention: { entries: 2 } }) });
    socket.subscribe('news');
    const { epoch } = await client.hear('sub');
    client.drop();
    await once(socket, 'detached');
    for (let i = 1; i <= 5; i++) wss.publish('news', `${i}`);
    const back = await RawClient.resume(url, client.ticket, { topics: [{ topic: 'news', epoch, offset: 0 }] });
    expect(await back.hear('gap')).toMatchObject({ from: 1, to: 3, topic: 'news' });
    expect(await back.texts(2, 't')).toEqual(['4', '5']);
  });

  test('under a client that is there and slow is told as well', async () => {
    const { client, socket } = await begun(
      { store: new MemoryStore({ retention: { entries: 4 } }) },
      { window: { messages: 2, bytes: 1_000 } },
    );
    for (let i = 1; i <= 20; i++) socket.send(`${i}`);
    expect(await client.texts(2)).toEqual(['1', '2']);
    client.say({ type: 'ack', ack: 2, topics: [] });
    expect(await client.hear('gap')).toMatchObject({ from: 3, to: 16 });
    expect(await client.texts(2)).toEqual(['17', '18']);
  });
});

describe('a volatile message', () => {
  test('goes to the client that is there, past the log', async () => {
    const { client, socket } = await begun();
    socket.send('now', { volatile: true });
    socket.send(Buffer.from([1, 2]), { volatile: true });
    const [first, second] = [await client.hear('v'), await client.hear('v')];
    expect(textOf(first)).toBe('now');
    expect(second.binary).toBe(true);
  });

  test('goes to nobody when the client is away or behind, and its callback is called all the same', async () => {
    const { url, client, socket } = await begun({}, { window: { messages: 2, bytes: 1_000 } });
    for (let i = 1; i <= 5; i++) socket.send(`${i}`);
    await client.texts(2);
    await new Promise<void>((resolve) => socket.send('behind', { volatile: true }, () => resolve()));
    client.drop();
    await once(socket, 'detached');
    socket.send('away', { volatile: true });
    const back = await RawClient.resume(url, client.ticket);
    expect(await back.texts(5)).toEqual(['1', '2', '3', '4', '5']);
    expect(back.takeAll()).toEqual([]);
  });
});

test('bufferedAmount is what the client has not acknowledged, and what is on its way to the store', async () => {
  const { client, socket } = await begun();
  socket.send('x'.repeat(1_000));
  expect(socket.bufferedAmount).toBe(1_000);
  await client.texts(1);
  expect(socket.bufferedAmount).toBe(1_000);
  client.say({ type: 'ack', ack: 1, topics: [] });
  await until(() => socket.bufferedAmount === 0);
});

test('what is sent in one turn goes out in order, by whatever way it was sent', async () => {
  const { wss, client, socket } = await begun();
  socket.on('message', (data) => {
    socket.send(`echo ${(data as Buffer).toString()}`);
    for (const one of wss.clients) one.send('to all');
    setImmediate(() => socket.send('later'));
  });
  client.send(1, 'hi');
  expect(await client.texts(3)).toEqual(['echo hi', 'to all', 'later']);
});

test('a message in parts goes out as one', async () => {
  const { client, socket } = await begun();
  const called: string[] = [];
  socket.send('one ', { fin: false }, () => called.push('first'));
  socket.send('two ', { fin: false });
  socket.send('three', () => called.push('last'));
  expect(await client.texts(1)).toEqual(['one two three']);
  expect(called).toEqual(['first', 'last']);
});

test('a subscription begins with the first message that is published after it, in the same turn as well', async () => {
  const { wss, client, socket } = await begun();
  wss.publish('news', 'before');
  socket.subscribe('news', () => wss.publish('news', 'from the callback'));
  wss.publish('news', 'after');
  const { n } = await client.hear('sub');
  expect(n).toBe(1);
  expect(await client.texts(2, 't')).toEqual(['after', 'from the callback']);
  socket.unsubscribe('news');
  await client.hear('unsub');
  wss.publish('news', 'too late');
  socket.send('last');
  expect(await client.texts(1)).toEqual(['last']);
  expect(client.takeAll()).toEqual([]);
});

test('a session follows no more than 256 topics', async () => {
  const { client, socket } = await begun();
  for (let i = 0; i < 256; i++) socket.subscribe(`topic-${i}`);
  expect(() => socket.subscribe('one-more')).toThrow('HF_TOPICS');
  socket.subscribe('topic-7');
  for (let i = 0; i < 256; i++) await client.hear('sub');
  expect(() => socket.subscribe('one-more')).toThrow('HF_TOPICS');
  socket.unsubscribe('topic-7');
  socket.subscribe('one-more');
});

test('a publish reaches all who follow, sessions and plain clients, on every pod', async () => {
  const store = new MemoryStore();
  const pods = [await serve({ store, pod: 'a' }), await serve({ store, pod: 'b' })];
  const clients: Attached[] = [];
  const plain: Promise<string>[] = [];
  for (const { wss, url } of pods) {
    wss.on('connection', (socket) => socket.subscribe('news'));
    clients.push(await RawClient.begin(url));
    await clients.at(-1)?.hear('sub');
    const client = new WebSocket(url);
    await once(client, 'open');
    plain.push(once(client, 'message').then(([data]) => (data as Buffer).toString()));
  }
  await until(() => pods.every(({ wss }) => wss.clients.size === 2));
  pods[0]?.wss.publish('news', 'to all');
  for (const client of clients) expect(await client.texts(1, 't')).toEqual(['to all']);
  expect(await Promise.all(plain)).toEqual(['to all', 'to all']);
});
