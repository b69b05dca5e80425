import { once } from 'node:events';
import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocketServer } from '@holdfast/server';

/** How often it is looked whether all are gone. */
const LOOK_MS = 20;
/**
 * How long a worker lives on after it has stopped listening. What the primary handed over in that moment is answered, or given back,
 * by a living process alone: with one that has exited, Node forgets the connection, and its client waits for ever.
 */
const HANDOVER_MS = 300;

/**
 * The HTTP server that a worker listens with: health answers itself, upgrades go to the WebSocketServer, and the rest to the
 * module's own server.
 */
export class Entrance {
  readonly #server: Server;
  readonly #wss: WebSocketServer;
  readonly #module: Server;
  #stoppedMs = -Infinity;

  constructor(wss: WebSocketServer, module: Server) {
    this.#wss = wss;
    this.#module = module;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#upgrade(request, socket, head);
    });
  }

  async listen(port: number, host: string): Promise<void> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
  }

  /** Accepts nobody from now on. Connections that are there stay, for as long as they are used. */
  stopListening(): void {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#stoppedMs = performance.now();
  }

  /** Waits until nobody is connected: requests are answered and what was sent to sockets is out. At most `timeoutMs`. */
  async finish(timeoutMs: number): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    const isNear = (): boolean => performance.now() - this.#stoppedMs < HANDOVER_MS;
    while (((await this.#connected()) > 0 || isNear()) && performance.now() < endMs) {
      this.#server.closeIdleConnections();
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  #connected(): Promise<number> {
    return new Promise((resolve) => this.#server.getConnections((error, count) => resolve(error ? 0 : count)));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (this.#wss.handleHealth(request, response)) return;
    if (this.#module.emit('request', request, response)) return;
    response.writeHead(426, { 'Content-Type': 'text/plain', Connection: 'Upgrade', Upgrade: 'websocket' });
    response.end(STATUS_CODES[426]);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#wss.shouldHandle(request) === true) {
      this.#wss.handleUpgrade(request, socket, head, (client) => void this.#wss.emit('connection', client, request));
    } else if (!this.#module.emit('upgrade', request, socket, head)) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    }
  }
}
