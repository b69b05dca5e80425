import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MemoryStore } from '@holdfast/store';
import { deferred, until, VirtualClock } from '@holdfast/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FaultyStore } from './faulty-store.fixture.js';
import type { ServerOptions } from './options.js';
import { RawClient } from './raw-client.fixture.js';
import { serve, serverClock } from './server.fixture.js';
import type { Socket } from './socket.js';

/** Enough for what was sent to be read, and for what it asks for to wait in line. */
async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await nextTurn();
}

async function begun(options: Partial<ServerOptions> = {}) {
  const memory = new MemoryStore();
  const store = new FaultyStore(memory);
  const served = await serve({ store, ...options });
  const sockets: Socket[] = [];
  served.wss.on('connection', (socket) => sockets.push(socket));
  const opened = served.nextSocket();
  const client = await RawClient.begin(served.url);
  return { ...served, memory, store, client, socket: await opened, sockets };
}

test('a transport that is lost while the store is asked leaves the session to the next one, with the same token', async () => {
  const { wss, url, store, client, socket, connections } = await begun();
  const release = store.hold('attach');
  const gone = await RawClient.ask(url, client.ticket);
  await until(() => wss.health.handshakes === 1);
  gone.drop();
  await until(() => connections[1]?.destroyed);
  release();
  await until(() => wss.health.handshakes === 0);
  expect(socket.session).toMatchObject({ attached: false, attachments: 2 });
  socket.send('for the next');
  const back = await RawClient.resume(url, client.ticket);
  expect(await back.texts(1)).toEqual(['for the next']);
});

test('a client that comes back before its going was written down is there for the store', async () => {
  const clock = new VirtualClock({ startMs: 1_750_000_000_000 });
  const policy = { sessionMs: 60_000, pingMs: 1_000_000, deadMs: 2_000_000 };
  const { wss, url, store, client, socket } = await begun({ clock: serverClock(clock), policy, leaseMs: 9_000 });
  const release = store.hold('commit');
  wss.publish('news', 'a batch that is under way');
  await nextTurn();
  await nextTurn();
  client.drop();
  await once(socket, 'detached');
  const back = await RawClient.ask(url, client.ticket);
  await until(() => wss.health.handshakes === 1);
  await turns();
  release();
  await back.hear('resumed');
  await clock.advanceAsync(120_000);
  socket.send('alive');
  expect(await back.texts(1)).toEqual(['alive']);
});

describe('two attaches of one session at once', () => {
  test('on the pod that has it: the later one wins, in whatever order they are answered', async () => {
    const { wss, url, store, client, socket, sockets } = await begun();
    const late = deferred();
    const release = store.hold('commit');
    wss.publish('news', 'makes the attaches wait for each other');
    await nextTurn();
    await nextTurn();
    store.lateAttaches.push(late.promise);
    const first = await RawClient.ask(url, client.ticket);
    await until(() => wss.health.handshakes === 1);
    const second = await RawClient.ask(url, client.ticket);
    await until(() => wss.health.handshakes === 2);
    await turns();
    release();
    await turns();
    expect(store.lateAttaches).toEqual([]);
    late.resolve();
    await second.hear('resumed');
    expect((await first.closed).code).toBe(4501);
    const here = wss.clients.values().next().value as Socket;
    here.send('to the winner');
    expect(await second.texts(1)).toEqual(['to the winner']);
    expect(wss.clients.size).toBe(1);
    expect(sockets.length).toBeLessThanOrEqual(2);
    expect(socket.session.id).toBe(here.session.id);
  });

  test('on a pod that does not: the session is there once', async () => {
    const { memory, client } = await begun();
    const store = new FaultyStore(memory);
    const other = await serve({ store, pod: 'other' });
    let opened = 0;
    other.wss.on('connection', () => opened++);
    const release = store.hold('attach');
    const asked = [];
    for (let i = 1; i <= 3; i++) {
      asked.push(await RawClient.ask(other.url, client.ticket));
      await until(() => other.wss.health.handshakes === i);
    }
    release();
    const [first, second, last] = asked;
    await last?.hear('resumed');
    expect((await first?.closed)?.code).toBe(4501);
    expect((await second?.closed)?.code).toBe(4501);
    expect(opened).toBe(1);
    const [socket] = other.wss.clients;
    // Written under the epoch of the last attach, or it would be refused.
    const error = await new Promise((resolve) => socket?.send('to the last', resolve));
    expect(error).toBeUndefined();
    expect(await last?.texts(1)).toEqual(['to the last']);
    expect(socket?.session.attachments).toBe(4);
  });
});

describe('an adoption', () => {
  const leaseMs = 9_000;

  test('that is answered late does not take the session from a client that has come here since', async () => {
    const clock = new VirtualClock({ startMs: 1_750_000_000_000 });
    const options = { clock: serverClock(clock), leaseMs, policy: { pingMs: 1_000_000, deadMs: 2_000_000 } };
    const { memory, store, client } = await begun({ ...options, pod: 'dying' });
    const living = new FaultyStore(memory);
    const { wss, url } = await serve({ ...options, store: living, pod: 'living' });
    const sockets: Socket[] = [];
    wss.on('connection', (socket) => sockets.push(socket));
    for (const operation of ['lease', 'adopt', 'expire'] as const) onTestFinished(store.hold(operation));
    store.deaf = true;
    await clock.advanceAsync(leaseMs);
    const late = deferred();
    living.lateAdopts.push(late.promise);
    await clock.advanceAsync(leaseMs / 3);
    expect(living.lateAdopts).toEqual([]);
    const back = await RawClient.resume(url, client.ticket);
    expect(sockets).toHaveLength(1);
    late.resolve();
    await nextTurn();
    expect(sockets).toHaveLength(1);
    expect(sockets[0]?.session).toMatchObject({ attachments: 3, attached: true });
    sockets[0]?.send('still yours');
    expect(await back.texts(1)).toEqual(['still yours']);
  });

  test('of more than one sweep goes on at once', async () => {
    const clock = new VirtualClock({ startMs: 1_750_000_000_000 });
    const memory = new MemoryStore();
    for (let i = 0; i < 450; i++) {
      const session = { id: `s${i}`, pod: 'dead', token: 't', nowMs: clock.now(), lifeMs: 600_000, request: '{}' };
      await memory.create(session);
    }
    await memory.lease('dead', clock.now() - 1);
    const { wss } = await serve({ store: memory, clock: serverClock(clock), leaseMs });
    wss.on('connection', () => undefined);
    await clock.advanceAsync(0);
    expect(wss.clients.size).toBe(200);
    await clock.advanceAsync(200);
    expect(wss.clients.size).toBe(450);
  });
});

describe('a session that is ending', () => {
  test('hands out nothing that comes after terminate()', async () => {
    const { store, client, socket } = await begun();
    const heard: unknown[] = [];
    socket.on('message', (data) => heard.push(data));
    const release = store.hold('commit');
    socket.terminate();
    client.send(1, 'too late');
    client.say({ type: 'ping', stamp: 1, ack: 0 });
    await client.hear('pong');
    expect(heard).toEqual([]);
    release();
    await once(socket, 'close');
  });

  test('hands out nothing that has waited while it was paused', async () => {
    const { store, client, socket } = await begun();
    const heard: unknown[] = [];
    socket.on('message', (data) => heard.push(data));
    socket.pause();
    client.send(1, 'waits');
    client.say({ type: 'ping', stamp: 1, ack: 0 });
    await client.hear('pong');
    const release = store.hold('commit');
    socket.terminate();
    socket.resume();
    release();
    await once(socket, 'close');
    expect(heard).toEqual([]);
  });

  test('is ended also for a client that comes back just then', async () => {
    const { url, store, client, socket } = await begun();
    const release = store.hold('commit');
    client.drop();
    await once(socket, 'detached');
    socket.terminate();
    const back = await RawClient.ask(url, client.ticket);
    await nextTurn();
    release();
    expect([1000, 4502]).toContain((await back.closed).code);
    expect(socket.readyState).toBe(socket.CLOSED);
  });

  test('by a bye whose transport is lost while a handler runs ends on the next one', async () => {
    const { wss, url, memory, client, socket } = await begun();
    const gate = deferred();
    let handled = 0;
    socket.handle(async (_message, tx) => {
      handled++;
      await gate.promise;
      tx.publish('news', 'done');
    });
    client.send(1, 'work');
    client.say({ type: 'bye', code: 1000, reason: 'bye' });
    await until(() => handled === 1);
    client.drop();
    await once(socket, 'detached');
    const back = await RawClient.resume(url, client.ticket);
    expect(back.resumed.received).toBe(0);
    gate.resolve();
    expect((await back.closed).code).toBe(1000);
    expect(handled).toBe(1);
    expect((await memory.read('t:news', 0, { entries: 9, bytes: 999 })).end).toBe(1);
    expect(wss.clients.size).toBe(0);
  });
});

test('a listener of storeError that throws stops neither commits nor the lease', async () => {
  const clock = new VirtualClock({ startMs: 1_750_000_000_000 });
  const { wss, store, client, socket } = await begun({
    clock: serverClock(clock),
    policy: { pingMs: 1_000_000, deadMs: 2_000_000 },
    leaseMs: 9_000,
  });
  const failures: string[] = [];
  wss.on('handlerError', ({ message }) => failures.push(message));
  wss.on('storeError', () => {
    throw new Error('mine');
  });
  store.failing.add('commit').add('lease');
  socket.send('x');
  await clock.advanceAsync(10_000);
  store.failing.clear();
  await clock.advanceAsync(10_000);
  expect(await client.texts(1)).toEqual(['x']);
  expect(wss.health.ready).toBe(true);
  expect(failures).toEqual(['mine']);
});

test('nothing is left of a session that came and went: neither timers nor listeners', async () => {
  const clock = new VirtualClock({ startMs: 1_750_000_000_000 });
  const { wss, url, http, client, socket, connections } = await begun({ clock: serverClock(clock) });
  socket.subscribe('news');
  await client.hear('sub');
  const timers = clock.pending;
  for (let i = 0; i < 20; i++) {
    const other = await RawClient.begin(url);
    other.say({ type: 'bye', code: 1000, reason: '' });
    await other.closed;
  }
  await until(() => wss.health.sessions === 1);
  expect(clock.pending).toBe(timers);
  expect(http.listenerCount('upgrade')).toBe(1);
  const [connection] = connections;
  for (const event of ['close', 'error', 'data', 'drain'])
    expect(connection?.listenerCount(event)).toBeLessThanOrEqual(2);
});
