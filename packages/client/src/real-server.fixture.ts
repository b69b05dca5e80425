import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createHash } from 'node:crypto';
import { WebSocketServer, WebSocket as WsSocket, type ServerOptions } from 'ws';
import {
  decode,
  DEFAULT_POLICY,
  encode,
  type Frame,
  type FrameOf,
  type FrameType,
  type Policy,
} from '@holdfast/protocol';
import { deferred } from '@holdfast/testing';

/** A server on a free port of this machine. */
export interface RealServer extends AsyncDisposable {
  readonly url: string;
  readonly http: Server;
  /** Requests that asked for an upgrade, oldest first. */
  readonly requests: IncomingMessage[];
}

async function listen(http: Server, close: () => void = () => undefined): Promise<RealServer> {
  const requests: IncomingMessage[] = [];
  http.prependListener('upgrade', (request: IncomingMessage) => requests.push(request));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/path`,
    http,
    requests,
    async [Symbol.asyncDispose]() {
      close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/** An ordinary `ws` server, which knows nothing of holdfast. */
export async function plainServer(
  options: ServerOptions = {},
): Promise<RealServer & { readonly wss: WebSocketServer; nextSocket(): Promise<WsSocket> }> {
  const http = createServer();
  const wss = new WebSocketServer({ ...options, server: http });
  const server = await listen(http, () => wss.clients.forEach((client) => client.terminate()));
  return Object.assign(server, {
    wss,
    nextSocket: () => new Promise<WsSocket>((resolve) => wss.once('connection', resolve)),
  });
}

/** A server that answers every upgrade with what `answer` writes. */
export async function rawServer(answer: (socket: Duplex, request: IncomingMessage) => void): Promise<RealServer> {
  const http = createServer();
  const sockets = new Set<Duplex>();
  http.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    answer(socket, request);
  });
  return listen(http, () => sockets.forEach((socket) => socket.destroy()));
}

/** The answer of a server that knows RFC 6455 and no subprotocols: it ignores what was offered. */
export function acceptWithoutSubprotocol(socket: Duplex, request: IncomingMessage): void {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash('sha1').update(key).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
}

/** One transport as the scripted server sees it. */
export interface ServerSide {
  readonly socket: WsSocket;
  say(frame: Frame): void;
  /** The next frame of this type that the client says; those of other types before it are skipped. */
  hear<T extends FrameType>(type: T): Promise<FrameOf<T>>;
  welcome(policy?: Partial<Policy>): void;
  resumed(body?: Partial<FrameOf<'resumed'>['body']>): void;
}

/** A server that speaks holdfast.v1 and does what the test says, transport by transport. */
export async function scriptedServer(): Promise<RealServer & { nextTransport(): Promise<ServerSide> }> {
  const pick = (offered: Set<string>): string | false =>
    [...offered].find((protocol) => protocol.startsWith('holdfast.v1')) ?? false;
  const server = await plainServer({ handleProtocols: pick });
  const arrived: ServerSide[] = [];
  const waiting: ((side: ServerSide) => void)[] = [];
  server.wss.on('connection', (socket) => {
    const side = serverSide(socket);
    const next = waiting.shift();
    if (next) next(side);
    else arrived.push(side);
  });
  return Object.assign(server, {
    nextTransport: () => {
      const side = arrived.shift();
      if (side) return Promise.resolve(side);
      const next = deferred<ServerSide>();
      waiting.push(next.resolve);
      return next.promise;
    },
  });
}

function serverSide(socket: WsSocket): ServerSide {
  const heard: Frame[] = [];
  let wake: () => void = () => undefined;
  socket.on('message', (data: Buffer, binary) => {
    heard.push(decode(binary ? data : data.toString(), binary) as Frame);
    wake();
  });
  const side: ServerSide = {
    socket,
    say(frame) {
      const { data, binary } = encode(frame);
      socket.send(data, { binary });
    },
    async hear(type) {
      for (;;) {
        const frame = heard.shift();
        if (frame?.type === type) return frame as FrameOf<typeof type>;
        if (!frame) await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    welcome: (policy) =>
      side.say({
        type: 'welcome',
        body: { session: 's1', token: 't1', epoch: 'e1', pod: 'p1', policy: { ...DEFAULT_POLICY, ...policy } },
      }),
    resumed: (body) =>
      side.say({
        type: 'resumed',
        body: {
          token: 't2',
          epoch: 'e1',
          pod: 'p2',
          policy: DEFAULT_POLICY,
          received: 0,
          offset: 0,
          end: 0,
          topics: [],
          ...body,
        },
      }),
  };
  return side;
}
