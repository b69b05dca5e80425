import { errors, HoldfastError } from '@holdfast/protocol';
import { MemoryStore, type Effect } from '@holdfast/store';
import { expect, test } from 'vitest';
import { FaultyStore } from './faulty-store.fixture.js';
import { RawClient } from './raw-client.fixture.js';
import { serve } from './server.fixture.js';

const isPoison = (effect: Effect): boolean => 'data' in effect && String(effect.data).includes('poison');

async function begun() {
  const memory = new MemoryStore();
  const store = new FaultyStore(memory);
  store.rejects = ({ parts }) => parts.some(({ effects }) => effects.some(isPoison));
  const served = await serve({ store });
  const told: string[] = [];
  served.wss.on('connection', (socket) => {
    socket.on('error', (error) => told.push(`error ${(error as HoldfastError).code}`));
    socket.on('close', (code, reason) => told.push(`close ${code} ${String(reason)}`));
    socket.on('message', (data: Buffer) => {
      if (data.toString() === 'bad') socket.session.data.text = 'poison';
      socket.send(`${data.toString()} done`);
    });
  });
  const opened = served.nextSocket();
  const one = await RawClient.begin(served.url);
  const socket = await opened;
  const two = await RawClient.begin(served.url);
  return { ...served, memory, told, socket, one, two };
}

// It was given to the store again and again, and all that the pod did waited behind it.
test('what the store rejects ends the session that wrote it, there as well, and no other', async () => {
  const { url, memory, told, one, two } = await begun();
  one.send(1, 'bad');
  one.send(2, 'after it');
  two.send(1, 'good');
  expect(await two.texts(1)).toEqual(['good done']);
  expect(await one.closed).toEqual({ code: 4502, reason: 'HF_STORE_REJECTED' });
  expect(told).toEqual(['error HF_STORE_REJECTED', 'close 4502 HF_STORE_REJECTED']);
  two.send(2, 'better');
  expect(await two.texts(1)).toEqual(['better done']);
  expect((await memory.stats()).sessions).toBe(1);
  const back = await RawClient.ask(url, one.ticket);
  expect(await back.closed).toMatchObject({ code: 4502, reason: errors.EXPIRED.code });
});

test('what is changed of a session outside a handler ends that session when the store rejects it', async () => {
  const { wss, told, socket, one, two } = await begun();
  socket.session.data.text = 'poison';
  wss.publish('news', 'goes on');
  expect(await one.closed).toEqual({ code: 4502, reason: 'HF_STORE_REJECTED' });
  two.send(1, 'good');
  expect(await two.texts(1)).toEqual(['good done']);
  expect(told).toEqual(['error HF_STORE_REJECTED', 'close 4502 HF_STORE_REJECTED']);
});

test('what belongs to no session is told to the server when nobody waits for it', async () => {
  const { wss } = await begun();
  const failed: Error[] = [];
  wss.on('handlerError', (error) => failed.push(error));
  wss.publish('news', 'poison');
  await expect(wss.publisher.publish('news', 'poison')).rejects.toThrow('HF_STORE_REJECTED');
  expect(failed).toEqual([expect.objectContaining({ code: 'HF_STORE_REJECTED' })]);
});
