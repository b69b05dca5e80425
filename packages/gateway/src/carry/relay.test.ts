import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { testEnvironment, testRoute } from '../environment.fixture.js';
import { atEnd, echoPod, endAll, open, podsAt, say, startGateway } from '../gateway.fixture.js';

afterEach(endAll);

const behind = (...ports: number[]) => startGateway({ pods: podsAt(...ports) });

it('passes messages both ways, large and small, with subprotocol and compression as the pod chose them', async () => {
  const { port } = await echoPod();
  const { url, gateway } = await behind(port);
  const client = await open(`${url}/chat?room=1`, ['first', 'second']);
  expect(client.protocol).toBe('second');
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 3_000_000]) {
    client.send(Buffer.alloc(size, 7));
    const [data] = (await once(client, 'message')) as [Buffer];
    expect(data.equals(Buffer.alloc(size, 7))).toBe(true);
  }
  client.close(4001, 'done');
  await once(client, 'close');
  await expect.poll(() => gateway.webSockets).toBe(0);
});

it('closes the client with 1012 when the pod is lost, even in the middle of a message', async () => {
  const { pod, port } = await echoPod();
  const { url } = await behind(port);
  const client = await open(url);
  const [socket] = pod.clients;
  // The header of a message of 1 MB, and a tenth of it.
  const raw = (socket as unknown as { _socket: NodeJS.WritableStream & { destroy(): void } })._socket;
  raw.write(Buffer.concat([Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 15, 66, 64]), Buffer.alloc(100_000)]));
  await expect
    .poll(() => (client as unknown as { _socket: { bytesRead: number } })._socket.bytesRead)
    .toBeGreaterThan(100_000);
  raw.destroy();
  const [code, reason] = (await once(client, 'close')) as [number, Buffer];
  expect([code, String(reason)]).toEqual([1012, 'HF_POD_LOST']);
});

it.each(['relay', 'soft'] as const)(
  'is not idle while the client does not take what the pod has said: %s',
  async (carry) => {
    const { pod, port } = await echoPod();
    pod.on('connection', (socket) => socket.send(Buffer.alloc(32e6)));
    let log = '';
    const gateway = { ...testEnvironment().gateway, accessLog: 'json' } as const;
    const routes = [testRoute({ carry, readMs: 60, sendMs: 240 })];
    const { url } = await startGateway({ pods: podsAt(port), routes, gateway }, { output: (text) => (log += text) });
    (await open(url)).pause();
    await expect.poll(() => log, { timeout: 5_000 }).toContain('\n');
    expect(JSON.parse(log)).toMatchObject({ closedBy: 'client', cause: 'HF_SLOW_WRITE' });
  },
);

it('tries the next pod when one is not there', async () => {
  const gone = await echoPod();
  gone.pod.close();
  const { port } = await echoPod();
  const { url } = await behind(gone.port, port);
  for (let i = 0; i < 4; i++) expect((await open(url)).readyState).toBe(WebSocket.OPEN);
});

it("refuses with a coded 502 when no pod can be reached, and gives a pod's own refusal to the client", async () => {
  const gone = await echoPod();
  gone.pod.close();
  const { url } = await behind(gone.port);
  const refused = await refusalOf(url);
  expect(refused.status).toBe(502);
  expect(refused.body).toContain('HF_POD_UNREACHABLE');
  const strict = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    verifyClient: (_info, done) => done(false, 401, 'who are you?'),
  });
  atEnd(() => strict.close());
  await once(strict, 'listening');
  const other = await behind((strict.address() as AddressInfo).port);
  expect(await refusalOf(other.url)).toMatchObject({ status: 401, body: 'who are you?' });
});

it("gives the client all of a pod's long refusal, also when the pod has gone long before the client has read it", async () => {
  const body = 'no'.repeat(2_000_000);
  const strict = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(`HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n${body}`));
  });
  atEnd(() => strict.close());
  strict.listen(0, '127.0.0.1');
  await once(strict, 'listening');
  const { url } = await behind((strict.address() as AddressInfo).port);
  const refused = await refusalOf(url);
  expect([refused.status, refused.body.length]).toEqual([403, body.length]);
});

it('ends the client of a pod whose refusal has a broken body at once', async () => {
  const strict = createServer((socket) => {
    socket.on('error', () => undefined);
    const head = 'HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n';
    socket.once('data', () => socket.write(`${head}3\r\nabc\r\nZZZ\r\n`));
  });
  atEnd(() => strict.close());
  strict.listen(0, '127.0.0.1');
  await once(strict, 'listening');
  const { port, gateway } = await behind((strict.address() as AddressInfo).port);
  const request =
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
  expect(await say(port, request)).toContain('404');
  await expect.poll(() => gateway.webSockets).toBe(0);
});

async function refusalOf(url: string): Promise<{ status: number | undefined; body: string }> {
  const client = new WebSocket(url);
  const [, response] = (await once(client, 'unexpected-response')) as [unknown, import('node:http').IncomingMessage];
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return { status: response.statusCode, body };
}
