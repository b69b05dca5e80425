import { once } from 'node:events';
import { MemoryStore } from '@holdfast/store';
import { until, VirtualClock } from '@holdfast/testing';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { RawClient } from './raw-client.fixture.js';
import type { RotationOptions } from './rotation.js';
import { serve, serverClock } from './server.fixture.js';

const policy = { pingMs: 1_000_000, deadMs: 2_000_000 };

async function rotating(rotation: Partial<RotationOptions> = {}) {
  const clock = new VirtualClock({ startMs: 1_750_000_000_000 });
  const served = await serve({
    store: new MemoryStore(),
    clock: serverClock(clock),
    policy,
    keepalive: { pingMs: 1_000_000, pongMs: 2_000_000 },
    rotation: { maxAgeMs: 60_000, ...rotation },
  });
  return { clock, ...served };
}

test('a session is asked to attach anew before its connection is too old, and not again until that one is', async () => {
  const { clock, url, wss } = await rotating();
  const told: string[] = [];
  wss.on('attached', () => told.push('attached')).on('detached', () => told.push('detached'));
  const client = await RawClient.begin(url);
  await clock.advanceAsync(51_000);
  expect(client.takeAll().filter(({ type }) => type === 'drain')).toEqual([]);
  await clock.advanceAsync(9_000);
  await client.hear('drain');
  const moved = await RawClient.resume(url, client.ticket);
  expect((await client.closed).code).toBe(4501);
  expect(told).toEqual(['attached']);
  await clock.advanceAsync(51_000);
  expect(moved.takeAll().filter(({ type }) => type === 'drain')).toEqual([]);
  await clock.advanceAsync(9_000);
  await moved.hear('drain');
});

test('those that came together are asked at different times, and never more of them in a second than the rate', async () => {
  const { clock, url } = await rotating({ ageJitter: 0, movesPerSecond: 2 });
  const clients = await Promise.all(Array.from({ length: 6 }, () => RawClient.begin(url)));
  await clock.advanceAsync(60_000);
  const asked = await Promise.all(clients.map((client) => client.hear('drain')));
  expect(asked.map(({ afterMs }) => afterMs)).toEqual([0, 833, 1_667, 2_500, 3_333, 4_167]);
  expect(asked.every(({ withinMs }) => withinMs === 417)).toBe(true);
});

test('a client that does not go when it is asked is cut with 1012 half a minute later, and may come back', async () => {
  const { clock, url } = await rotating();
  const client = await RawClient.begin(url);
  await clock.advanceAsync(60_000);
  await client.hear('drain');
  await clock.advanceAsync(32_000);
  expect(await client.closed).toMatchObject({ code: 1012 });
  await RawClient.resume(url, client.ticket);
});

test('a plain client is closed with 1012', async () => {
  const { clock, url, wss } = await rotating();
  wss.on('connection', () => undefined);
  const plain = new WebSocket(url);
  await once(plain, 'open');
  const closed = once(plain, 'close');
  await until(() => wss.health.plain === 1);
  await clock.advanceAsync(61_000);
  expect((await closed)[0]).toBe(1012);
});

test('a server that drains or closes rotates no more', async () => {
  const { clock, url, wss } = await rotating();
  const client = await RawClient.begin(url);
  const draining = wss.drain({ deadlineMs: 200_000 });
  await clock.advanceAsync(1_000);
  await client.hear('drain');
  await clock.advanceAsync(120_000);
  expect(client.takeAll().filter(({ type }) => type === 'drain')).toEqual([]);
  client.drop();
  await until(() => wss.health.attached === 0);
  await clock.advanceAsync(100);
  await draining;
});

test.each([
  { maxAgeMs: 4_999 },
  { maxAgeMs: 60_000.5 },
  { ageJitter: 1.1 },
  { ageJitter: -0.1 },
  { movesPerSecond: 0 },
])('impossible options are refused: %j', async (rotation) => {
  await expect(rotating(rotation)).rejects.toMatchObject({ code: 'HF_OPTION' });
});
