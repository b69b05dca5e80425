import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { agreementOf } from '@holdfast/protocol';
import { until } from '@holdfast/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { RawClient } from './raw-client.fixture.js';
import { serve } from './server.fixture.js';
import { WebSocketServer } from './server.js';
import type { Socket } from './socket.js';

const textOf = (data: unknown): string => (data as Buffer).toString();

/** An echo by a plain client and by a session. */
async function expectEchoes(url: string): Promise<void> {
  const plain = new WebSocket(url);
  await once(plain, 'open');
  plain.send('plain');
  expect(textOf((await once(plain, 'message'))[0])).toBe('plain');
  plain.close();
  const client = await RawClient.begin(url);
  client.send(1, 'session');
  expect(await client.texts(1)).toEqual(['session']);
  client.drop();
}

const echo = (socket: Socket): unknown =>
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));

describe('the server', () => {
  test('listens on a port of its own, tells when it does and where, and answers health and others', async () => {
    const heard: string[] = [];
    const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' }, () => heard.push('callback'));
    wss.on('listening', () => heard.push('listening'));
    await once(wss, 'listening');
    const { port } = wss.address() as AddressInfo;
    wss.on('connection', echo);
    await expectEchoes(`ws://127.0.0.1:${port}/any/path`);
    const answers = [];
    for (const path of ['/healthz', '/readyz', '/']) {
      const [response] = (await once(get({ port, path, agent: false }), 'response')) as [IncomingMessage];
      answers.push(response.statusCode);
      await text(response);
    }
    expect(answers).toEqual([200, 200, 426]);
    await new Promise<void>((resolve) => wss.close(() => resolve()));
    expect(heard).toEqual(['callback', 'listening']);
    expect(wss.address()).toBeNull();
  });

  test('tells of an error of its port', async () => {
    const http = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void http.close());
    await once(http, 'listening');
    const wss = new WebSocketServer({ port: (http.address() as AddressInfo).port, host: '127.0.0.1' });
    expect((await once(wss, 'error'))[0]).toMatchObject({ code: 'EADDRINUSE' });
  });

  test('shares a server of the application', async () => {
    const { wss, url, port } = await serve();
    expect(wss.address()).toMatchObject({ port });
    wss.on('connection', echo);
    await expectEchoes(url);
  });

  test('takes upgrades that the application hands to it', async () => {
    const wss = new WebSocketServer({ noServer: true });
    expect(() => wss.address()).toThrow('noServer');
    const http = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void http.close());
    await once(http, 'listening');
    const handed: boolean[] = [];
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      wss.handleUpgrade(request, socket, head, (client, same) => {
        handed.push(same === request);
        wss.emit('connection', client, request);
      });
    });
    wss.on('connection', echo);
    await expectEchoes(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
    expect(handed).toEqual([true, true]);
  });

  test('must be told one way, and only one', () => {
    for (const options of [{}, { port: 0, noServer: true }, { noServer: true, server: createServer() }]) {
      expect(() => new WebSocketServer(options)).toThrow(TypeError);
    }
    expect(() => new WebSocketServer({ noServer: true, pod: 'no spaces' })).toThrow('HF_OPTION');
  });

  test('handles its path only', async () => {
    const { wss, url } = await serve({ path: '/chat' });
    wss.on('connection', echo);
    await expectEchoes(`${url}chat`);
    const refused = new WebSocket(`${url}other?path=/chat`);
    const [, response] = (await once(refused, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(400);
    response.destroy();
    expect(wss.health.handshakes).toBe(0);
  });
});

describe('subprotocols', () => {
  test('are chosen by handleProtocols, for plain clients and sessions alike', async () => {
    const asked: string[][] = [];
    const { wss, url, nextSocket } = await serve({
      handleProtocols: (protocols, request) => {
        asked.push([...protocols, request.url as string]);
        return 'b';
      },
    });
    expect(wss.clients.size).toBe(0);
    const first = nextSocket();
    const plain = new WebSocket(url, ['a', 'b']);
    await once(plain, 'open');
    expect([plain.protocol, (await first).protocol]).toEqual(['b', 'b']);
    const second = nextSocket();
    const client = await RawClient.begin(url, {}, { protocols: ['a', 'b'] });
    expect(agreementOf(client.ws.protocol)).toEqual({ holdfast: true, protocol: 'b' });
    expect((await second).protocol).toBe('b');
    expect(asked).toEqual([
      ['a', 'b', '/'],
      ['a', 'b', '/'],
    ]);
  });

  test('are the first by default, and none for a session that wants none', async () => {
    const { url, nextSocket } = await serve();
    const first = nextSocket();
    await RawClient.begin(url, {}, { protocols: ['a', 'b'] });
    expect((await first).protocol).toBe('a');
    const second = nextSocket();
    await RawClient.begin(url);
    expect((await second).protocol).toBe('');
  });
});

test('clients are not tracked when that is not wanted', async () => {
  const { wss, url, nextSocket } = await serve({ clientTracking: false });
  const opened = nextSocket();
  await RawClient.begin(url);
  await opened;
  expect(wss.clients.size).toBe(0);
});

test('a message beyond maxPayload ends the transport with 1009, and the one before it is handled', async () => {
  const { url, nextSocket } = await serve({ maxPayload: 10_000 });
  const opened = nextSocket();
  const client = await RawClient.begin(url);
  const socket = await opened;
  const lengths: number[] = [];
  socket.on('message', (data) => lengths.push((data as Buffer).length));
  client.send(1, 'x'.repeat(10_000));
  client.send(2, 'x'.repeat(10_001));
  expect((await client.closed).code).toBe(1009);
  expect(lengths).toEqual([10_000]);
  const second = await RawClient.resume(url, client.ticket);
  expect(second.resumed.received).toBe(1);
  second.send(2, 'x'.repeat(30_000));
  expect((await second.closed).code).toBe(1009);
});

test('perMessageDeflate compresses what goes to sessions and plain clients, and reads what they compress', async () => {
  const { wss, url, connections } = await serve({ perMessageDeflate: { threshold: 0 } });
  wss.on('connection', echo);
  const client = await RawClient.begin(url, {}, { perMessageDeflate: { threshold: 0 } });
  expect(client.ws.extensions).toContain('permessage-deflate');
  const message = 'again and '.repeat(10_000);
  client.send(1, message);
  expect(await client.texts(1)).toEqual([message]);
  expect(connections[0]?.bytesWritten).toBeLessThan(5_000);
  const plain = new WebSocket(url);
  await once(plain, 'open');
  plain.send(message);
  expect(textOf((await once(plain, 'message'))[0])).toBe(message);
  await expectEchoes(url);
});

test('the headers event can add to the answer, once or always', async () => {
  const { wss, url } = await serve();
  wss.on('headers', (headers) => headers.push('X-Always: yes'));
  wss.once('headers', (headers) => headers.push('X-Once: yes'));
  const seen = [];
  for (let i = 0; i < 2; i++) {
    const plain = new WebSocket(url);
    const [response] = (await once(plain, 'upgrade')) as [IncomingMessage];
    seen.push([response.headers['x-always'], response.headers['x-once']]);
  }
  expect(seen).toEqual([
    ['yes', 'yes'],
    ['yes', undefined],
  ]);
});

describe('an invalid upgrade', () => {
  const options = { headers: { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Key': 'bad' } };

  test('is answered by the server', async () => {
    const { port, wss } = await serve();
    const [response] = (await once(get({ port, ...options }), 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(400);
    expect(wss.health.handshakes).toBe(0);
  });

  test('is answered by the application where it listens for wsClientError, and by the server again when it does not', async () => {
    const { port, wss } = await serve();
    const listener = (error: Error, socket: Duplex): void => {
      socket.end(`HTTP/1.1 418 Teapot\r\nConnection: close\r\n\r\n${error.message}`);
    };
    wss.on('wsClientError', listener);
    const [teapot] = (await once(get({ port, ...options }), 'response')) as [IncomingMessage];
    expect(teapot.statusCode).toBe(418);
    wss.off('wsClientError', listener);
    const [response] = (await once(get({ port, ...options }), 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(400);
  });
});

test('a binaryType shapes what a session hands out', async () => {
  const { url, nextSocket } = await serve();
  const opened = nextSocket();
  const client = await RawClient.begin(url);
  const socket = await opened;
  const heard: unknown[] = [];
  socket.on('message', (data) => heard.push(data));
  for (const [i, binaryType] of (['nodebuffer', 'arraybuffer', 'fragments'] as const).entries()) {
    socket.binaryType = binaryType;
    client.say({ type: 'm', n: i + 1, ack: 0, data: Buffer.from('ab'), binary: true });
    await until(() => heard.length === i + 1);
  }
  expect(heard).toEqual([Buffer.from('ab'), Uint8Array.from(Buffer.from('ab')).buffer, [Buffer.from('ab')]]);
});
