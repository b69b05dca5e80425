import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket } from '@holdfast/client';
import { WebSocketServer } from '@holdfast/server';
import { RedisStore } from '@holdfast/store-redis';
import { freePort, until } from '@holdfast/testing';
import { expect, it, onTestFinished } from 'vitest';
import { RawClient } from '../packages/server/src/raw-client.fixture.js';
import { RedisServer } from './redis.fixture.js';

type Trouble = readonly [
  what: string,
  begin: (server: RedisServer) => Promise<unknown>,
  end: (server: RedisServer) => Promise<unknown>,
];

const troubles: readonly Trouble[] = [
  ['paused', async (server) => server.pause(), async (server) => server.resume()],
  ['gone', (server) => server.stop(), (server) => server.restart()],
  [
    'full',
    (server) => server.command('CONFIG', 'SET', 'maxmemory', '1'),
    (server) => server.command('CONFIG', 'SET', 'maxmemory', '0'),
  ],
  [
    'read-only',
    async (server) => server.command('REPLICAOF', '127.0.0.1', `${await freePort()}`),
    (server) => server.command('REPLICAOF', 'NO', 'ONE'),
  ],
];

/** A pod of its own name, with a store of its own. */
async function startPod(server: RedisServer): Promise<{ readonly wss: WebSocketServer; readonly url: string }> {
  const store = await RedisStore.open({ url: server.url, commandMs: 500, checkMs: 100 });
  const wss = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    store,
    leaseMs: 1_500,
    maxPendingBytes: 10_000,
    policy: { retryMinMs: 20, retryMaxMs: 200 },
    admission: { breaker: { failures: 2, openMs: 500 } },
  });
  wss.on('storeError', () => undefined);
  wss.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.subscribe('news');
    socket.on('message', (data: Buffer) => {
      socket.send(`echo ${data.toString()}`);
      wss.publish('news', `news ${data.toString()}`);
    });
  });
  await once(wss, 'listening');
  onTestFinished(async () => {
    await new Promise<void>((resolve) => {
      wss.close(() => resolve());
    });
    await store.close();
  });
  return { wss, url: `ws://127.0.0.1:${(wss.address() as AddressInfo).port}` };
}

async function openClient(url: string) {
  const socket = new WebSocket(url, []);
  const heard: string[] = [];
  const told: string[] = [];
  socket.addEventListener('message', ({ data }) => heard.push(String(data)));
  for (const type of ['close', 'gap', 'detach'] as const) {
    socket.addEventListener(type as 'close', () => told.push(type));
  }
  await once(socket, 'open');
  onTestFinished(() => socket.close());
  return { socket, heard, told };
}

it.each(troubles)(
  'keeps sessions attached while the server is %s, refuses new ones with a hint, and goes on by itself',
  async (what, begin, end) => {
    const server = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'no']);
    onTestFinished(() => server[Symbol.asyncDispose]());
    const { wss, url } = await startPod(server);
    const readiness = async (): Promise<number> => (await fetch(`${url.replace('ws', 'http')}/readyz`)).status;
    const client = await openClient(url);
    client.socket.send('before');
    await until(() => client.heard.length === 2, { what: 'the first message and its echo' });
    expect(await readiness()).toBe(200);

    await begin(server);
    client.socket.send('1');
    client.socket.send('2');
    await until(async () => (await readiness()) === 503, { timeoutMs: 10_000, what: 'not to be ready' });
    expect(wss.health.storeTroubled).toBe(true);
    // A send of the application waits, and when too much waits, it is told.
    const [socket] = wss.clients;
    const refused: unknown[] = [];
    for (let n = 0; n < 20; n++) {
      try {
        socket?.send('x'.repeat(1_000));
      } catch (error) {
        refused.push(error);
      }
    }
    expect(refused.length).toBeGreaterThan(0);
    expect(String(refused[0])).toContain('HF_BACKLOG');
    const asking = await RawClient.connect(url);
    asking.say({ type: 'hello', body: { window: { messages: 1, bytes: 1 } } });
    const { code, reason } = await asking.closed;
    expect([1011, 1013]).toContain(code);
    expect(reason).toMatch(/retry=\d+/);
    expect([...client.heard].sort()).toEqual(['echo before', 'news before']);
    expect(wss.health.attached).toBe(1);

    await end(server);
    await until(() => client.heard.includes('news 2'), { timeoutMs: 20_000, what: 'what waited' });
    const texts = client.heard.filter((text) => !text.startsWith('x'));
    expect(texts.filter((text) => text.startsWith('echo'))).toEqual(['echo before', 'echo 1', 'echo 2']);
    expect(texts.filter((text) => text.startsWith('news'))).toEqual(['news before', 'news 1', 'news 2']);
    await until(async () => (await readiness()) === 200, { timeoutMs: 10_000, what: 'to be ready' });
    await openClient(url);
    expect(client.told, what).toEqual([]);
  },
  60_000,
);

it('tells every client of several pods that its session is over when the server is flushed, once and by the right word', async () => {
  const server = await RedisServer.start();
  onTestFinished(() => server[Symbol.asyncDispose]());
  const pods = await Promise.all([startPod(server), startPod(server), startPod(server)]);
  const clients = await Promise.all(
    Array.from({ length: 45 }, async (_, number) => {
      const { url } = pods[number % pods.length] ?? { url: '' };
      const client = await openClient(url);
      const closed: number[] = [];
      client.socket.addEventListener('close', ({ code }) => closed.push(code));
      // Some say nothing, some have said something, some go on all the time.
      if (number % 3 > 0) client.socket.send(`${number} before`);
      return { ...client, closed, number };
    }),
  );
  await until(() => clients.every(({ socket }) => socket.bufferedAmount === 0), { what: 'the first messages' });
  await server.command('FLUSHALL');
  for (const { socket, number } of clients) if (number % 3 === 2) socket.send(`${number} after`);
  await until(() => clients.every(({ closed }) => closed.length > 0), {
    timeoutMs: 20_000,
    what: () => `a word to ${clients.filter(({ closed }) => closed.length === 0).length} clients`,
  });
  expect(clients.map(({ closed }) => closed)).toEqual(clients.map(() => [4502]));
  const said = new Set(clients.flatMap(({ heard }) => heard));
  for (const text of said) expect(text).toMatch(/^(?:echo|news) \d+ (?:before|after)$/);

  // A client that opens anew has no past.
  const { url } = pods[0] ?? { url: '' };
  const anew = await openClient(url);
  anew.socket.send('0 anew');
  await until(() => anew.heard.includes('news 0 anew'), { timeoutMs: 10_000, what: 'the new message' });
  expect(anew.heard).toContain('news 0 anew');
  expect(anew.heard.every((text) => text.endsWith(' 0 anew'))).toBe(true);
}, 60_000);
