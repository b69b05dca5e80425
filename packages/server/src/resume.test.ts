import { once } from 'node:events';
import { until } from '@holdfast/testing';
import { expect, test } from 'vitest';
import { RawClient } from './raw-client.fixture.js';
import { serve } from './server.fixture.js';

test('a session begins with a welcome, and connection tells of its socket', async () => {
  const { wss, url, nextSocket } = await serve();
  const opened = nextSocket();
  const client = await RawClient.begin(url);
  const socket = await opened;
  expect(socket.session).toMatchObject({ id: client.ticket.session, recovered: false, attachments: 1, attached: true });
  expect([...wss.clients]).toEqual([socket]);
  socket.on('message', (data, isBinary) => socket.send(`${(data as Buffer).toString()} ${isBinary}`));
  client.send(1, 'hello');
  expect(await client.texts(1)).toEqual(['hello false']);
});

test('a session resumes after zero messages', async () => {
  const { url, nextSocket } = await serve();
  const opened = nextSocket();
  const first = await RawClient.begin(url);
  const socket = await opened;
  first.drop();
  await once(socket, 'detached');
  const second = await RawClient.resume(url, first.ticket);
  expect(second.resumed).toMatchObject({ received: 0, offset: 0, end: 0 });
  expect(socket.session).toMatchObject({ attachments: 2, attached: true });
  socket.send('still here');
  expect(await second.texts(1)).toEqual(['still here']);
});

test('a session resumes twice in a row, each time with what was sent meanwhile', async () => {
  const { url, nextSocket } = await serve();
  const opened = nextSocket();
  const first = await RawClient.begin(url);
  const socket = await opened;
  first.drop();
  await once(socket, 'detached');
  socket.send('one');
  const second = await RawClient.resume(url, first.ticket);
  expect(await second.texts(1)).toEqual(['one']);
  second.drop();
  await once(socket, 'detached');
  socket.send('two');
  const third = await RawClient.resume(url, second.ticket, { received: 1 });
  expect(third.resumed).toMatchObject({ offset: 1 });
  expect(await third.texts(1)).toEqual(['two']);
});

test('a client that is back before the server has noticed gets its session, and the old transport is told', async () => {
  const { url, nextSocket } = await serve();
  const opened = nextSocket();
  const first = await RawClient.begin(url);
  const socket = await opened;
  const detached: unknown[] = [];
  socket.on('detached', (code) => detached.push(code));
  const second = await RawClient.resume(url, first.ticket);
  expect(await first.closed).toEqual({ code: 4501, reason: 'HF_FENCED' });
  socket.send('for the new one');
  expect(await second.texts(1)).toEqual(['for the new one']);
  expect(detached).toEqual([]);
  expect(socket.session.attached).toBe(true);
  await until(() => socket.bufferedAmount > 0);
});
