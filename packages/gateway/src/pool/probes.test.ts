import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { freePort } from '@holdfast/testing';
import { afterEach, describe, expect, it } from 'vitest';
import type { Probe } from './checker.js';
import type { Pod } from './member.js';
import { httpProbe, webSocketProbe } from './probes.js';

const open: Server[] = [];
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(open.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

async function listening(server: Server): Promise<number> {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket.on('close', () => sockets.delete(socket)));
    socket.on('error', () => socket.destroy());
  });
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
const http = (listener: RequestListener): Promise<number> => listening(createHttpServer(listener));
const tcp = (listener: (socket: Socket) => void): Promise<number> =>
  listening(
    createServer((socket) => {
      listener(socket);
      // An end is told only to who reads.
      socket.resume();
    }),
  );

const never = new AbortController().signal;
const pod = (port: number): Pod => ({ id: 'p', host: '127.0.0.1', port, state: 'ready' });
const verdictOf = (probe: Probe, port: number, signal = never): Promise<string> =>
  probe(pod(port), signal).catch((error: Error) => `failed: ${error.name}`);

const gone = async (): Promise<void> => {
  while (sockets.size > 0) await new Promise((resolve) => setImmediate(resolve));
};

describe('the HTTP check', () => {
  it.each([
    [200, '{"ready":true}', 'up'],
    [302, '', 'up'],
    [404, '', 'up'],
    [426, 'Upgrade Required', 'up'],
    [500, '', 'down'],
    [503, '{"ready":false,"draining":true}', 'draining'],
    [503, '{"ready":false,"draining":false}', 'down'],
    [503, '"draining"', 'down'],
    [503, 'null', 'down'],
    [503, 'busy', 'down'],
    [503, `${' '.repeat(20_000)}{"draining":true}`, 'down'],
  ])('takes %i %j for %s', async (status, body, verdict) => {
    const paths: (string | undefined)[] = [];
    const port = await http((request, response) => {
      paths.push(request.url);
      response.writeHead(status).end(body);
    });
    expect(await verdictOf(httpProbe('/readyz'), port)).toBe(verdict);
    expect(paths).toEqual(['/readyz']);
    await gone();
  });

  it('does not wait for the rest of an answer that never ends', async () => {
    const port = await http((_, response) => response.writeHead(200).write('a'));
    expect(await verdictOf(httpProbe('/'), port)).toBe('up');
    await gone();
  });

  it('fails when nobody listens, when the answer is not HTTP, and when it is asked to stop', async () => {
    expect(await verdictOf(httpProbe('/'), await freePort())).toBe('failed: Error');
    const garbage = await tcp((socket) => socket.end('SSH-2.0-OpenSSH\r\n\r\n'));
    expect(await verdictOf(httpProbe('/'), garbage)).toBe('failed: Error');
    const stop = new AbortController();
    const silent = await tcp(() => stop.abort());
    expect(await verdictOf(httpProbe('/'), silent, stop.signal)).toBe('failed: AbortError');
    await gone();
  });
});

describe('the WebSocket check', () => {
  it('makes a handshake, and closes with 1000', async () => {
    const server = createHttpServer();
    const port = await listening(server);
    const codes = new Promise((resolve) => {
      new WebSocketServer({ server, path: '/ws' }).on('connection', (ws) => ws.on('close', resolve));
    });
    expect(await verdictOf(webSocketProbe('/ws'), port)).toBe('up');
    expect(await codes).toBe(1_000);
    await gone();
  });

  it('takes a refusal, and a 101 with a wrong key, for down', async () => {
    const refusing = await http((_, response) => response.writeHead(426).end());
    expect(await verdictOf(webSocketProbe('/ws'), refusing)).toBe('down');
    const answer =
      'HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n';
    const wrong = await tcp((socket) => socket.once('data', () => socket.write(answer)));
    expect(await verdictOf(webSocketProbe('/ws'), wrong)).toBe('down');
    await gone();
  });
});
