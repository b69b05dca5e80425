import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { PassThrough, type Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { atEnd, endAll } from '../gateway.fixture.js';
import { dialWire, takeWire, type Wire } from './wire.js';

afterEach(endAll);

/** A wire that was a server's connection, what it was before, and the client. */
async function taken(): Promise<{ wire: Wire; before: Duplex; client: Socket }> {
  const server = createHttpServer().listen(0, '127.0.0.1');
  atEnd(() => server.close());
  await once(server, 'listening');
  const found = new Promise<{ wire: Wire; before: Duplex }>((resolve) => {
    server.on('upgrade', (_request, before) => {
      before.on('error', () => undefined);
      resolve({ wire: takeWire(before), before });
    });
  });
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  atEnd(() => client.destroy());
  client.on('error', () => undefined);
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  const { wire, before } = await found;
  atEnd(() => wire.socket.destroy());
  return { wire, before, client };
}

/** A wire that dialled, and the other end. */
async function dialled(): Promise<{ wire: Wire; client: Socket }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  atEnd(() => server.close());
  await once(server, 'listening');
  const wire = dialWire('127.0.0.1', (server.address() as AddressInfo).port);
  wire.socket.on('error', () => undefined);
  atEnd(() => wire.socket.destroy());
  const [client] = (await once(server, 'connection')) as [Socket];
  client.on('error', () => undefined);
  atEnd(() => client.destroy());
  return { wire, client };
}

/** What a wire has handed over so far. */
function heardOf({ receive }: Wire): () => string {
  let heard = '';
  receive((chunk) => (heard += String(chunk)));
  return () => heard;
}

describe.each([
  ['dialled', dialled],
  ['taken over from a server', taken],
])('a wire that was %s', (_what, make) => {
  it('passes both ways, and ends when the other side ends', async () => {
    const { wire, client } = await make();
    const heard = heardOf(wire);
    client.write('to the wire');
    await expect.poll(heard).toBe('to the wire');
    wire.socket.write('from the wire');
    expect(String((await once(client, 'data'))[0])).toBe('from the wire');
    client.end();
    await once(wire.socket, 'end');
    wire.socket.end();
    await once(wire.socket, 'close');
  });

  it('keeps what comes before there is somebody to take it, and hands it over behind what that one has to pass', async () => {
    const { wire, client } = await make();
    const { bytesRead } = wire.socket as Socket;
    client.write('early');
    await expect.poll(() => (wire.socket as Socket).bytesRead).toBe(bytesRead + 5);
    client.write(' and late');
    let heard = '';
    wire.receive((chunk) => (heard += String(chunk)));
    heard += 'head, ';
    wire.socket.resume();
    await expect.poll(() => heard).toBe('head, early and late');
  });

  it('keeps no more than one read or two of that', async () => {
    const { wire, client } = await make();
    const { bytesRead } = wire.socket as Socket;
    client.write(Buffer.alloc(1_000_000));
    await expect.poll(() => wire.socket.isPaused()).toBe(true);
    expect((wire.socket as Socket).bytesRead - bytesRead).toBeLessThan(200_000);
    const heard = heardOf(wire);
    wire.socket.resume();
    await expect.poll(() => heard().length).toBe(1_000_000);
  });

  it('closes when it is reset, also behind bytes that nobody has taken', async () => {
    const { wire, client } = await make();
    const { bytesRead } = wire.socket as Socket;
    client.write('early');
    await expect.poll(() => (wire.socket as Socket).bytesRead).toBe(bytesRead + 5);
    const closed = new Promise((resolve) => wire.socket.once('close', resolve));
    client.resetAndDestroy();
    await closed;
    expect(wire.socket.destroyed).toBe(true);
  });

  it('reads no more while it is paused, and all of it afterwards, in order', async () => {
    const { wire, client } = await make();
    const heard = heardOf(wire);
    client.write('first');
    await expect.poll(heard).toBe('first');
    wire.socket.pause();
    const text = Array.from({ length: 200_000 }, (_, i) => i).join();
    client.write(text);
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard()).toBe('first');
    wire.socket.resume();
    await expect.poll(heard).toBe(`first${text}`);
  });

  it('hands over bytes that nothing writes over', async () => {
    const { wire, client } = await make();
    const chunks: Buffer[] = [];
    for (let i = 0; i < 50; i++) {
      const came = new Promise<void>((resolve) => {
        wire.receive((chunk) => {
          chunks.push(chunk);
          resolve();
        });
      });
      client.write(`${i};`);
      await came;
    }
    expect(String(Buffer.concat(chunks))).toBe(Array.from({ length: 50 }, (_, i) => `${i};`).join(''));
  });

  it('closes when it is reset', async () => {
    const { wire, client } = await make();
    heardOf(wire);
    // `once` would take the error for its own.
    const closed = new Promise((resolve) => wire.socket.once('close', resolve));
    client.resetAndDestroy();
    await closed;
    expect(wire.socket.destroyed).toBe(true);
  });
});

describe('a connection that is taken over', () => {
  it('leaves its old socket closed, and its peer connected', async () => {
    const { wire, before, client } = await taken();
    if (!before.closed) await once(before, 'close');
    expect([wire.socket === before, wire.socket.destroyed, client.readyState]).toEqual([false, false, 'open']);
  });

  it('stays the stream that it is, where it is not a plain socket, and is read in the same way', async () => {
    const stream = new PassThrough();
    const wire = takeWire(stream);
    expect(wire.socket).toBe(stream);
    stream.write('early');
    await new Promise((resolve) => setImmediate(resolve));
    let heard = '';
    wire.receive((chunk) => (heard += `first: ${String(chunk)}; `));
    heard += 'head; ';
    await expect.poll(() => heard).toBe('head; first: early; ');
    wire.receive((chunk) => (heard += `second: ${String(chunk)}`));
    stream.write('late');
    await expect.poll(() => heard).toBe('head; first: early; second: late');
  });
});
