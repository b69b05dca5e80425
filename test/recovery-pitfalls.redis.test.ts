import { once } from 'node:events';
import { createServer } from 'node:http';
import {
  connect as connectTcp,
  createServer as createTcpServer,
  type AddressInfo,
  type Socket as NetSocket,
} from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket, type WebSocketOptions } from '@holdfast/client';
import { type ServerOptions, type Socket, WebSocketServer } from '@holdfast/server';
import { MemoryStore, type ReadLimit, type Store, type StreamKey } from '@holdfast/store';
import { LmdbStore } from '@holdfast/store-lmdb';
import { RedisStore } from '@holdfast/store-redis';
import { announceSeed, ChaosProxy, DeliveryLedger, deferred, randomSeed, seededRandom, until } from '@holdfast/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { RedisServer } from './redis.fixture.js';
import { ECHO, serveModule, workerPids } from './serve.fixture.js';

/**
 * The thirteen ways, a to m, in which recovery of connections by replay is known to fail elsewhere, and what happens here.
 */

const seed = randomSeed();
announceSeed('recovery-pitfalls', seed, { command: 'npx vitest run test/recovery-pitfalls.redis.test.ts' });

interface Stage {
  readonly wss: WebSocketServer;
  readonly store: Store;
  readonly proxy: ChaosProxy;
  /** Connects, and resolves when both ends have it. */
  readonly connect: (options?: WebSocketOptions, port?: number) => Promise<Ends>;
}

interface Ends {
  readonly client: WebSocket;
  readonly socket: Socket;
  readonly heard: string[];
  /** Whatever else the client was told, with what it says. */
  readonly told: string[];
}

/** A server, and a network before it that a test can cut. */
async function stage(options: Partial<ServerOptions> = {}): Promise<Stage> {
  const store = options.store ?? new MemoryStore();
  const http = createServer();
  const wss = new WebSocketServer({ server: http, store, ...options });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const proxy = await ChaosProxy.listen({ target: { port: (http.address() as AddressInfo).port }, seed });
  const clients: WebSocket[] = [];
  onTestFinished(async () => {
    await proxy.close();
    for (const client of clients) client.close();
    http.closeAllConnections();
    http.close();
    await new Promise<void>((resolve) => wss.close(() => resolve()));
  });
  const connect = async (clientOptions: WebSocketOptions = {}, port = proxy.port): Promise<Ends> => {
    const opened = once(wss, 'connection') as Promise<[Socket]>;
    const client = new WebSocket(`ws://127.0.0.1:${port}/`, [], {
      random: seededRandom(seed),
      breaker: { failures: 1_000, openMs: 50 },
      ...clientOptions,
    });
    clients.push(client);
    const heard: string[] = [];
    const told: string[] = [];
    client.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') heard.push(data);
      else void (data as Blob).text().then((text) => heard.push(`binary ${text}`));
    });
    client.addEventListener('recovered', () => told.push('recovered'));
    client.addEventListener('gap', () => told.push('gap'));
    client.addEventListener('close', ({ code }) => told.push(`close ${code}`));
    await once(client, 'open');
    const [socket] = await opened;
    return { client, socket, heard, told };
  };
  return { wss, store, proxy, connect };
}

const subscribed = (socket: Socket, topic: string): Promise<unknown> =>
  new Promise((resolve) => socket.subscribe(topic, resolve));

/** The network is lost, and both ends know. */
async function cut({ proxy }: Stage, { socket }: Ends): Promise<void> {
  const detached = once(socket, 'detached');
  proxy.offline();
  await detached;
}

async function back({ proxy }: Stage, { told }: Ends): Promise<void> {
  const before = told.filter((each) => each === 'recovered').length;
  await proxy.online();
  await until(() => told.filter((each) => each === 'recovered').length > before, {
    timeoutMs: 15_000,
    what: 'recovery',
  });
}

describe('a session recovers', () => {
  it('a: to which the server has never sent anything', async () => {
    const at = await stage();
    const ends = await at.connect();
    await cut(at, ends);
    ends.socket.send('the first');
    await back(at, ends);
    await until(() => ends.heard.length === 1);
    expect([ends.heard, ends.told]).toEqual([['the first'], ['recovered']]);
  });

  it('b: however long ago its last message was, when nothing of it is kept any more', async () => {
    const store = new MemoryStore({ retention: { ageMs: 50 } });
    const at = await stage({ store, leaseMs: 150 });
    const ends = await at.connect();
    await subscribed(ends.socket, 'news');
    at.wss.publish('news', 'old');
    await until(() => ends.heard.length === 1);
    await until(async () => (await store.stats()).entries === 0, { what: 'the old message to be dropped' });
    await cut(at, ends);
    await delay(200);
    await back(at, ends);
    at.wss.publish('news', 'new');
    await until(() => ends.heard.length === 2);
    expect([ends.heard, ends.told]).toEqual([['old', 'new'], ['recovered']]);
  });

  it('c: whose process was killed, and one that is back before the server has noticed that it was gone', async () => {
    await using serving = await serveModule(ECHO, 1);
    const client = new WebSocket(serving.url.replace('http', 'ws'), [], { breaker: { failures: 1_000, openMs: 50 } });
    const heard: string[] = [];
    const closes: number[] = [];
    client.onmessage = ({ data }) => heard.push(String(data));
    client.onclose = ({ code }) => closes.push(code);
    await once(client, 'open');
    client.send('before');
    await until(() => heard.length === 1);
    const [pid = 0] = workerPids(serving);
    process.kill(pid, 'SIGKILL');
    client.send('after');
    await until(() => heard.length === 2, { timeoutMs: 20_000, what: 'the echo from another process' });
    expect(heard.map((text) => text.split(' ')[1])).toEqual(['before', 'after']);
    expect(new Set(heard.map((text) => text.split(' ')[0])).size).toBe(2);
    expect(closes).toEqual([]);
    client.close();
    await once(client, 'close');

    const at = await stage();
    // Carries connections, and forgets to tell the server when the client's end of one is lost.
    const clientEnds: NetSocket[] = [];
    const forgetful = createTcpServer((near) => {
      clientEnds.push(near);
      const far = connectTcp(at.proxy.port, '127.0.0.1');
      near.on('error', () => undefined).pipe(far, { end: false });
      far.on('error', () => undefined).pipe(near);
    });
    forgetful.listen(0, '127.0.0.1');
    await once(forgetful, 'listening');
    onTestFinished(() => void forgetful.close());
    const ends = await at.connect({}, (forgetful.address() as AddressInfo).port);
    const detached: unknown[] = [];
    ends.socket.on('detached', (code) => detached.push(code));
    const attached = once(ends.socket, 'attached');
    clientEnds[0]?.destroy();
    await attached;
    expect(detached).toEqual([]);
    ends.socket.send('still here');
    await until(() => ends.heard.length === 1);
    expect(ends.told).toEqual(['recovered']);
  });

  it('d: that is lost again, and again, in the middle of its recovery', async () => {
    const at = await stage();
    const ends = await at.connect();
    await cut(at, ends);
    const missed = Array.from({ length: 200 }, (_, i) => `${i} ${'x'.repeat(500)}`);
    for (const text of missed) ends.socket.send(text);
    let links = 0;
    at.proxy.plan = () =>
      ++links <= 3 ? { faults: [{ kind: 'cut', after: { direction: 'down', bytes: 20_000 + links } }] } : {};
    await back(at, ends);
    await until(() => ends.heard.length >= missed.length, { timeoutMs: 20_000 });
    expect(ends.heard).toEqual(missed);
    expect(links).toBeGreaterThanOrEqual(4);
    expect(ends.told).not.toContain('gap');
  });

  it('e: by reading no more of the log than its client takes, and only of what it follows', async () => {
    const reads: { stream: StreamKey; limit: ReadLimit }[] = [];
    const inner = new MemoryStore();
    const store: Store = Object.create(inner, {
      read: {
        value: (stream: StreamKey, after: number, limit: ReadLimit) => {
          reads.push({ stream, limit });
          return inner.read(stream, after, limit);
        },
      },
    }) as Store;
    for (const name of [
      'create',
      'attach',
      'commit',
      'tail',
      'lease',
      'adopt',
      'expire',
      'stats',
      'close',
      'followers',
    ]) {
      const method = inner[name as 'stats'].bind(inner);
      Object.defineProperty(store, name, { value: method });
    }
    const at = await stage({ store });
    const ends = await at.connect({ window: { messages: 20, bytes: 50_000 } });
    await subscribed(ends.socket, 'news');
    await cut(at, ends);
    const missed = Array.from({ length: 500 }, (_, i) => `${i}`);
    for (const text of missed) at.wss.publish('news', text);
    for (let i = 0; i < 500; i++) at.wss.publish('of no interest', 'x'.repeat(100));
    reads.length = 0;
    await back(at, ends);
    await until(() => ends.heard.length === missed.length, { timeoutMs: 15_000 });
    expect(ends.heard).toEqual(missed);
    expect(new Set(reads.map(({ stream }) => stream))).toEqual(new Set(['t:news']));
    expect(Math.max(...reads.map(({ limit }) => limit.entries))).toBeLessThanOrEqual(20);
    expect(Math.max(...reads.map(({ limit }) => limit.bytes))).toBeLessThanOrEqual(50_000);
  });

  it('f: however noisy a topic is that it does not follow', async () => {
    const at = await stage({ store: new MemoryStore({ retention: { entries: 10, bytes: 1_000, ageMs: 60_000 } }) });
    const ends = await at.connect();
    await subscribed(ends.socket, 'quiet');
    await cut(at, ends);
    at.wss.publish('quiet', 'missed');
    ends.socket.send('and this');
    for (let i = 0; i < 5_000; i++) at.wss.publish('noisy', `${i}`);
    await back(at, ends);
    await until(() => ends.heard.length === 2);
    expect([ends.heard.sort(), ends.told]).toEqual([['and this', 'missed'], ['recovered']]);
  });

  it('g: between what it missed and what is live without a hole or a seam', async () => {
    const at = await stage();
    const ends = await at.connect();
    const ledger = new DeliveryLedger();
    ends.client.addEventListener('message', ({ data, topic }) =>
      ledger.received(topic === 'news' ? 'news' : 'own', Number(data)),
    );
    await subscribed(ends.socket, 'news');
    let n = 0;
    const speaking = setInterval(() => {
      for (let i = 0; i < 5; i++) {
        ledger.sent('news', ++n);
        at.wss.publish('news', `${n}`);
        ledger.sent('own', n);
        ends.socket.send(`${n}`);
      }
    }, 1);
    for (let i = 0; i < 5; i++) {
      await cut(at, ends);
      await delay(30);
      await back(at, ends);
      await delay(50);
    }
    clearInterval(speaking);
    await until(() => ledger.report().received === 2 * n, {
      timeoutMs: 20_000,
      what: () => JSON.stringify(ledger.report()),
    });
    expect(ledger.check()).toMatchObject({ sent: 2 * n, lost: 0, duplicated: 0, outOfOrder: 0 });
    expect(n).toBeGreaterThan(500);
  });

  it('h: at its own place in the log, whatever its messages look like, and past those that are kept nowhere', async () => {
    const at = await stage();
    const ends = await at.connect();
    const tricky = ['0', '18446744073709551615', 'm 1 0', '{"offset":"1-0"}', ''];
    ends.socket.send('first');
    await until(() => ends.heard.length === 1);
    ends.socket.send('17', { volatile: true });
    await until(() => ends.heard.length === 2);
    await cut(at, ends);
    for (const text of tricky) ends.socket.send(text);
    ends.socket.send('nobody is there', { volatile: true });
    await back(at, ends);
    ends.socket.send('last');
    await until(() => ends.heard.includes('last'));
    expect(ends.heard).toEqual(['first', '17', ...tricky, 'last']);
  });

  it('i: with answers to its own messages, and with binary ones', async () => {
    const at = await stage();
    const ends = await at.connect();
    const asked = deferred<void>();
    const may = deferred<void>();
    ends.socket.handle(async ({ data }, tx) => {
      asked.resolve();
      await may.promise;
      tx.send(Buffer.from(`answer to ${data.toString()}`));
    });
    ends.client.send('question');
    await asked.promise;
    await cut(at, ends);
    may.resolve();
    await back(at, ends);
    await until(() => ends.heard.length === 1);
    expect(ends.heard).toEqual(['binary answer to question']);
  });

  it('j: a second time without being told again what the first recovery has told', async () => {
    const at = await stage();
    const ends = await at.connect();
    await subscribed(ends.socket, 'news');
    for (const text of ['one', 'two', 'three']) {
      await cut(at, ends);
      at.wss.publish('news', text);
      ends.socket.send(`own ${text}`);
      await back(at, ends);
    }
    await until(() => ends.heard.length === 6);
    await delay(100);
    expect(ends.heard.filter((text) => !text.startsWith('own'))).toEqual(['one', 'two', 'three']);
    expect(ends.heard.filter((text) => text.startsWith('own'))).toEqual(['own one', 'own two', 'own three']);
    expect(ends.client.getStatistics().duplicates).toBe(0);
  });

  it('k: only if it may still be here: who was banned meanwhile is not let in again', async () => {
    let banned = false;
    const at = await stage({ authenticate: (auth) => auth === 'ada' && !banned });
    const ends = await at.connect({ auth: 'ada' });
    await cut(at, ends);
    banned = true;
    ends.socket.send('not for the banned');
    const closed = once(ends.client, 'close');
    await at.proxy.online();
    await closed;
    expect([ends.heard, ends.told]).toEqual([[], ['close 4503']]);
  });

  it('l: in the same way on every store', async () => {
    await using redis = await RedisServer.start();
    const path = mkdtempSync(join(tmpdir(), 'holdfast-pitfalls-'));
    const open: Record<string, () => Promise<Store>> = {
      memory: async () => new MemoryStore(),
      lmdb: () => LmdbStore.open({ path }),
      redis: () => RedisStore.open({ url: redis.url }),
    };
    const outcomes: Record<string, unknown> = {};
    for (const [name, openStore] of Object.entries(open)) {
      const store = await openStore();
      const at = await stage({ store });
      const ends = await at.connect();
      await subscribed(ends.socket, 'news');
      ends.socket.on('message', (data) => ends.socket.send(`echo ${(data as Buffer).toString()}`));
      await cut(at, ends);
      at.wss.publish('news', 'missed');
      ends.client.send('said meanwhile');
      await back(at, ends);
      await until(() => ends.heard.length === 2, { what: `both messages on ${name}` });
      outcomes[name] = [ends.heard.sort(), [...ends.told]];
      ends.client.close();
      await once(ends.client, 'close');
      await new Promise<void>((resolve) => at.wss.close(() => resolve()));
      await store.close();
    }
    rmSync(path, { recursive: true, force: true });
    const same = [['echo said meanwhile', 'missed'], ['recovered']];
    expect(outcomes).toEqual({ memory: same, lmdb: same, redis: same });
  });

  it('m: with many messages of its client under way at once, each of which is numbered and handled once', async () => {
    const at = await stage();
    const ends = await at.connect();
    const handled: string[] = [];
    ends.socket.pause();
    ends.socket.on('message', (data) => handled.push((data as Buffer).toString()));
    const link = at.proxy.links[0];
    for (let n = 1; n <= 300; n++) ends.client.send(`${n}`);
    // All of them are on their way before the first is acknowledged.
    await until(() => (link?.bytesUp ?? 0) > 300 * 12);
    expect(handled).toEqual([]);
    ends.socket.resume();
    await until(() => handled.length > 0);
    at.proxy.inject('reset');
    for (let n = 301; n <= 600; n++) ends.client.send(`${n}`);
    at.proxy.inject('reset');
    await until(() => handled.length >= 600, { timeoutMs: 15_000 });
    await delay(100);
    expect(ends.client.getStatistics().resent).toBeGreaterThan(0);
    expect(handled).toEqual(Array.from({ length: 600 }, (_, i) => `${i + 1}`));
  });
});
