import { once } from 'node:events';
import { MemoryStore } from '@holdfast/store';
import { until, VirtualClock } from '@holdfast/testing';
import { expect, test } from 'vitest';
import { RawClient } from './raw-client.fixture.js';
import { serve, serverClock, type Served } from './server.fixture.js';

const policy = { pingMs: 1_000_000, deadMs: 2_000_000 };

/** What a server and each of its sockets tell, in order. */
function heard({ wss }: Served): string[] {
  const told: string[] = [];
  wss.on('connection', (socket) => {
    told.push(`connection ${socket.session.recovered ? 'recovered' : 'new'}`);
    for (const event of ['attached', 'detached', 'moved', 'expired', 'close']) {
      socket.on(event, (code?: number) => told.push(`socket ${event} ${code ?? ''}`.trim()));
    }
  });
  wss.on('attached', () => told.push('attached')).on('detached', (_socket, code) => told.push(`detached ${code}`));
  wss.on('moved', (socket) => told.push(`moved ${socket.readyState === socket.CLOSED}`));
  wss.on('expired', () => told.push('expired'));
  return told;
}

async function twoPods() {
  const clock = new VirtualClock({ startMs: 1_750_000_000_000 });
  const memory = new MemoryStore();
  const a = await serve({ store: memory, pod: 'a', clock: serverClock(clock), policy });
  const b = await serve({ store: memory, pod: 'b', clock: serverClock(clock), policy });
  return { clock, a, b, told: { a: heard(a), b: heard(b) } };
}

test('a lost connection and one that comes back are told of to socket and server, and are no connection anew', async () => {
  const { a, told } = await twoPods();
  const client = await RawClient.begin(a.url);
  client.drop();
  await until(() => told.a.length === 3);
  await RawClient.resume(a.url, client.ticket);
  await until(() => told.a.length === 5);
  expect(told.a).toEqual(['connection new', 'socket detached 1006', 'detached 1006', 'socket attached', 'attached']);
});

test('a session that moves is told of on the pod that loses it, and is a recovered connection on the other', async () => {
  const { a, b, told } = await twoPods();
  const client = await RawClient.begin(a.url);
  await RawClient.resume(b.url, client.ticket);
  await until(() => told.a.includes('socket close 4501'));
  expect(told.a).toEqual(['connection new', 'socket moved', 'moved true', 'socket close 4501']);
  expect(told.b).toEqual(['connection recovered']);
});

test('a session whose life is over is told of, and one that is closed in order is neither moved nor expired', async () => {
  const { clock, a, told } = await twoPods();
  const opened = a.nextSocket();
  const client = await RawClient.begin(a.url);
  client.drop();
  await once(await opened, 'detached');
  await clock.advanceAsync(610_000);
  expect(told.a.slice(3)).toEqual(['socket expired', 'expired', 'socket close 4502']);
  told.a.length = 0;
  const next = a.nextSocket();
  const other = await RawClient.begin(a.url);
  const socket = await next;
  // The same code as a session that has moved, by the application's own will.
  socket.close(4501);
  await other.hear('bye');
  other.say({ type: 'bye', code: 4501, reason: '' });
  await until(() => told.a.some((each) => each.startsWith('socket close')));
  expect(told.a).toEqual(['connection new', 'socket close 4501']);
});

test('a listener of the server that throws stops nobody else', async () => {
  const { a } = await twoPods();
  const failures: Error[] = [];
  a.wss.on('handlerError', (error) => failures.push(error));
  a.wss.on('detached', () => {
    throw new Error('oops');
  });
  const client = await RawClient.begin(a.url);
  client.drop();
  await until(() => failures.length === 1);
  const back = await RawClient.resume(a.url, client.ticket);
  back.say({ type: 'ping', stamp: 1, ack: 0 });
  expect(await back.hear('pong')).toMatchObject({ stamp: 1 });
});
