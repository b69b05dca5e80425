import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { HoldfastError } from '@holdfast/protocol';
import { MemoryStore, topicStream } from '@holdfast/store';
import { deferred, until, VirtualClock } from '@holdfast/testing';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { FaultyStore } from './faulty-store.fixture.js';
import type { ServerOptions } from './options.js';
import { RawClient } from './raw-client.fixture.js';
import { serve, serverClock } from './server.fixture.js';
import type { HandledMessage } from './transaction.js';

async function begun(options: Partial<ServerOptions> = {}) {
  const memory = new MemoryStore();
  const store = new FaultyStore(memory);
  const served = await serve({ store, ...options });
  const opened = served.nextSocket();
  const client = await RawClient.begin(served.url);
  const socket = await opened;
  const failures: Error[] = [];
  served.wss.on('handlerError', (error) => failures.push(error));
  const published = async (): Promise<string[]> =>
    (await memory.read(topicStream('news'), 0, { entries: 1_000, bytes: 1e6 })).entries.map(({ data }) =>
      Buffer.from(data).toString(),
    );
  return { ...served, memory, store, client, socket, failures, published };
}

const textOf = (data: unknown): string => (data as Buffer).toString();

describe('a message listener that throws', () => {
  test('leaves no effects; its error goes to handlerError with the socket, and the next message is handled', async () => {
    const { wss, client, socket, failures, published } = await begun();
    const sockets: unknown[] = [];
    wss.on('handlerError', (_error, which) => sockets.push(which));
    socket.on('message', (data) => {
      wss.publish('news', textOf(data));
      socket.send(textOf(data));
      if (textOf(data) === 'bad') throw new Error('oops');
    });
    for (const [i, text] of ['good', 'bad', 'fine'].entries()) client.send(i + 1, text);
    expect(await client.texts(2)).toEqual(['good', 'fine']);
    expect(await published()).toEqual(['good', 'fine']);
    expect(failures).toMatchObject([{ code: 'HF_HANDLER', cause: { message: 'oops' } }]);
    expect(sockets).toEqual([socket]);
  });

  test('tells its socket, where that listens for errors', async () => {
    const { client, socket, failures } = await begun();
    const errors: unknown[] = [];
    socket.on('error', (error) => errors.push(error));
    socket.on('message', () => {
      throw new Error('oops');
    });
    client.send(1, 'x');
    await until(() => errors.length === 1);
    expect(failures).toEqual([]);
  });

  test('counts its message as handled: a client that comes back does not hand it out again', async () => {
    const { url, client, socket } = await begun();
    socket.on('message', () => {
      throw new Error('oops');
    });
    client.send(1, 'x');
    await client.hear('ack');
    const back = await RawClient.resume(url, client.ticket);
    expect(back.resumed.received).toBe(1);
  });
});

test.each(['connection', 'attached', 'detached', 'close', 'pong', 'error'])(
  'a listener of %s that throws stops nobody else',
  async (event) => {
    const served = await serve();
    const failures: Error[] = [];
    served.wss.on('handlerError', (error) => failures.push(error));
    const opened = served.nextSocket();
    if (event === 'connection') {
      served.wss.on('connection', () => {
        throw new Error('oops');
      });
    }
    const client = await RawClient.begin(served.url);
    const socket = await opened;
    if (event !== 'connection') {
      socket.on(event, () => {
        throw new Error('oops');
      });
    }
    if (event === 'error') {
      socket.on('message', () => {
        throw new Error('first');
      });
      client.send(1, 'x');
    }
    if (event === 'pong') {
      socket.ping();
      client.say({ type: 'pong', stamp: (await client.hear('ping')).stamp, ack: 0 });
    }
    const back = await RawClient.resume(served.url, client.ticket);
    back.drop();
    await until(() => !socket.session.attached);
    if (event === 'close') socket.terminate();
    await until(() => failures.length >= 1);
    const other = await RawClient.begin(served.url);
    other.say({ type: 'ping', stamp: 3, ack: 0 });
    await other.hear('pong');
    if (event === 'close') return;
    socket.send('still writes');
    const again = await RawClient.resume(served.url, client.ticket);
    expect(await again.texts(1)).toEqual(['still writes']);
  },
);

test('a callback that throws stops nobody else', async () => {
  const { wss, client, socket, failures } = await begun();
  socket.send('one', () => {
    throw new Error('mine');
  });
  wss.publish('news', 'x', () => {
    throw new Error('mine too');
  });
  socket.send('two');
  expect(await client.texts(2)).toEqual(['one', 'two']);
  expect(failures.map(({ message }) => message)).toEqual(['mine', 'mine too']);
});

describe('an asynchronous handler', () => {
  test('gets one message at a time, and commits what it does with each', async () => {
    const { client, socket, published } = await begun();
    const gates = [deferred(), deferred()];
    const running: string[] = [];
    socket.handle(async ({ data, isBinary, id, redelivered }, tx) => {
      running.push(
        `${textOf(data)} ${isBinary} ${id === `${client.ticket.session}:${running.length + 1}`} ${redelivered}`,
      );
      tx.publish('news', textOf(data));
      await gates[running.length - 1]?.promise;
      tx.send(`done ${textOf(data)}`);
    });
    client.send(1, 'a');
    client.send(2, 'b');
    await until(() => running.length === 1);
    await nextTurn();
    expect(await published()).toEqual([]);
    expect(running).toEqual(['a false true false']);
    gates[0]?.resolve();
    expect(await client.texts(1)).toEqual(['done a']);
    await until(() => running.length === 2);
    expect(await published()).toEqual(['a']);
    gates[1]?.resolve();
    expect(await client.texts(1)).toEqual(['done b']);
  });

  test('that fails leaves none of its effects, and the next message is handled', async () => {
    const { client, socket, failures, published } = await begun();
    socket.handle(async ({ data }, tx) => {
      tx.publish('news', textOf(data));
      tx.subscribe('topic');
      await nextTurn();
      if (textOf(data) === 'bad') throw new Error('oops');
      tx.send('done');
    });
    client.send(1, 'bad');
    client.send(2, 'good');
    await client.texts(1);
    expect(await published()).toEqual(['good']);
    expect(failures).toMatchObject([{ code: 'HF_HANDLER' }]);
  });

  test('that runs too long is told, leaves no effects, and can make none later', async () => {
    const clock = new VirtualClock();
    const { client, socket, failures, published } = await begun({
      clock: serverClock(clock),
      executionMs: 1_000,
      policy: { pingMs: 100_000, deadMs: 200_000 },
    });
    const over = deferred();
    let late: unknown;
    let first: HandledMessage | undefined;
    socket.handle(async (message, tx) => {
      if (first) return tx.send('next');
      first = message;
      tx.publish('news', 'slow');
      await over.promise;
      try {
        tx.publish('news', 'late');
      } catch (error) {
        late = error;
      }
    });
    client.send(1, 'slow');
    client.send(2, 'next');
    await until(() => first !== undefined);
    await clock.advanceAsync(1_000);
    expect(await client.texts(1)).toEqual(['next']);
    expect(first?.signal.aborted).toBe(true);
    expect(first?.signal.reason).toBeInstanceOf(HoldfastError);
    over.resolve();
    await until(() => late !== undefined);
    expect(late).toMatchObject({ code: 'HF_HANDLER' });
    expect(failures).toMatchObject([{ code: 'HF_EXECUTION' }]);
    expect(await published()).toEqual([]);
  });

  test('goes on while its client changes transports, and the message is not handed out again', async () => {
    const { url, client, socket } = await begun();
    const gate = deferred();
    const seen: string[] = [];
    socket.handle(async ({ data }, tx) => {
      seen.push(textOf(data));
      await gate.promise;
      tx.send(`done ${textOf(data)}`);
    });
    client.send(1, 'a');
    await until(() => seen.length === 1);
    const back = await RawClient.resume(url, client.ticket);
    expect(back.resumed.received).toBe(0);
    back.say({ type: 'r', n: 1, ack: 0, data: 'a', binary: false });
    back.send(2, 'b');
    gate.resolve();
    expect(await back.texts(2)).toEqual(['done a', 'done b']);
    expect(seen).toEqual(['a', 'b']);
  });

  test('whose effects find no room fails, and the next message is handled', async () => {
    const { client, socket, failures } = await begun({ maxPendingBytes: 100 });
    socket.handle(({ data }, tx) => tx.send(textOf(data) === 'big' ? 'x'.repeat(200) : 'small'));
    client.send(1, 'big');
    client.send(2, 'small');
    expect(await client.texts(1)).toEqual(['small']);
    expect(failures).toMatchObject([{ code: 'HF_BACKLOG' }]);
  });

  test('follows and leaves topics with its message', async () => {
    const { wss, client, socket } = await begun();
    socket.handle(({ data }, tx) => (textOf(data) === 'join' ? tx.subscribe('news') : tx.unsubscribe('news')));
    client.send(1, 'join');
    await client.hear('sub');
    wss.publish('news', 'heard');
    expect(await client.texts(1, 't')).toEqual(['heard']);
    client.send(2, 'leave');
    await client.hear('unsub');
  });
});

test('a paused socket takes nothing, and its client stops at its window', async () => {
  const { client, socket } = await begun({ policy: { window: { messages: 4, bytes: 1_000 } } });
  const heard: string[] = [];
  socket.on('message', (data) => heard.push(textOf(data)));
  socket.pause();
  expect(socket.isPaused).toBe(true);
  for (let n = 1; n <= 4; n++) client.send(n, `${n}`);
  client.say({ type: 'ping', stamp: 1, ack: 0 });
  expect(await client.hear('pong')).toMatchObject({ ack: 0 });
  expect(heard).toEqual([]);
  socket.resume();
  expect(heard).toEqual(['1', '2', '3', '4']);
  expect(await client.hear('ack')).toMatchObject({ ack: 4 });
  client.send(5, '5');
  await until(() => heard.length === 5);
});

test('a client that sends beyond its window is told so', async () => {
  const { client, socket } = await begun({ policy: { window: { messages: 4, bytes: 1_000 } } });
  socket.pause();
  for (let n = 1; n <= 5; n++) client.send(n, `${n}`);
  expect(await client.closed).toEqual({ code: 4500, reason: 'HF_WINDOW' });
  expect(socket.readyState).toBe(socket.OPEN);
});

test('send and publish throw when more waits for the store than it may', async () => {
  const { wss, store, socket, client } = await begun({ maxPendingBytes: 100 });
  const release = store.hold('commit');
  socket.send('x'.repeat(60));
  expect(socket.bufferedAmount).toBe(60);
  expect(() => socket.send('x'.repeat(60))).toThrow('HF_BACKLOG');
  expect(() => wss.publish('news', 'x'.repeat(60))).toThrow('HF_BACKLOG');
  expect(socket.bufferedAmount).toBe(60);
  release();
  await client.texts(1);
  socket.send('x'.repeat(60));
  await client.texts(1);
});

describe('while the store fails', () => {
  test('nothing is acknowledged, and everything goes on when it works again', async () => {
    const { wss, store, client, socket } = await begun();
    const news: string[] = [];
    wss.on('storeError', () => news.push('storeError'));
    wss.on('storeRecovered', () => news.push('storeRecovered'));
    socket.on('message', (data) => socket.send(`echo ${textOf(data)}`));
    store.failing.add('commit');
    client.send(1, 'patience');
    await until(() => news.length === 1);
    expect(wss.health).toMatchObject({ ready: false, storeTroubled: true });
    client.say({ type: 'ping', stamp: 1, ack: 0 });
    expect(await client.hear('pong')).toMatchObject({ ack: 0 });
    store.failing.clear();
    expect(await client.texts(1)).toEqual(['echo patience']);
    expect(news).toEqual(['storeError', 'storeRecovered']);
    expect(wss.health).toMatchObject({ ready: true, storeTroubled: false });
  });

  test('a lease that cannot be renewed is trouble, until it is', async () => {
    const clock = new VirtualClock();
    const store = new FaultyStore();
    const { wss } = await serve({ store, clock: serverClock(clock), leaseMs: 9_000 });
    const news: string[] = [];
    wss.on('storeError', () => news.push('storeError'));
    wss.on('storeRecovered', () => news.push('storeRecovered'));
    store.failing.add('lease');
    await clock.advanceAsync(6_000);
    expect(news).toEqual(['storeError']);
    expect(wss.health.ready).toBe(false);
    store.failing.clear();
    await clock.advanceAsync(3_000);
    expect(news).toEqual(['storeError', 'storeRecovered']);
    expect(wss.health.ready).toBe(true);
  });

  test('a read that fails is tried again', async () => {
    const { url, store, client, socket } = await begun();
    client.drop();
    await once(socket, 'detached');
    socket.send('kept');
    store.failing.add('read');
    const back = await RawClient.resume(url, client.ticket);
    await until(() => store.reads > 0);
    store.failing.clear();
    expect(await back.texts(1)).toEqual(['kept']);
  });
});

describe('a plain client', () => {
  async function plainBegun(options: Partial<ServerOptions> = {}) {
    const served = await serve(options);
    const opened = served.nextSocket();
    const client = new WebSocket(served.url);
    await once(client, 'open');
    const failures: Error[] = [];
    served.wss.on('handlerError', (error) => failures.push(error));
    return { ...served, client, socket: await opened, failures };
  }

  test('has a session that ends with its connection', async () => {
    const { client, socket } = await plainBegun();
    expect(socket.session).toMatchObject({
      recovered: false,
      attached: true,
      resumable: false,
      attachments: 1,
      data: {},
    });
    client.close();
    await once(socket, 'close');
    expect(socket.session.attached).toBe(false);
  });

  test('is handled one message at a time, and one that fails does not stop the next', async () => {
    const { client, socket, failures } = await plainBegun();
    let running = 0;
    socket.handle(async ({ data }, tx) => {
      running++;
      expect(running).toBe(1);
      await nextTurn();
      running--;
      if (textOf(data) === '2') throw new Error('oops');
      tx.send(textOf(data));
    });
    const heard: string[] = [];
    client.on('message', (data) => heard.push(textOf(data)));
    for (let i = 1; i <= 5; i++) client.send(`${i}`);
    await until(() => heard.length === 4);
    expect(heard).toEqual(['1', '3', '4', '5']);
    expect(failures).toMatchObject([{ message: 'oops' }]);
    expect(socket.isPaused).toBe(false);
  });

  test('is not read on while its handler runs', async () => {
    const { client, socket } = await plainBegun();
    const gate = deferred();
    let handled = 0;
    socket.handle(async () => {
      handled++;
      await gate.promise;
    });
    for (let i = 0; i < 100; i++) client.send('x'.repeat(100_000));
    await until(() => socket.isPaused && handled === 1);
    for (let i = 0; i < 20; i++) await nextTurn();
    expect(client.bufferedAmount).toBeGreaterThan(1_000_000);
    gate.resolve();
    await until(() => handled === 100);
  });

  test('whose handler runs too long is given up on', async () => {
    const clock = new VirtualClock();
    const { client, socket, failures } = await plainBegun({ clock: serverClock(clock), executionMs: 1_000 });
    let runs = 0;
    socket.handle(() => (runs++ === 0 ? new Promise(() => undefined) : undefined));
    client.send('stuck');
    client.send('next');
    await until(() => runs === 1);
    await clock.advanceAsync(1_000);
    await until(() => runs === 2);
    expect(failures).toMatchObject([{ code: 'HF_EXECUTION' }]);
  });

  test('follows topics, and leaves them with its connection', async () => {
    const { wss, client, socket } = await plainBegun();
    const heard: string[] = [];
    client.on('message', (data) => heard.push(textOf(data)));
    await new Promise<void>((resolve) => socket.subscribe('news', () => resolve()));
    wss.publish('news', 'one');
    await until(() => heard.length === 1);
    socket.unsubscribe('news');
    wss.publish('news', 'two');
    socket.subscribe('other');
    client.terminate();
    await once(socket, 'close');
    wss.publish('other', 'three');
    await nextTurn();
    expect(heard).toEqual(['one']);
  });

  test('that follows a topic and does not read is gone, with a code that says so', async () => {
    const { wss, client, socket } = await plainBegun();
    socket.subscribe('news');
    client.pause();
    const payload = Buffer.alloc(100_000);
    while (socket.readyState === WebSocket.OPEN) {
      await new Promise<void>((resolve) => wss.publish('news', payload, () => resolve()));
      expect(socket.bufferedAmount).toBeLessThan(1_300_000);
    }
    client.resume();
    expect((await once(client, 'close'))[0]).toBe(1013);
  });
});
