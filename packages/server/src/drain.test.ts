import { once } from 'node:events';
import { backoffMs, DEFAULT_POLICY, hintedMs, retryHint } from '@holdfast/protocol';
import { MemoryStore } from '@holdfast/store';
import { announceSeed, randomSeed, seededRandom, until, VirtualClock } from '@holdfast/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { FaultyStore } from './faulty-store.fixture.js';
import type { ServerOptions } from './options.js';
import { hintStepMs, Mover } from './mover.js';
import { RawClient, type Attached } from './raw-client.fixture.js';
import { serve, serverClock } from './server.fixture.js';

const seed = randomSeed();
announceSeed('drain', seed);

const policy = { pingMs: 1_000_000, deadMs: 2_000_000 };

async function twoPods(options: Partial<ServerOptions> = {}) {
  const clock = new VirtualClock({ startMs: 1_750_000_000_000 });
  const memory = new MemoryStore();
  const store = new FaultyStore(memory);
  const a = await serve({ store, pod: 'a', clock: serverClock(clock), policy, ...options });
  const b = await serve({ store: memory, pod: 'b', clock: serverClock(clock), policy, ...options });
  return { clock, memory, store, a, b };
}

/** What a client of ours does when it is asked to move. */
async function move(client: Attached, url: string): Promise<Attached> {
  await client.hear('drain');
  return RawClient.resume(url, client.ticket);
}

test('every session attaches elsewhere before it is let go', async () => {
  const { clock, a, b } = await twoPods();
  const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.begin(a.url)));
  const draining = a.wss.drain();
  expect(a.wss.health).toMatchObject({ ready: false, draining: true });
  await clock.advanceAsync(0);
  for (const client of clients) {
    const moved = await move(client, b.url);
    expect((await client.closed).code).toBe(4501);
    moved.say({ type: 'ping', stamp: 1, ack: 0 });
    await moved.hear('pong');
  }
  await clock.advanceAsync(100);
  expect(await draining).toMatchObject({ asked: 5, moved: 5, cut: 0, tookMs: 50 });
  expect(a.wss.health).toMatchObject({ sessions: 0, attached: 0 });
  expect(b.wss.health).toMatchObject({ attached: 5 });
});

test('sessions are asked at a capped rate, each at a moment of its own', async () => {
  const { clock, a, b } = await twoPods();
  const clients = await Promise.all(Array.from({ length: 10 }, () => RawClient.begin(a.url)));
  const warned = once(process, 'warning');
  const draining = a.wss.drain({ movesPerSecond: 5, deadlineMs: 1_000 });
  await clock.advanceAsync(0);
  expect(String(await warned)).toMatch(/HF_DRAIN.*10 at 5 a second/);
  const asked = await Promise.all(clients.map((client) => client.hear('drain')));
  expect(asked.map(({ afterMs }) => afterMs)).toEqual([0, 278, 556, 833, 1_111, 1_389, 1_667, 1_944, 2_222, 2_500]);
  expect(new Set(asked.map(({ withinMs }) => withinMs))).toEqual(new Set([139]));
  expect(b.wss.clients.size).toBe(0);
  await clock.advanceAsync(1_100);
  expect(await draining).toMatchObject({ asked: 10, moved: 0, cut: 10 });
  const hints = await Promise.all(clients.map(async (client) => retryHint((await client.closed).reason)));
  expect(hints).toEqual(clients.map((_, i) => Math.ceil(i * hintStepMs(5))));
});

test.each([10, 50, 500])('those who are cut come back at no more than the rate of %i a second', (rate) => {
  const random = seededRandom(seed);
  const waits = Array.from({ length: rate * 5 }, (_, i) =>
    Math.max(hintedMs(i * hintStepMs(rate), random), backoffMs(0, DEFAULT_POLICY, random)),
  ).sort((one, other) => one - other);
  const most = Math.max(...waits.map((ms) => waits.filter((other) => other > ms - 1_000 && other <= ms).length));
  expect(most).toBeLessThanOrEqual(rate);
});

test('within no second more are asked than the rate allows, wherever it begins and whatever moments they choose', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 90, maxLength: 90 }),
      (rate, chosen) => {
        const closed: number[] = [];
        const clock = {
          ...serverClock(),
          monotonicMs: () => 0,
          setTimeout: (_: unknown, delayMs: number) => closed.push(delayMs),
        };
        const mover = new Mover(clock, rate);
        for (const _ of chosen) mover.ask({ close: () => undefined } as unknown as WebSocket);
        const stepMs = closed[1] ?? 0;
        const moments = closed.map((afterMs, i) => afterMs + (chosen[i] ?? 0) * (stepMs / 2));
        const most = Math.max(...moments.map((from) => moments.filter((ms) => ms >= from && ms < from + 1_000).length));
        expect(most).toBeLessThanOrEqual(rate);
      },
    ),
    { seed, numRuns: 100 },
  );
});

test('who has not moved at the deadline is cut with 1012 and comes back elsewhere to all that was sent', async () => {
  const { clock, a, b } = await twoPods();
  const opened = a.nextSocket();
  const client = await RawClient.begin(a.url);
  const socket = await opened;
  const draining = a.wss.drain({ deadlineMs: 2_000 });
  await clock.advanceAsync(1_900);
  socket.send('until the end');
  await client.texts(1);
  await clock.advanceAsync(200);
  expect(await client.closed).toMatchObject({ code: 1012 });
  expect(await draining).toMatchObject({ asked: 1, moved: 0, cut: 1 });
  const back = await RawClient.resume(b.url, client.ticket);
  expect(await back.texts(1)).toEqual(['until the end']);
});

test('only those who have attached elsewhere have moved, and of those who are away the application is told that they are others’ now', async () => {
  const { clock, a, b } = await twoPods();
  const told: string[] = [];
  a.wss.on('connection', (socket) => {
    for (const event of ['moved', 'close'] as const) socket.on(event, () => told.push(`${event} ${socket.session.id}`));
  });
  const [moves, leaves, away] = [
    await RawClient.begin(a.url),
    await RawClient.begin(a.url),
    await RawClient.begin(a.url),
  ];
  away.drop();
  await until(() => a.wss.health.attached === 2);
  const draining = a.wss.drain();
  await clock.advanceAsync(0);
  await move(moves, b.url);
  leaves.drop();
  await until(() => a.wss.health.attached === 0);
  await clock.advanceAsync(100);
  expect(await draining).toMatchObject({ asked: 2, moved: 1, cut: 0 });
  const ids = [moves, leaves, away].map(({ ticket }) => ticket.session);
  expect(told).toEqual(ids.flatMap((id) => [`moved ${id}`, `close ${id}`]));
  expect(a.wss.clients.size).toBe(0);
});

test('nobody new is taken once clients are sent elsewhere, and until then everybody is', async () => {
  const { clock, a } = await twoPods();
  const draining = a.wss.drain({ propagationMs: 5_000, deadlineMs: 10_000 });
  expect(a.wss.health.ready).toBe(false);
  await clock.advanceAsync(4_900);
  const client = await RawClient.begin(a.url);
  await clock.advanceAsync(200);
  await client.hear('drain');
  const late = await RawClient.connect(a.url);
  expect(await late.closed).toEqual({ code: 1013, reason: 'HF_BUSY retry=100' });
  client.drop();
  await until(() => a.wss.health.attached === 0);
  await clock.advanceAsync(100);
  expect(await draining).toMatchObject({ asked: 1, cut: 0 });
});

test('a plain client is told with 1012 when its step comes', async () => {
  const { clock, a } = await twoPods();
  a.wss.on('connection', () => undefined);
  const plain = [new WebSocket(a.url), new WebSocket(a.url)];
  const codes: number[] = [];
  for (const client of plain) {
    await once(client, 'open');
    client.on('close', (code) => codes.push(code));
  }
  const draining = a.wss.drain({ movesPerSecond: 1 });
  await clock.advanceAsync(100);
  await until(() => codes.length === 1);
  await clock.advanceAsync(1_500);
  expect(codes).toEqual([1012]);
  await clock.advanceAsync(1_000);
  await until(() => codes.length === 2);
  await clock.advanceAsync(100);
  expect(await draining).toMatchObject({ asked: 2, moved: 0, cut: 0 });
  expect(codes).toEqual([1012, 1012]);
});

test('a client whose handshake was under way is not forgotten', async () => {
  const { clock, store, a, b } = await twoPods();
  const release = store.hold('create');
  const client = await RawClient.connect(a.url);
  client.say({ type: 'hello', body: { window: { messages: 10, bytes: 1_000 } } });
  const silent = await RawClient.connect(a.url);
  await until(() => a.wss.health.handshakes === 2);
  const draining = a.wss.drain({ deadlineMs: 5_000 });
  await clock.advanceAsync(1_000);
  release();
  const { session, token, epoch } = (await client.hear('welcome')).body;
  silent.say({ type: 'hello', body: { window: { messages: 10, bytes: 1_000 } } });
  expect(await silent.closed).toMatchObject({ code: 1013 });
  await clock.advanceAsync(100);
  await move(Object.assign(client, { ticket: { session, token, epoch } }), b.url);
  await until(() => a.wss.health.attached === 0);
  await clock.advanceAsync(100);
  expect(await draining).toMatchObject({ asked: 1, moved: 1, cut: 0 });
});

test('a pod that drains adopts nobody, and leaves its own to be adopted at once', async () => {
  const clock = new VirtualClock({ startMs: 1_750_000_000_000 });
  const memory = new MemoryStore();
  const c = await serve({ store: memory, pod: 'c', clock: serverClock(clock), policy, leaseMs: 9_000 });
  const opened = c.nextSocket();
  const client = await RawClient.begin(c.url);
  const socket = await opened;
  client.drop();
  await once(socket, 'detached');
  await RawClient.begin(c.url);
  const draining = c.wss.drain({ deadlineMs: 8_000 });
  await clock.advanceAsync(0);
  await memory.lease('dead', 1);
  await memory.create({ id: 'orphan', pod: 'dead', token: 't', nowMs: clock.now(), lifeMs: 60_000, request: '{}' });
  await clock.advanceAsync(7_000);
  expect(Array.from(c.wss.clients, ({ session }) => session.id)).not.toContain('orphan');
  await clock.advanceAsync(1_100);
  await draining;
  const d = await serve({ store: memory, pod: 'd', clock: serverClock(clock), policy });
  await clock.advanceAsync(0);
  const adopted = Array.from(d.wss.clients, ({ session }) => session.id);
  expect(adopted).toEqual(expect.arrayContaining([client.ticket.session, 'orphan']));
  expect(adopted).toHaveLength(3);
});

test('a store that fails holds the drain up no longer than the deadline', async () => {
  const { clock, store, a } = await twoPods();
  const client = await RawClient.begin(a.url);
  a.wss.on('storeError', () => undefined);
  store.failing.add('commit');
  client.send(1, 'stuck');
  const draining = a.wss.drain({ deadlineMs: 3_000 });
  await clock.advanceAsync(4_200);
  expect(await draining).toMatchObject({ cut: 1 });
  store.failing.clear();
  await clock.advanceAsync(5_000);
});

test('what the publisher was given is written before the drain is over, and nothing is taken after it', async () => {
  const { clock, memory, store, a } = await twoPods();
  const release = store.hold('commit');
  const sent = a.wss.publisher.publish('news', 'x');
  let over = false;
  const draining = a.wss.drain().finally(() => (over = true));
  await clock.advanceAsync(200);
  expect(over).toBe(false);
  release();
  await sent;
  await draining;
  expect((await memory.read('t:news', 0, { entries: 9, bytes: 99 })).end).toBe(1);
  await expect(a.wss.publisher.publish('news', 'y')).rejects.toMatchObject({ code: 'HF_PUBLISHER_CLOSED' });
});

test('a second drain is the first', async () => {
  const { clock, a } = await twoPods();
  const first = a.wss.drain();
  expect(a.wss.drain({ deadlineMs: 1 })).toBe(first);
  await clock.advanceAsync(100);
  await first;
  await new Promise<void>((resolve) => a.wss.close(() => resolve()));
});
