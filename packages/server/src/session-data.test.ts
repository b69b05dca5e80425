import { setImmediate as nextTurn } from 'node:timers/promises';
import { MemoryStore } from '@holdfast/store';
import { deferred, until } from '@holdfast/testing';
import { describe, expect, test } from 'vitest';
import { FaultyStore } from './faulty-store.fixture.js';
import type { ServerOptions } from './options.js';
import { RawClient } from './raw-client.fixture.js';
import { serve } from './server.fixture.js';

async function begun(options: Partial<ServerOptions> = {}) {
  const memory = new MemoryStore();
  const store = new FaultyStore(memory);
  const served = await serve({ store, ...options });
  const opened = served.nextSocket();
  const client = await RawClient.begin(served.url);
  const socket = await opened;
  const failures: Error[] = [];
  served.wss.on('handlerError', (error) => failures.push(error));
  return { ...served, memory, store, client, socket, failures };
}

const textOf = (data: unknown): string => (data as Buffer).toString();

describe('a message listener that throws', () => {
  test('leaves session.data, the topics and the user as they were', async () => {
    const { store, client, socket } = await begun();
    socket.session.user = 'ada';
    socket.session.data['name'] = 'Ada';
    await until(() => JSON.stringify(store.batches).includes('Ada'));
    socket.on('message', () => {
      socket.session.data['name'] = 'Bob';
      socket.session.user = 'bob';
      throw new Error('oops');
    });
    client.send(1, 'x');
    await client.hear('ack');
    expect(socket.session).toMatchObject({ user: 'ada', data: { name: 'Ada' } });
    expect(JSON.stringify(store.batches)).not.toMatch(/[Bb]ob/);
  });
});

describe('an asynchronous handler', () => {
  test('commits what it changes of session.data with its message, and not before', async () => {
    const { memory, store, client, socket } = await begun();
    const other = await serve({ store: memory, pod: 'other' });
    const gate = deferred();
    let began = false;
    socket.handle(async () => {
      socket.session.data['count'] = 1;
      began = true;
      await gate.promise;
    });
    client.send(1, 'count');
    await until(() => began);
    for (let i = 0; i < 3; i++) await nextTurn();
    expect(JSON.stringify(store.batches)).not.toContain('count');
    const opened = other.nextSocket();
    const moved = await RawClient.resume(other.url, client.ticket);
    expect(moved.resumed.received).toBe(0);
    const there = await opened;
    expect(there.session.data).toEqual({});
    there.handle(() => {
      there.session.data['count'] = 1;
    });
    gate.resolve();
    moved.say({ type: 'r', n: 1, ack: 0, data: 'count', binary: false });
    await moved.hear('ack');
    const back = await RawClient.resume(other.url, moved.ticket);
    expect(back.resumed.received).toBe(1);
    expect(there.session.data).toEqual({ count: 1 });
  });

  test('whose changes of session.data cannot be kept leaves no effects', async () => {
    const { client, socket, failures } = await begun();
    socket.handle(({ data }, tx) => {
      socket.session.data['text'] = textOf(data) === 'big' ? 'x'.repeat(70_000) : 'small';
      tx.send(textOf(data));
    });
    client.send(1, 'big');
    client.send(2, 'small');
    expect(await client.texts(1)).toEqual(['small']);
    expect(failures).toMatchObject([{ code: 'HF_DATA' }]);
    expect(socket.session.data).toEqual({ text: 'small' });
  });

  test('commits what it changes of session.data behind an await, in one part with its other effects', async () => {
    const { store, client, socket } = await begun();
    socket.handle(async ({ data }, tx) => {
      await nextTurn();
      socket.session.data['last'] = textOf(data);
      await nextTurn();
      tx.send('done');
    });
    client.send(1, 'a');
    await client.texts(1);
    const parts = store.batches.flatMap((batch) => batch.parts).filter(({ watermark }) => watermark === 1);
    expect(parts).toMatchObject([{ effects: [{ type: 'send' }, { type: 'data', data: '{"last":"a"}' }] }]);
  });

  test.each(['before', 'behind'])('that throws %s an await leaves session.data as it was', async (when) => {
    const { store, client, socket, failures } = await begun();
    socket.session.data['list'] = ['kept'];
    await until(() => store.batches.some(({ parts }) => JSON.stringify(parts).includes('kept')));
    socket.handle(async ({ data }, tx) => {
      if (when === 'behind') await nextTurn();
      (socket.session.data['list'] as string[]).push(textOf(data));
      if (textOf(data) === 'bad') throw new Error('oops');
      tx.send('done');
    });
    client.send(1, 'bad');
    client.send(2, 'good');
    await client.texts(1);
    expect(socket.session.data).toEqual({ list: ['kept', 'good'] });
    expect(JSON.stringify(store.batches)).not.toContain('bad');
    expect(failures).toHaveLength(1);
  });

  test('whose effects find no room leaves session.data as it was', async () => {
    const { client, socket, failures } = await begun({ maxPendingBytes: 100 });
    socket.handle(({ data }, tx) => {
      socket.session.data['last'] = textOf(data);
      tx.send(textOf(data) === 'big' ? 'x'.repeat(200) : 'small');
    });
    client.send(1, 'small');
    client.send(2, 'big');
    await client.texts(1);
    await until(() => failures.length === 1);
    expect(socket.session.data).toEqual({ last: 'small' });
  });
});

test.each(['too large', 'no JSON'])(
  'what is changed outside a handler and is %s is taken back and told, and the next message is spared',
  async (what) => {
    const { client, socket, failures } = await begun();
    socket.on('message', (data) => {
      socket.session.data['last'] = textOf(data);
      socket.send(`heard ${textOf(data)}`);
    });
    socket.session.data['name'] = 'Ada';
    await nextTurn();
    socket.session.data['bad'] = what === 'too large' ? 'x'.repeat(70_000) : 1n;
    await nextTurn();
    expect(socket.session.data).toEqual({ name: 'Ada' });
    expect(failures).toMatchObject([{ code: 'HF_DATA' }]);
    client.send(1, 'a');
    expect(await client.texts(1)).toEqual(['heard a']);
    expect(socket.session.data).toEqual({ name: 'Ada', last: 'a' });
  },
);
