import { once } from 'node:events';
import { until, VirtualClock } from '@holdfast/testing';
import { describe, expect, test } from 'vitest';
import { RawClient } from './raw-client.fixture.js';
import { serve, serverClock } from './server.fixture.js';

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
  const heard: string[] = [];
  for (const event of ['attached', 'detached', 'close']) socket.on(event, () => heard.push(event));
  const second = await RawClient.resume(url, first.ticket);
  expect(await first.closed).toEqual({ code: 4501, reason: 'HF_FENCED' });
  socket.send('for the new one');
  expect(await second.texts(1)).toEqual(['for the new one']);
  expect(socket.session.attached).toBe(true);
  expect(heard).toEqual(['attached']);
});

test('a session resumes after an hour without a word', async () => {
  const clock = new VirtualClock({ startMs: 1_750_000_000_000 });
  const hourMs = 3_600_000;
  const { url, nextSocket } = await serve({ clock: serverClock(clock), policy: { sessionMs: 2 * hourMs } });
  const opened = nextSocket();
  const first = await RawClient.begin(url);
  const socket = await opened;
  first.drop();
  await once(socket, 'detached');
  socket.send('before the hour');
  await clock.advanceAsync(hourMs);
  socket.send('after the hour');
  const second = await RawClient.resume(url, first.ticket);
  expect(await second.texts(2)).toEqual(['before the hour', 'after the hour']);
});

describe('a resume token', () => {
  async function begun() {
    const served = await serve();
    const opened = served.nextSocket();
    const first = await RawClient.begin(served.url);
    return { ...served, first, socket: await opened };
  }

  test('stays good until the client has shown that it holds the next: the answer may be cut off', async () => {
    const { url, first } = await begun();
    for (let i = 0; i < 3; i++) (await RawClient.resume(url, first.ticket)).drop();
    const last = await RawClient.resume(url, first.ticket);
    last.say({ type: 'ping', stamp: 1, ack: 0 });
    await last.hear('pong');
    expect((await (await RawClient.ask(url, first.ticket)).closed).code).toBe(4502);
  });

  test('that is old, stolen or made up gets nothing, and what it gets does not tell which it was', async () => {
    const { url, first, socket } = await begun();
    const second = await RawClient.resume(url, first.ticket);
    second.send(1, 'shows that it has the new token');
    await once(socket, 'message');
    await until(() => socket.session.attachments === 2);
    socket.send('secret');
    await second.texts(1);
    const answers = [];
    for (const ticket of [
      first.ticket,
      { ...second.ticket, token: 'A'.repeat(43) },
      { ...second.ticket, session: 'unknown', token: 'A'.repeat(43) },
      { ...second.ticket, session: 'unknown' },
    ]) {
      const thief = await RawClient.ask(url, ticket);
      answers.push(await thief.closed);
      expect(thief.takeAll()).toEqual([]);
    }
    expect(answers).toEqual(Array.from({ length: 4 }, () => ({ code: 4502, reason: 'HF_EXPIRED' })));
    second.say({ type: 'ping', stamp: 1, ack: 1 });
    expect(await second.hear('pong')).toMatchObject({ stamp: 1 });
    expect(socket.session.attachments).toBe(2);
  });

  test('presented with an attempt that was overtaken is refused', async () => {
    const { url, first } = await begun();
    const second = await RawClient.resume(url, first.ticket, { attempt: 1_000_000 });
    for (const attempt of [1_000_000, 999_999]) {
      const late = await RawClient.ask(url, first.ticket, { attempt });
      expect(await late.closed).toEqual({ code: 4501, reason: 'HF_FENCED' });
    }
    second.say({ type: 'ping', stamp: 1, ack: 0 });
    await second.hear('pong');
  });
});

test('a client whose cursor lies where nothing was ever sent is refused, and its session stays', async () => {
  const { url, nextSocket } = await serve();
  const opened = nextSocket();
  const first = await RawClient.begin(url);
  const socket = await opened;
  const liar = await RawClient.ask(url, first.ticket, { received: 7 });
  expect(await liar.closed).toEqual({ code: 4500, reason: 'HF_ACK' });
  expect(socket.session.attached).toBe(false);
  socket.send('one');
  const honest = await RawClient.resume(url, first.ticket);
  expect(await honest.texts(1)).toEqual(['one']);
});

test('messages of the client count once, however often they are said', async () => {
  const { url, nextSocket } = await serve();
  const opened = nextSocket();
  const first = await RawClient.begin(url);
  const socket = await opened;
  const heard: string[] = [];
  socket.on('message', (data) => heard.push((data as Buffer).toString()));
  for (const n of [1, 2, 3]) first.send(n, `${n}`);
  await until(() => heard.length === 3);
  first.drop();
  const second = await RawClient.resume(url, first.ticket);
  expect(second.resumed.received).toBe(3);
  for (const n of [2, 3, 4]) second.say({ type: 'r', n, ack: 0, data: `${n}`, binary: false });
  await until(() => heard.length === 4);
  expect(heard).toEqual(['1', '2', '3', '4']);
});

test('topics go on where the client stood in each', async () => {
  const { wss, url, nextSocket } = await serve();
  const opened = nextSocket();
  const first = await RawClient.begin(url);
  const socket = await opened;
  socket.subscribe('news');
  const { epoch } = await first.hear('sub');
  wss.publish('news', 'one');
  expect(await first.texts(1, 't')).toEqual(['one']);
  first.drop();
  await once(socket, 'detached');
  wss.publish('news', 'two');
  wss.publish('other', 'nothing');
  const second = await RawClient.resume(url, first.ticket, { topics: [{ topic: 'news', epoch, offset: 1 }] });
  expect(second.resumed.topics).toEqual([{ topic: 'news', epoch, offset: 1, end: 2 }]);
  expect(await second.texts(1, 't')).toEqual(['two']);
});
