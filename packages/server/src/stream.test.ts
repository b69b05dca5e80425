import { once } from 'node:events';
import { pipeline, type Duplex } from 'node:stream';
import { until } from '@holdfast/testing';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createWebSocketStream } from './stream.js';
import { RawClient } from './raw-client.fixture.js';
import { serve } from './server.fixture.js';

async function begun(options: Parameters<typeof createWebSocketStream>[1] = {}) {
  const { url, nextSocket } = await serve({ policy: { window: { messages: 64, bytes: 1_000_000 } } });
  const opened = nextSocket();
  const client = await RawClient.begin(url);
  const socket = await opened;
  return { url, client, socket, stream: createWebSocketStream(socket, options) };
}

describe('a stream over a session', () => {
  test('can be piped, and goes on when the transport changes', async () => {
    const { url, client, stream } = await begun();
    pipeline(stream, stream, () => undefined);
    client.send(1, 'one');
    expect(await client.texts(1)).toEqual(['one']);
    const back = await RawClient.resume(url, client.ticket, { received: 1 });
    back.send(2, 'two');
    expect(await back.texts(1)).toEqual(['two']);
  });

  test('does not read on while nobody reads it, and neither does its client send', async () => {
    const { client, socket, stream } = await begun({ readableHighWaterMark: 1_000 });
    for (let n = 1; n <= 20; n++) client.send(n, 'x'.repeat(100));
    await until(() => socket.isPaused);
    expect(stream.readableLength).toBeLessThan(1_200);
    let length = 0;
    stream.on('data', (chunk: Buffer) => (length += chunk.length));
    await until(() => length === 2_000);
  });

  test('ends when the client ends the session', async () => {
    const { client, stream } = await begun();
    stream.resume();
    client.say({ type: 'bye', code: 1000, reason: '' });
    await once(stream, 'close');
    expect(stream.readableEnded).toBe(true);
  });

  test('that is ended closes the session behind what was written', async () => {
    const { client, socket, stream } = await begun();
    stream.resume();
    stream.end('last');
    expect(await client.texts(1)).toEqual(['last']);
    await client.hear('bye');
    client.say({ type: 'bye', code: 1005, reason: '' });
    await once(stream, 'close');
    expect(socket.readyState).toBe(socket.CLOSED);
  });

  test('that is destroyed terminates the session', async () => {
    const { client, socket, stream } = await begun();
    stream.destroy();
    await once(stream, 'close');
    expect(socket.readyState).toBe(socket.CLOSED);
    await client.closed;
  });

  test('that reads objects gets text as text', async () => {
    const { client, stream } = await begun({ readableObjectMode: true });
    const chunks: unknown[] = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    client.send(1, 'text');
    client.say({ type: 'm', n: 2, ack: 0, data: Buffer.from([1]), binary: true });
    await until(() => chunks.length === 2);
    expect(chunks).toEqual(['text', Buffer.from([1])]);
  });
});

test('a stream over a plain socket is that of ws', async () => {
  const { wss, url } = await serve();
  wss.on('connection', (socket) => {
    const stream: Duplex = createWebSocketStream(socket);
    pipeline(stream, stream, () => undefined);
  });
  const client = new WebSocket(url);
  await once(client, 'open');
  client.send('echo');
  expect(((await once(client, 'message')) as [Buffer])[0].toString()).toBe('echo');
  client.close();
});
