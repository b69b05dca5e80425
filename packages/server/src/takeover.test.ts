import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MemoryStore, topicStream } from '@holdfast/store';
import { until, VirtualClock } from '@holdfast/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FaultyStore } from './faulty-store.fixture.js';
import type { ServerOptions } from './options.js';
import { RawClient, type Attached } from './raw-client.fixture.js';
import { serve, serverClock, type Served } from './server.fixture.js';
import type { Socket } from './socket.js';

const ALL = { entries: 1_000, bytes: 1_000_000 };

/** Two pods of one process that share a store, and a session on the first. */
async function twoPods(options: Partial<ServerOptions> = {}, memory = new MemoryStore()) {
  const stores = [new FaultyStore(memory), new FaultyStore(memory)] as const;
  const a = await serve({ ...options, store: stores[0], pod: 'a' });
  const b = await serve({ ...options, store: stores[1], pod: 'b' });
  const opened = a.nextSocket();
  const client = await RawClient.begin(a.url);
  return { memory, stores, a, b, client, socket: await opened };
}

async function moveTo(served: Served, from: Attached, received = 0) {
  const opened = served.nextSocket();
  const client = await RawClient.resume(served.url, from.ticket, { received });
  return { client, socket: await opened };
}

const texts = async (store: MemoryStore, topic: string): Promise<string[]> =>
  (await store.read(topicStream(topic), 0, ALL)).entries.map(({ data }) => Buffer.from(data).toString());

/** What an application that counts does: each message of a client is published once, and answered. */
function count({ wss }: Served, sockets: Socket[] = []): Socket[] {
  wss.on('connection', (socket) => {
    sockets.push(socket);
    socket.on('message', (data) => {
      wss.publish('counted', (data as Buffer).toString());
      socket.send(`done ${(data as Buffer).toString()}`);
    });
  });
  return sockets;
}

// As a container that is started again in place, or a pod of a StatefulSet: under its old name the sessions looked alive for ever.
test('a process that starts again under the same `pod` takes over what the one before it has left', async () => {
  const store = new MemoryStore();
  const killed = await serve({ store, pod: 'web-0' });
  const client = await RawClient.begin(killed.url);
  client.drop();
  await store.lease(killed.wss.pod, 0);
  const again = await serve({ store, pod: 'web-0' });
  await until(() => again.wss.clients.size === 1);
  const [socket] = again.wss.clients;
  expect(socket?.session).toMatchObject({ id: client.ticket.session, recovered: true });
});

describe('a client that attaches to another pod', () => {
  test('closes the socket on the first one with 4501, and is a recovered connection on the other', async () => {
    const { a, b, client, socket } = await twoPods();
    socket.session.data['name'] = 'Ada';
    socket.send('from a');
    await client.texts(1);
    const closed = once(socket, 'close');
    const moved = await moveTo(b, client, 1);
    expect(await client.closed).toEqual({ code: 4501, reason: 'HF_FENCED' });
    expect((await closed)[0]).toBe(4501);
    expect(socket.readyState).toBe(socket.CLOSED);
    expect([a.wss.clients.size, b.wss.clients.size]).toEqual([0, 1]);
    expect(moved.socket.session).toMatchObject({
      id: client.ticket.session,
      recovered: true,
      attachments: 2,
      data: { name: 'Ada' },
    });
    moved.socket.send('from b');
    expect(await moved.client.texts(1)).toEqual(['from b']);
  });

  test('gets what the first one has sent and it has not', async () => {
    const { b, client, socket } = await twoPods();
    client.drop();
    await once(socket, 'detached');
    const sent = once(socket, 'close');
    socket.send('one');
    socket.send('two', () => socket.send('three'));
    await nextTurn();
    const moved = await moveTo(b, client);
    moved.socket.send('four');
    expect(await moved.client.texts(4)).toEqual(['one', 'two', 'three', 'four']);
    await sent;
  });

  test('follows its topics there, without a hole', async () => {
    const { a, b, client, socket } = await twoPods();
    socket.subscribe('news');
    const { epoch } = await client.hear('sub');
    a.wss.publish('news', '1');
    await client.texts(1, 't');
    client.drop();
    await once(socket, 'detached');
    a.wss.publish('news', '2');
    const opened = b.nextSocket();
    const topics = [{ topic: 'news', epoch, offset: 1 }];
    const moved = await RawClient.resume(b.url, client.ticket, { topics });
    await opened;
    a.wss.publish('news', '3');
    b.wss.publish('news', '4');
    expect(new Set(await moved.texts(3, 't'))).toEqual(new Set(['2', '3', '4']));
  });

  test('tells its socket there which subprotocol was agreed on', async () => {
    const { a, b } = await twoPods();
    const opened = a.nextSocket();
    const client = await RawClient.begin(a.url, {}, { protocols: ['chat'] });
    expect((await opened).protocol).toBe('chat');
    const moved = b.nextSocket();
    await RawClient.resume(b.url, client.ticket, {}, { protocols: ['chat'] });
    expect((await moved).protocol).toBe('chat');
  });
});

describe('a pod that has lost a session and was not told', () => {
  test('learns it when it writes: the effects of its handler are refused, and made once by the other pod', async () => {
    const { memory, stores, a, b, client, socket } = await twoPods();
    count(b);
    socket.on('message', (data) => {
      a.wss.publish('counted', (data as Buffer).toString());
      socket.send('never');
    });
    stores[0].deaf = true;
    const release = stores[0].hold('commit');
    client.send(1, 'once');
    await once(socket, 'message');
    await until(() => socket.bufferedAmount > 0);
    const { client: moved } = await moveTo(b, client);
    expect(moved.resumed.received).toBe(0);
    moved.say({ type: 'r', n: 1, ack: 0, data: 'once', binary: false });
    expect(await moved.texts(1)).toEqual(['done once']);
    const closed = once(socket, 'close');
    release();
    expect((await closed)[0]).toBe(4501);
    expect(await texts(memory, 'counted')).toEqual(['once']);
  });

  test('tells the application that what it sent did not go out', async () => {
    const { stores, b, client, socket } = await twoPods();
    stores[0].deaf = true;
    await moveTo(b, client);
    const error = await new Promise((resolve) => socket.send('too late', resolve));
    expect(error).toMatchObject({ code: 'HF_ENDED' });
  });

  test('does not write for it when it gets it back what it had left undone', async () => {
    const { memory, stores, a, b, client, socket } = await twoPods();
    const onA = count(a);
    const onB = count(b);
    socket.on('message', (data) => a.wss.publish('counted', (data as Buffer).toString()));
    stores[0].deaf = true;
    const release = stores[0].hold('commit');
    // A batch of others is under way, so that what the message does waits for the next.
    a.wss.publish('other', 'under way');
    await nextTurn();
    await nextTurn();
    client.send(1, 'once');
    await once(socket, 'message');
    const onTheWay = await RawClient.resume(b.url, client.ticket);
    onTheWay.say({ type: 'r', n: 1, ack: 0, data: 'once', binary: false });
    expect(await onTheWay.texts(1)).toEqual(['done once']);
    const closed = once(socket, 'close');
    const back = RawClient.resume(a.url, onTheWay.ticket, { received: 1 });
    await until(() => a.wss.health.handshakes === 1);
    await nextTurn();
    release();
    expect((await back).resumed.received).toBe(1);
    expect((await closed)[0]).toBe(4501);
    (await back).send(2, 'twice');
    expect(await (await back).texts(1)).toEqual(['done twice']);
    expect(await texts(memory, 'counted')).toEqual(['once', 'twice']);
    expect([onA.length, onB.length]).toEqual([1, 1]);
  });
});

test('an asynchronous handler that is overtaken by a takeover leaves no effects, and runs again on the other pod', async () => {
  const { memory, b, client, socket } = await twoPods();
  let finish: () => void = () => undefined;
  const seen: [string, boolean][] = [];
  socket.handle(async ({ id, redelivered }, tx) => {
    seen.push([id, redelivered]);
    tx.publish('counted', 'a');
    await new Promise<void>((resolve) => (finish = resolve));
  });
  client.send(1, 'work');
  await until(() => seen.length === 1);
  const opened = b.nextSocket();
  const moved = await RawClient.resume(b.url, client.ticket);
  const other = await opened;
  other.handle(({ id, redelivered }, tx) => {
    seen.push([id, redelivered]);
    tx.publish('counted', 'b');
    tx.send('done');
  });
  finish();
  moved.say({ type: 'r', n: 1, ack: 0, data: 'work', binary: false });
  expect(await moved.texts(1)).toEqual(['done']);
  expect(seen).toEqual([
    [`${client.ticket.session}:1`, false],
    [`${client.ticket.session}:1`, true],
  ]);
  expect(await texts(memory, 'counted')).toEqual(['b']);
});

test('many takeovers back and forth lose and repeat nothing', async () => {
  const { memory, a, b, client, socket } = await twoPods();
  count(a);
  count(b);
  socket.on('message', (data) => {
    a.wss.publish('counted', (data as Buffer).toString());
    socket.send(`done ${(data as Buffer).toString()}`);
  });
  let current: Attached = client;
  let received = 0;
  for (let n = 1; n <= 40; n++) {
    current.send(n, `${n}`);
    if (n % 3 !== 0) await current.texts(1).then(() => received++);
    const { url } = n % 2 === 0 ? a : b;
    const next = await RawClient.resume(url, current.ticket, { received });
    if (next.resumed.received < n) next.say({ type: 'r', n, ack: received, data: `${n}`, binary: false });
    received += (await next.texts(n - received)).length;
    current = next;
    if (n % 5 !== 0) continue;
    next.drop();
    current = await RawClient.resume(url, next.ticket, { received });
  }
  const numbers = Array.from({ length: 40 }, (_, i) => `${i + 1}`);
  expect(await texts(memory, 'counted')).toEqual(numbers);
});

describe('a pod that dies', () => {
  const leaseMs = 9_000;

  async function withClock(options: Partial<ServerOptions> = {}) {
    const clock = new VirtualClock({ startMs: 1_750_000_000_000 });
    const memory = new MemoryStore();
    const store = new FaultyStore(memory);
    const a = await serve({ ...options, store, pod: 'a', leaseMs, clock: serverClock(clock) });
    const opened = a.nextSocket();
    const client = await RawClient.begin(a.url);
    const socket = await opened;
    /** What a process does that is gone: nothing. */
    const die = (): void => {
      for (const operation of ['lease', 'commit', 'adopt', 'expire'] as const) onTestFinished(store.hold(operation));
      store.deaf = true;
      client.drop();
    };
    const b = await serve({ ...options, store: memory, pod: 'b', leaseMs, clock: serverClock(clock) });
    return { clock, memory, store, a, b, client, socket, die };
  }

  test('leaves its sessions to a living one when its lease has lapsed', async () => {
    const { clock, b, client, socket, die } = await withClock();
    socket.session.data['name'] = 'Ada';
    await nextTurn();
    await nextTurn();
    die();
    await clock.advanceAsync(leaseMs / 3);
    expect(b.wss.clients.size).toBe(0);
    await clock.advanceAsync(leaseMs + leaseMs / 3);
    const [adopted] = b.wss.clients;
    expect(adopted?.session).toMatchObject({
      id: client.ticket.session,
      recovered: true,
      attached: false,
      data: { name: 'Ada' },
    });
    expect(adopted?.readyState).toBe(adopted?.OPEN);
    adopted?.send('while you were away');
    const moved = await RawClient.resume(b.url, client.ticket);
    expect(await moved.texts(1)).toEqual(['while you were away']);
    expect([...b.wss.clients]).toEqual([adopted]);
  });

  test('loses them also to a client that comes before the lease has lapsed', async () => {
    const { clock, b, client, die } = await withClock();
    die();
    const opened = b.nextSocket();
    await RawClient.resume(b.url, client.ticket);
    const socket = await opened;
    await clock.advanceAsync(3 * leaseMs);
    expect([...b.wss.clients]).toEqual([socket]);
    expect(socket.session.attachments).toBe(2);
  });

  test('is not dead while it renews its lease', async () => {
    const { clock, a, b, socket } = await withClock({ policy: { deadMs: 2_000_000, pingMs: 1_000_000 } });
    await clock.advanceAsync(20 * leaseMs);
    expect([...a.wss.clients]).toEqual([socket]);
    expect(b.wss.clients.size).toBe(0);
  });

  test('and was only asleep loses its sessions, and their clients come back to the other', async () => {
    const { clock, store, b, client, socket } = await withClock({ policy: { deadMs: 2_000_000, pingMs: 1_000_000 } });
    const release = (['lease', 'adopt', 'expire'] as const).map((operation) => store.hold(operation));
    await clock.advanceAsync(2 * leaseMs);
    await until(() => b.wss.clients.size === 1);
    for (const go of release) go();
    expect(await client.closed).toMatchObject({ code: 4501 });
    expect(socket.readyState).toBe(socket.CLOSED);
    const moved = await RawClient.resume(b.url, client.ticket);
    expect(moved.resumed.received).toBe(0);
  });
});

describe('a session whose life is over', () => {
  async function away(store = new MemoryStore()) {
    const clock = new VirtualClock({ startMs: 1_750_000_000_000 });
    const served = await serve({ store, clock: serverClock(clock), policy: { sessionMs: 60_000 } });
    const opened = served.nextSocket();
    const client = await RawClient.begin(served.url);
    const socket = await opened;
    client.drop();
    await once(socket, 'detached');
    return { ...served, store, clock, client, socket };
  }

  test('closes its socket with 4502 and is forgotten, and its client is told', async () => {
    const { wss, url, store, clock, client, socket } = await away();
    const closed = once(socket, 'close');
    await clock.advanceAsync(70_000);
    expect((await closed)[0]).toBe(4502);
    expect(wss.clients.size).toBe(0);
    expect((await store.stats()).sessions).toBe(0);
    const late = await RawClient.ask(url, client.ticket);
    expect(await late.closed).toEqual({ code: 4502, reason: 'HF_EXPIRED' });
  });

  test('does not end before', async () => {
    const { url, clock, client } = await away();
    await clock.advanceAsync(59_000);
    expect((await RawClient.resume(url, client.ticket)).resumed.received).toBe(0);
  });
});
