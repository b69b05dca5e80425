import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ChaosLink } from './chaos-link.js';
import { ChaosProxy, type ChaosProxyOptions } from './chaos-proxy.js';
import { until } from './until.js';

/** Lets sockets that are ready be read, some rounds over: after it, what could arrive has arrived. */
export async function settle(rounds = 30): Promise<void> {
  for (let round = 0; round < rounds; round++) await nextTurn();
}

/** One end of a TCP connection, with all that happened to it. */
export interface Peer {
  readonly socket: Socket;
  readonly chunks: Buffer[];
  /** All bytes so far. */
  bytes(): Buffer;
  /** "open", "ended" (FIN), "reset" or "closed". */
  state(): 'open' | 'ended' | 'reset' | 'closed';
  /** Resolves when so many bytes came. */
  received(count: number): Promise<Buffer>;
}

/** Watches a socket. */
export function watch(socket: Socket): Peer {
  const chunks: Buffer[] = [];
  let ended = false;
  let reset = false;
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('end', () => (ended = true));
  socket.on('error', (error: NodeJS.ErrnoException) => (reset ||= error.code === 'ECONNRESET'));
  const bytes = (): Buffer => Buffer.concat(chunks);
  return {
    socket,
    chunks,
    bytes,
    state: () => (reset ? 'reset' : ended ? 'ended' : socket.destroyed ? 'closed' : 'open'),
    received: async (count) => {
      await until(() => bytes().length >= count, { what: () => `${count} bytes (${bytes().length} came)`, everyMs: 1 });
      return bytes();
    },
  };
}

/** A client and a server with a chaos proxy between them; `close` takes all of it down. */
export class TcpPeers {
  /** The server's ends of all connections, oldest first. */
  readonly servers: Peer[] = [];
  readonly #clients: Socket[] = [];

  private constructor(
    readonly proxy: ChaosProxy,
    readonly server: Server,
  ) {}

  static async start(options: Partial<ChaosProxyOptions> = {}): Promise<TcpPeers> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    const proxy = await ChaosProxy.listen({
      target: { port: (server.address() as AddressInfo).port },
      seed: 1,
      ...options,
    });
    const peers = new TcpPeers(proxy, server);
    server.on('connection', (socket) => peers.servers.push(watch(socket)));
    return peers;
  }

  /** A client's end, as soon as it is connected to the proxy or refused. */
  async dial(): Promise<Peer> {
    const socket = connect({ host: '127.0.0.1', port: this.proxy.port, allowHalfOpen: true, noDelay: true });
    this.#clients.push(socket);
    const client = watch(socket);
    await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
    return client;
  }

  /** Both ends of a connection through the proxy and its link. */
  async connect(): Promise<{ client: Peer; server: Peer; link: ChaosLink }> {
    const index = this.servers.length;
    const [client, link] = await Promise.all([this.dial(), this.proxy.nextLink()]);
    const server = await until(() => this.servers[index], { what: 'the connection to reach the server', everyMs: 1 });
    return { client, server, link };
  }

  async close(): Promise<void> {
    await this.proxy.close();
    for (const socket of [...this.#clients, ...this.servers.map((peer) => peer.socket)]) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}
