import { once } from 'node:events';
import { MemoryStore } from '@holdfast/store';
import { until, VirtualClock } from '@holdfast/testing';
import { describe, expect, test } from 'vitest';
import { FaultyStore } from './faulty-store.fixture.js';
import type { ServerOptions } from './options.js';
import { RawClient, type Closed } from './raw-client.fixture.js';
import { serve, serverClock } from './server.fixture.js';

async function begun(options: Partial<ServerOptions> = {}) {
  const memory = new MemoryStore();
  const store = new FaultyStore(memory);
  const served = await serve({ store, ...options });
  const opened = served.nextSocket();
  const client = await RawClient.begin(served.url);
  const socket = await opened;
  const closed = new Promise<Closed>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  const sessions = async (): Promise<number> => (await memory.stats()).sessions;
  return { ...served, memory, store, client, socket, closed, sessions };
}

describe('close() of the application', () => {
  test('reaches the client behind all that was sent, and ends the session when that has answered', async () => {
    const { wss, client, socket, closed, sessions } = await begun();
    socket.send('last words');
    socket.close(4000, 'enough');
    expect(socket.readyState).toBe(socket.CLOSING);
    expect(await client.texts(1)).toEqual(['last words']);
    expect(await client.hear('bye')).toMatchObject({ code: 4000, reason: 'enough' });
    expect(await sessions()).toBe(1);
    client.say({ type: 'bye', code: 4000, reason: 'enough' });
    expect(await closed).toEqual({ code: 4000, reason: 'enough' });
    expect(socket.readyState).toBe(socket.CLOSED);
    expect((await client.closed).code).toBe(1000);
    expect(await sessions()).toBe(0);
    expect(wss.clients.size).toBe(0);
  });

  test('takes half of an emoji for a sign that cannot be shown, as all that goes out as UTF-8', async () => {
    const { store, client, socket } = await begun();
    socket.close(4000, 'cut \ud83d');
    expect(await client.hear('bye')).toMatchObject({ code: 4000, reason: 'cut \ufffd' });
    const reasons = store.batches.flatMap(({ parts }) => parts.flatMap(({ effects }) => effects));
    expect(reasons).toMatchObject([{ type: 'close', reason: 'cut \ufffd' }]);
    expect(() => socket.close(4000, Buffer.alloc(100, 0xff))).not.toThrow(TypeError);
  });

  test('reaches a client that is away when it comes back', async () => {
    const { url, client, socket, closed, sessions } = await begun();
    client.drop();
    await once(socket, 'detached');
    socket.send('last words');
    socket.close(4000);
    const back = await RawClient.resume(url, client.ticket);
    expect(await back.texts(1)).toEqual(['last words']);
    expect(await back.hear('bye')).toMatchObject({ code: 4000 });
    back.say({ type: 'bye', code: 4000, reason: '' });
    expect((await closed).code).toBe(4000);
    await until(async () => (await sessions()) === 0);
  });

  test('reaches a client that comes back to another pod', async () => {
    const { memory, client, socket } = await begun();
    const other = await serve({ store: memory, pod: 'other' });
    client.drop();
    await once(socket, 'detached');
    socket.close(4000, 'enough');
    await until(() => socket.bufferedAmount === 0);
    const opened = other.nextSocket();
    const moved = await RawClient.resume(other.url, client.ticket);
    const there = await opened;
    expect(there.readyState).toBe(there.CLOSING);
    const closedThere = once(there, 'close');
    expect(await moved.hear('bye')).toMatchObject({ code: 4000, reason: 'enough' });
    moved.say({ type: 'bye', code: 4000, reason: '' });
    expect((await closedThere)[0]).toBe(4000);
  });

  test('lets nothing follow it', async () => {
    const { client, socket } = await begun();
    socket.close();
    const error = await new Promise((resolve) => socket.send('after', resolve));
    expect(error).toMatchObject({ code: 'HF_ENDED' });
    socket.send('silently dropped, as with ws');
    socket.close(4001);
    expect(await client.hear('bye')).toMatchObject({ code: 1005 });
  });

  test('is over for the application after 30 s, and waits on for the client', async () => {
    const clock = new VirtualClock();
    const { wss, url, client, socket, closed, sessions } = await begun({ clock: serverClock(clock) });
    client.drop();
    await once(socket, 'detached');
    socket.close(4000);
    await clock.advanceAsync(30_000);
    expect((await closed).code).toBe(1006);
    expect(wss.clients.size).toBe(0);
    expect(await sessions()).toBe(1);
    const back = await RawClient.resume(url, client.ticket);
    expect(await back.hear('bye')).toMatchObject({ code: 4000 });
  });

  test('of a client that does not answer hangs up after closeMs', async () => {
    const clock = new VirtualClock();
    const { client, socket } = await begun({ clock: serverClock(clock), closeMs: 1_000 });
    socket.close(4000);
    await client.hear('bye');
    await clock.advanceAsync(1_100);
    expect((await client.closed).code).toBe(4505);
  });

  test.each([999, 1004, 1005, 1006, 1015, 2999, 5000])('refuses the code %i, as ws does', async (code) => {
    const { socket } = await begun();
    expect(() => socket.close(code)).toThrow(TypeError);
    expect(() => socket.close(1000, 'x'.repeat(124))).toThrow(RangeError);
    expect(socket.readyState).toBe(socket.OPEN);
  });
});

describe('terminate()', () => {
  test('ends the session at once, and a client that comes back learns it', async () => {
    const { wss, url, client, socket, closed, sessions } = await begun();
    const heard: unknown[] = [];
    socket.on('message', (data) => heard.push(data));
    socket.terminate();
    client.send(1, 'too late');
    expect((await closed).code).toBe(1006);
    expect(await sessions()).toBe(0);
    expect(wss.clients.size).toBe(0);
    expect(await client.closed).toMatchObject({ code: 4502, reason: 'HF_EXPIRED' });
    expect(heard).toEqual([]);
    const late = await RawClient.ask(url, client.ticket);
    expect((await late.closed).code).toBe(4502);
    socket.terminate();
  });

  test('by a handler commits what it did before', async () => {
    const { memory, client, socket, wss, closed } = await begun();
    socket.on('message', () => {
      wss.publish('news', 'last act');
      socket.terminate();
    });
    client.send(1, 'go');
    await closed;
    expect((await memory.read('t:news', 0, { entries: 10, bytes: 1_000 })).end).toBe(1);
  });

  test('while the session moves away ends whatever is left here', async () => {
    const { memory, store, client, socket, closed } = await begun();
    const other = await serve({ store: memory, pod: 'other' });
    store.deaf = true;
    const opened = other.nextSocket();
    await RawClient.resume(other.url, client.ticket);
    socket.terminate();
    expect((await closed).code).toBe(4501);
    expect((await opened).readyState).toBe(socket.OPEN);
  });
});

describe('a bye of the client', () => {
  test('ends the session with its code when all that it said before is handled', async () => {
    const { client, socket, closed, sessions } = await begun();
    const heard: string[] = [];
    socket.on('message', (data) => heard.push((data as Buffer).toString()));
    client.send(1, 'last words');
    client.say({ type: 'bye', code: 4321, reason: 'done' });
    expect(await client.hear('bye')).toBeDefined();
    expect((await client.closed).code).toBe(1000);
    expect(await closed).toEqual({ code: 4321, reason: 'done' });
    expect(heard).toEqual(['last words']);
    expect(await sessions()).toBe(0);
  });

  test('waits for an asynchronous handler', async () => {
    const { client, socket, closed } = await begun();
    let finish: () => void = () => undefined;
    socket.handle(() => new Promise<void>((resolve) => (finish = resolve)));
    client.send(1, 'work');
    client.say({ type: 'bye', code: 1000, reason: '' });
    await until(() => finish.length === 0 && socket.session.attached);
    client.drop();
    await once(socket, 'detached');
    expect(socket.readyState).toBe(socket.OPEN);
    finish();
    expect((await closed).code).toBe(1000);
  });

  test('that meets the close of the application is its answer', async () => {
    const { client, socket, closed } = await begun();
    client.say({ type: 'bye', code: 4001, reason: 'mine' });
    socket.close(4000, 'yours');
    expect([4000, 4001]).toContain((await closed).code);
    expect((await client.closed).code).toBe(1000);
  });
});

test('a session that is fenced while it ends closes its socket once', async () => {
  const { memory, store, client, socket } = await begun();
  const codes: unknown[] = [];
  socket.on('close', (code) => codes.push(code));
  const release = store.hold('commit');
  socket.terminate();
  await until(() => socket.readyState === socket.CLOSING);
  const other = await serve({ store: memory, pod: 'other' });
  await RawClient.resume(other.url, client.ticket);
  await until(() => codes.length === 1);
  release();
  await until(() => store.batches.length > 0);
  expect(codes).toEqual([4501]);
});

describe('close() of the server', () => {
  test('takes nobody new, and is over when all have gone', async () => {
    const { wss, http, client } = await begun();
    const ended: string[] = [];
    wss.on('close', () => ended.push('close'));
    wss.close(() => ended.push('first'));
    wss.close(() => ended.push('second'));
    expect(http.listenerCount('upgrade')).toBe(0);
    client.say({ type: 'ping', stamp: 1, ack: 0 });
    await client.hear('pong');
    expect(ended).toEqual([]);
    client.drop();
    await until(() => ended.length === 3);
    const error = await new Promise((resolve) => wss.close(resolve));
    expect(error).toMatchObject({ message: 'The server is not running' });
  });

  test('takes over nobody while it waits', async () => {
    const clock = new VirtualClock({ startMs: 1_750_000_000_000 });
    const policy = { pingMs: 1_000_000, deadMs: 2_000_000 };
    const { wss, memory } = await begun({ clock: serverClock(clock), policy, leaseMs: 9_000 });
    wss.close();
    await memory.lease('dead', 1);
    await memory.create({ id: 'orphan', pod: 'dead', token: 't', nowMs: clock.now(), lifeMs: 60_000, request: '{}' });
    await clock.advanceAsync(20_000);
    expect(wss.clients.size).toBe(1);
  });

  test('leaves sessions whose client is away in the store, for other pods to adopt', async () => {
    const { wss, memory, client, socket } = await begun({ pod: 'leaving' });
    client.drop();
    await once(socket, 'detached');
    socket.send('kept');
    await new Promise<void>((resolve) => wss.close(() => resolve()));
    const other = await serve({ store: memory, pod: 'other' });
    const [adopted] = await until(() => other.wss.clients.size > 0 && [...other.wss.clients]);
    expect(adopted?.session.id).toBe(client.ticket.session);
    const back = await RawClient.resume(other.url, client.ticket);
    expect(await back.texts(1)).toEqual(['kept']);
  });
});

describe('ping() of the application', () => {
  test('is answered by the client', async () => {
    const { client, socket } = await begun();
    let pongs = 0;
    socket.on('pong', () => pongs++);
    let called = 0;
    socket.ping('data', false, () => called++);
    const { stamp } = await client.hear('ping');
    expect(pongs).toBe(0);
    client.say({ type: 'pong', stamp, ack: 0 });
    await until(() => pongs === 1);
    expect(called).toBe(1);
  });

  test('is answered for a client that is away, and for one that goes away before it has', async () => {
    const { url, client, socket } = await begun();
    let pongs = 0;
    socket.on('pong', () => pongs++);
    socket.ping();
    client.drop();
    await once(socket, 'detached');
    expect(pongs).toBe(1);
    socket.ping();
    await until(() => pongs === 2);
    const back = await RawClient.resume(url, client.ticket);
    socket.ping();
    await back.hear('ping');
    await RawClient.resume(url, back.ticket);
    await until(() => pongs === 3);
  });
});
