import { MemoryStore } from '@holdfast/store';
import { expect, test } from 'vitest';
import { RawClient } from './raw-client.fixture.js';
import { serve } from './server.fixture.js';
import type { Socket } from './socket.js';

const echo = (socket: Socket): unknown =>
  socket.on('message', (data) => socket.send(`heard ${(data as Buffer).toString()}`));

test('a session that is here before anybody listens is held, and loses nothing', async () => {
  const { wss, url } = await serve();
  const client = await RawClient.begin(url);
  client.send(1, 'a');
  client.send(2, 'b');
  client.say({ type: 'ping', stamp: 1, ack: 0 });
  expect(await client.hear('pong')).toMatchObject({ ack: 0 });
  wss.on('connection', echo);
  expect(await client.texts(2)).toEqual(['heard a', 'heard b']);
});

test('a session that was adopted before anybody listened is told of to whoever listens first', async () => {
  const store = new MemoryStore();
  const first = await serve({ store, pod: 'first' });
  const client = await RawClient.begin(first.url);
  client.drop();
  await store.lease(first.wss.pod, 0);
  const second = await serve({ store, pod: 'second' });
  await expect.poll(() => second.wss.clients.size).toBe(1);
  second.wss.on('connection', (socket) => {
    socket.send(`recovered ${socket.session.recovered}`);
    echo(socket);
  });
  const back = await RawClient.resume(second.url, client.ticket, { received: 0 });
  back.send(1, 'c');
  expect(await back.texts(2)).toEqual(['recovered true', 'heard c']);
});

test('a session that has ended before anybody listens is not told of', async () => {
  const { wss, url } = await serve();
  const gone = await RawClient.begin(url);
  const client = await RawClient.begin(url);
  gone.say({ type: 'bye', code: 1000, reason: '' });
  await gone.closed;
  const heard: string[] = [];
  wss.on('connection', ({ session: { id } }) => heard.push(id));
  await expect.poll(() => heard).toEqual([client.ticket.session]);
});
