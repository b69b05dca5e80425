import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import { VirtualClock } from '@holdfast/testing';
import { onTestFinished } from 'vitest';
import { systemClock, type Clock } from './clock.js';
import type { ServerOptions } from './options.js';
import { WebSocketServer } from './server.js';
import type { Socket } from './socket.js';

/** A server on a free port of this machine that is gone when the test is over. */
export interface Served {
  readonly wss: WebSocketServer;
  readonly http: Server;
  readonly url: string;
  readonly port: number;
  /** The server's ends of all connections there were. */
  readonly connections: NetSocket[];
  /** The next socket that `connection` tells of; those told of before were handed out already or are forgotten. */
  nextSocket(): Promise<Socket>;
}

export async function serve(options: Partial<ServerOptions> = {}): Promise<Served> {
  const http = createServer();
  const wss = new WebSocketServer({ server: http, ...options });
  const connections: NetSocket[] = [];
  http.on('connection', (connection) => connections.push(connection));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(async () => {
    for (const connection of connections) connection.destroy();
    http.close();
    await new Promise<void>((resolve) => wss.close(() => resolve()));
  });
  const { port } = http.address() as AddressInfo;
  return {
    wss,
    http,
    port,
    connections,
    url: `ws://127.0.0.1:${port}/`,
    nextSocket: async () => ((await once(wss, 'connection')) as [Socket, IncomingMessage])[0],
  };
}

/** A virtual clock as the server wants one. Turns of the event loop end when they do. */
export function serverClock(clock: VirtualClock = new VirtualClock({ startMs: 1_750_000_000_000 })): Clock {
  return {
    monotonicMs: clock.now,
    wallMs: clock.now,
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout,
    wait: (delayMs) => new Promise((resolve) => clock.setTimeout(() => resolve(), delayMs)),
    endOfTurn: systemClock.endOfTurn,
  };
}
