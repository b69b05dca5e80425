import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocketServer } from 'ws';

/** What a backend tells of a request, over HTTP as the body and over a WebSocket as the first message. */
export interface Heard {
  readonly backend: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** A plain server behind a proxy: it says who it is and what it was asked, and echoes messages. */
export class Backend implements AsyncDisposable {
  readonly name: string;
  port = 0;
  /** Whether `/readyz` says 200. */
  isReady = true;
  /** How often anything but a health check was asked. */
  requests = 0;
  #server!: Server;
  #sockets!: WebSocketServer;
  readonly #connections = new Set<Socket>();

  private constructor(name: string) {
    this.name = name;
  }

  static async start(name: string): Promise<Backend> {
    const backend = new Backend(name);
    await backend.listen();
    return backend;
  }

  /** Listens, on the port that it had before if it had one. */
  async listen(): Promise<void> {
    this.#server = createServer((request, response) => {
      if (request.url === '/readyz') {
        response.writeHead(this.isReady ? 200 : 503).end();
        return;
      }
      this.requests++;
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(this.#heard(request)));
    });
    this.#server.on('connection', (socket: Socket) => {
      this.#connections.add(socket);
      socket.on('close', () => this.#connections.delete(socket));
    });
    this.#sockets = new WebSocketServer({ server: this.#server });
    this.#sockets.on('connection', (socket, request) => {
      this.requests++;
      socket.on('error', () => undefined);
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
      socket.send(JSON.stringify(this.#heard(request)));
    });
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
  }

  /** As if its process were killed: every connection is reset, and new ones are refused. */
  async kill(): Promise<void> {
    this.#sockets.close();
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#connections) socket.resetAndDestroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.kill();
  }

  #heard({ url = '', headers }: IncomingMessage): Heard {
    return { backend: this.name, url, headers };
  }
}
