import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createHash } from 'node:crypto';
import { WebSocket } from 'ws';
import { describe, expect, it } from 'vitest';
import { FrameBatch } from './frame-batch.js';

/** Upgrades one `ws` client by hand and gives the bare socket, so that only our frames reach it. */
async function bareSocket(): Promise<{ client: WebSocket; socket: Socket; stop: () => void }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const [socket] = (await once(server, 'connection')) as [Socket];
  const [request] = (await once(socket, 'data')) as [Buffer];
  const key = /sec-websocket-key: (.*)\r\n/i.exec(request.toString())?.[1] ?? '';
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  await once(client, 'open');
  return {
    client,
    socket,
    stop() {
      client.terminate();
      server.close();
    },
  };
}

describe('a batch of frames', () => {
  it('is read by ws as the messages that went in, at every length of the header', async () => {
    const { client, socket, stop } = await bareSocket();
    const lengths = [0, 1, 125, 126, 127, 32_767, 32_768, 65_535, 65_536, 200_000];
    const sent = lengths.flatMap((length) => [
      { data: 'a'.repeat(length), binary: false },
      { data: Buffer.alloc(length, length % 251), binary: true },
      { data: Buffer.from('é'.repeat(length >> 1)), binary: false },
    ]);
    const received: { data: Buffer; binary: boolean }[] = [];
    client.on('message', (data: Buffer, binary: boolean) => received.push({ data, binary }));

    const batch = new FrameBatch();
    for (const { data, binary } of sent) batch.add(data, binary);
    const { bytes } = batch;
    const chunks = batch.take();
    expect(chunks.reduce((sum, chunk) => sum + chunk.length, 0)).toBe(bytes);
    expect(batch.bytes).toBe(0);
    const last = sent.length;
    const all = new Promise<void>((resolve) => client.on('message', () => received.length === last && resolve()));
    for (const chunk of chunks) socket.write(chunk);
    await all;

    expect(received.map(({ binary }) => binary)).toEqual(sent.map(({ binary }) => binary));
    expect(received.every(({ data }, i) => data.equals(Buffer.from(sent[i]?.data ?? '')))).toBe(true);
    stop();
  });

  it('is empty after it was taken', () => {
    const batch = new FrameBatch();
    expect(batch.take()).toEqual([]);
    batch.add('x', false);
    expect(batch.take()).toEqual([Buffer.from([0x81, 1, 0x78])]);
    expect(batch.take()).toEqual([]);
  });
});
