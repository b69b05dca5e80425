import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server,
} from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import type { Environment } from '@holdfast/policy';
import { WebSocket, WebSocketServer } from 'ws';
import { testEnvironment } from './environment.fixture.js';
import { Gateway, type GatewayOptions } from './gateway.js';

const leftovers: (() => unknown)[] = [];

/** To be called after each test. */
export async function endAll(): Promise<void> {
  for (const end of leftovers.splice(0).reverse()) await end();
}

/** Ends something with the test. */
export const atEnd = (end: () => unknown): void => void leftovers.push(end);

/** A pod of WebSockets that echoes. */
export async function echoPod(): Promise<{ pod: WebSocketServer; port: number }> {
  const pod = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    handleProtocols: (offered) => [...offered].at(-1) ?? false,
  });
  pod.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })));
  await once(pod, 'listening');
  atEnd(() => {
    for (const client of pod.clients) client.terminate();
    pod.close();
  });
  return { pod, port: (pod.address() as AddressInfo).port };
}

/** A pod of HTTP. */
export async function httpPod(listener: RequestListener): Promise<{ pod: Server; port: number }> {
  const pod = createServer(listener).listen(0, '127.0.0.1');
  await once(pod, 'listening');
  atEnd(() => {
    pod.close();
    pod.closeAllConnections();
  });
  return { pod, port: (pod.address() as AddressInfo).port };
}

export const podsAt = (...ports: number[]): Environment['pods'] =>
  ports.map((port) => ({ host: '127.0.0.1', port, weight: 1, backup: false }));

export async function startGateway(
  environment: Partial<Environment> = {},
  options: GatewayOptions = {},
): Promise<{ gateway: Gateway; port: number; url: string }> {
  const gateway = new Gateway(testEnvironment(environment), options);
  await gateway.start();
  atEnd(() => gateway.close());
  const port = gateway.addresses[0]?.port ?? 0;
  return { gateway, port, url: `ws://127.0.0.1:${port}` };
}

export async function open(
  url: string,
  protocols: string[] = [],
  headers: Record<string, string> = {},
): Promise<WebSocket> {
  const client = new WebSocket(url, protocols, { headers });
  atEnd(() => client.terminate());
  await once(client, 'open');
  return client;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: NodeJS.Dict<string>;
}

export interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string;
}

export async function ask(port: number, { method = 'GET', path = '/', headers = {}, body }: Ask = {}): Promise<Answer> {
  const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false });
  request.end(body);
  const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, body: text, trailers: response.trailers };
}

/** What a server answers to some bytes, until it closes or, with `until`, has said something. */
export async function say(port: number, bytes: string | Buffer, until?: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  atEnd(() => socket.destroy());
  let heard = '';
  socket.on('error', () => undefined);
  const over = new Promise<void>((resolve) => {
    socket.on('close', () => resolve());
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
      if (until !== undefined && heard.includes(until)) resolve();
    });
  });
  socket.write(bytes, 'latin1');
  await over;
  return heard;
}
