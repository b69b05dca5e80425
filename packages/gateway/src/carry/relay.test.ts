import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { testEnvironment } from '../environment.fixture.js';
import { Gateway } from '../gateway.js';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).reverse()) await end();
});

async function startPod(): Promise<{ pod: WebSocketServer; port: number }> {
  const pod = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    handleProtocols: (offered) => [...offered].at(-1) ?? false,
  });
  pod.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })));
  await once(pod, 'listening');
  leftovers.push(() => {
    for (const client of pod.clients) client.terminate();
    pod.close();
  });
  return { pod, port: (pod.address() as AddressInfo).port };
}

async function startGateway(...ports: number[]): Promise<{ gateway: Gateway; url: string }> {
  const pods = ports.map((port) => ({ host: '127.0.0.1', port, weight: 1, backup: false }));
  const gateway = new Gateway(testEnvironment({ pods }));
  await gateway.start();
  leftovers.push(() => gateway.close());
  return { gateway, url: `ws://127.0.0.1:${gateway.addresses[0]?.port}` };
}

async function open(url: string, protocols: string[] = []): Promise<WebSocket> {
  const client = new WebSocket(url, protocols);
  leftovers.push(() => client.terminate());
  await once(client, 'open');
  return client;
}

it('passes messages both ways, large and small, with subprotocol and compression as the pod chose them', async () => {
  const { port } = await startPod();
  const { url, gateway } = await startGateway(port);
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
  const { pod, port } = await startPod();
  const { url } = await startGateway(port);
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

it('tries the next pod when one is not there', async () => {
  const gone = await startPod();
  gone.pod.close();
  const { port } = await startPod();
  const { url } = await startGateway(gone.port, port);
  for (let i = 0; i < 4; i++) expect((await open(url)).readyState).toBe(WebSocket.OPEN);
});

it("refuses with a coded 502 when no pod can be reached, and gives a pod's own refusal to the client", async () => {
  const gone = await startPod();
  gone.pod.close();
  const { url } = await startGateway(gone.port);
  const refused = await refusalOf(url);
  expect(refused.status).toBe(502);
  expect(refused.body).toContain('HF_POD_UNREACHABLE');
  const strict = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    verifyClient: (_info, done) => done(false, 401, 'who are you?'),
  });
  leftovers.push(() => strict.close());
  await once(strict, 'listening');
  const behind = await startGateway((strict.address() as AddressInfo).port);
  expect(await refusalOf(behind.url)).toMatchObject({ status: 401, body: 'who are you?' });
});

async function refusalOf(url: string): Promise<{ status: number | undefined; body: string }> {
  const client = new WebSocket(url);
  const [, response] = (await once(client, 'unexpected-response')) as [unknown, import('node:http').IncomingMessage];
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return { status: response.statusCode, body };
}
