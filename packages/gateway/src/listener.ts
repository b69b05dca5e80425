import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { GatewayListener } from '@holdfast/policy';
import { errors, HoldfastError } from '@holdfast/protocol';
import { Certificates } from './certificates.js';
import type { Context } from './context.js';
import type { ExchangeLimits } from './exchange.js';
import { errorAnswer, writeError } from './error-answer.js';
import { takeProxyHeader } from './proxy-header.js';
import { ignore } from './ignore.js';
import { refusal, type Refusal } from './refusal.js';
import { plainAddress } from './trust.js';
import { announceAddress, receiveUnread, type Visit } from './visit.js';
import { wantsWebSocket } from './websocket/handshake.js';
import { takeWire, type Wire } from './websocket/wire.js';

/** What Node's servers take at their beginning alone: who changes one of these needs another server. */
export type ListenerOptions = GatewayListener & Pick<ExchangeLimits, 'headerBytes' | 'handshakeMs'>;

export interface ListenerEvents {
  request(request: IncomingMessage, response: ServerResponse, expects: boolean): void;
  upgrade(request: IncomingMessage, wire: Wire, head: Buffer): void;
  /** The body of a request is broken that is not answered yet. */
  broken(response: ServerResponse, why: Refusal): void;
  /** What came was no request, or more than there may be; this was answered. */
  turnedAway(visit: Visit): void;
  /** The same without an answer. */
  refused(error: string): void;
}

/** How long a client may keep a connection without asking for anything. */
const KEEP_ALIVE_MS = 60_000;
/** Connections of one address that have said nothing yet count against its limit so often more: a page opens several. */
const SOCKETS_PER_PLACE = 2;

const CLIENT_ERRORS: Readonly<Record<string, Refusal>> = {
  ERR_HTTP_REQUEST_TIMEOUT: refusal(408, errors.REQUEST_SLOW),
  HPE_HEADER_OVERFLOW: refusal(431, errors.REQUEST_LARGE),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: refusal(413, errors.REQUEST_LARGE),
};

/** One address that is listened on. */
export class Listener {
  readonly options: ListenerOptions;
  readonly #context: Context;
  readonly #events: ListenerEvents;
  readonly #server: Server | HttpsServer;
  readonly #certificates: Certificates | undefined;
  readonly #sockets = new Map<Socket, string>();
  /** By the balancer's address and port: what the PROXY header of that connection has said. */
  readonly #announced = new Map<string, string>();
  readonly #perAddress = new Map<string, number>();
  /** The answer that a connection is occupied with, so that nothing is written into it. */
  readonly #answers = new WeakMap<Duplex, ServerResponse>();

  /** Throws `HF_CERTIFICATE`. */
  constructor(options: ListenerOptions, context: Context, events: ListenerEvents) {
    this.options = options;
    this.#context = context;
    this.#events = events;
    const { headerBytes, handshakeMs } = options;
    const serverOptions: ServerOptions = {
      insecureHTTPParser: false,
      requireHostHeader: false,
      maxHeaderSize: headerBytes,
      headersTimeout: handshakeMs,
      // A body may take as long as it moves: the route's own times judge that.
      requestTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: Math.min(5_000, Math.max(100, handshakeMs / 4)),
      noDelay: true,
    };
    if (options.certificates.length > 0) {
      const certificates = new Certificates(options.certificates);
      this.#certificates = certificates;
      this.#server = createHttpsServer({
        ...serverOptions,
        ALPNProtocols: ['http/1.1'],
        handshakeTimeout: handshakeMs,
        SNICallback: (name, done) => done(null, certificates.find(name)),
        ...certificates.first,
      });
    } else this.#server = createHttpServer(serverOptions);
    // Their bytes are bounded; beyond a number of them Node would drop the rest without a word.
    this.#server.maxHeadersCount = 0;
    this.#wire();
  }

  get address(): AddressInfo {
    return this.#server.address() as AddressInfo;
  }

  /** Open connections. */
  get sockets(): number {
    return this.#sockets.size;
  }

  /** Throws `HF_LISTEN`. */
  async listen(): Promise<void> {
    const { host, port } = this.options;
    this.#server.listen(port, host);
    try {
      await once(this.#server, 'listening');
    } catch (cause) {
      throw new HoldfastError(errors.LISTEN, `${host}:${port}`, { cause });
    }
  }

  refreshCertificates(problem: (error: unknown) => void): void {
    if (this.#certificates?.refresh(problem)) (this.#server as HttpsServer).setSecureContext(this.#certificates.first);
  }

  /** Accepts no more, and ends connections that are between two requests. */
  stop(): void {
    if (this.#server.listening) this.#server.close();
    this.#server.closeIdleConnections();
  }

  async close(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined;
    this.stop();
    for (const socket of this.#sockets.keys()) socket.destroy();
    await closed;
  }

  // ---------------------------------------------------------------------------------------------------------- connections

  #wire(): void {
    const server = this.#server;
    // Between the system and whoever reads a connection: `http`, or TLS.
    const [begin] = server.listeners('connection') as ((this: unknown, socket: Socket) => void)[];
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => this.#accept(socket, () => begin?.call(server, socket)));
    if (this.options.proxyProtocol)
      server.prependListener('secureConnection', (secure: Socket) => this.#secured(secure));
    server.on('request', (request, response) => this.#request(request, response, false));
    server.on('checkContinue', (request, response) => this.#request(request, response, true));
    server.on('upgrade', (request, socket, head) => {
      // Behind a request that is not answered yet, there is no place for the answer to this one.
      if (this.#answers.has(socket)) socket.destroy();
      else if (wantsWebSocket(request)) this.#events.upgrade(request, this.#takeOver(socket), head);
      else this.#ignoreUpgrade(request, socket);
    });
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#clientError(error, socket));
    server.on('connect', (_request, socket) =>
      this.#turnAway(socket, refusal(405, errors.REQUEST, 'CONNECT is not served')),
    );
  }

  #accept(socket: Socket, begin: () => void): void {
    socket.on('error', ignore);
    if (!this.options.proxyProtocol) return this.#admit(socket, plainAddress(socket.remoteAddress ?? ''), begin);
    this.#enter(socket, '');
    const timer = this.#context.clock.setTimeout(() => socket.destroy(), this.#context.settings.limits.handshakeMs);
    socket.once('close', () => this.#context.clock.clearTimeout(timer));
    takeProxyHeader(socket, (result) => {
      this.#context.clock.clearTimeout(timer);
      if (result === 'invalid') {
        this.#events.refused(errors.PROXY_HEADER.code);
        return void socket.destroy();
      }
      const address = result.address ?? plainAddress(socket.remoteAddress ?? '');
      if (address !== undefined) this.#announce(socket, address);
      this.#admit(socket, address, begin);
    });
  }

  /** Bounds what one address may have open before it has asked for anything, and everybody together. */
  #admit(socket: Socket, address = '', begin: () => void): void {
    const { environment, proxies } = this.#context.settings;
    const { connections, connectionsPerAddress } = environment.limits;
    const fromAddress = (this.#perAddress.get(address) ?? 0) + 1;
    const isOne = !proxies.trusts(address) && fromAddress > connectionsPerAddress * SOCKETS_PER_PLACE;
    if (isOne || this.#sockets.size >= connections * SOCKETS_PER_PLACE) {
      const why = isOne ? refusal(429, errors.ADDRESS_LIMIT) : refusal(503, errors.BUSY);
      this.#enter(socket, address);
      // TLS has not begun, so a status could not be read.
      if (this.#certificates) return void socket.destroy();
      return this.#turnAway(socket, { ...why, retryMs: 5_000 });
    }
    this.#enter(socket, address);
    begin();
  }

  /** Counts on, for the socket that has taken the place of another. */
  #takeOver(socket: Duplex): Wire {
    const wire = takeWire(socket);
    if (wire.socket !== socket) this.#enter(wire.socket as Socket, this.#sockets.get(socket as Socket) ?? '');
    return wire;
  }

  #announce(socket: Socket, address: string): void {
    const peer = peerOf(socket);
    announceAddress(socket, address);
    this.#announced.set(peer, address);
    socket.once('close', () => this.#announced.delete(peer));
  }

  #enter(socket: Socket, address: string): void {
    const before = this.#sockets.get(socket);
    if (before === undefined) socket.once('close', () => this.#left(socket));
    else this.#count(before, -1);
    this.#sockets.set(socket, address);
    this.#count(address, 1);
  }

  #left(socket: Socket): void {
    this.#count(this.#sockets.get(socket) ?? '', -1);
    this.#sockets.delete(socket);
  }

  #count(address: string, difference: number): void {
    const count = (this.#perAddress.get(address) ?? 0) + difference;
    if (count > 0) this.#perAddress.set(address, count);
    else this.#perAddress.delete(address);
  }

  /** What a PROXY header has said of the connection holds for what is inside of TLS. */
  #secured(secure: Socket): void {
    const address = this.#announced.get(peerOf(secure));
    if (address !== undefined) announceAddress(secure, address);
  }

  // -------------------------------------------------------------------------------------------------------------- requests

  #request(request: IncomingMessage, response: ServerResponse, expects: boolean): void {
    const { socket } = request;
    this.#answers.set(socket, response);
    response.once('close', () => {
      if (this.#answers.get(socket) === response) this.#answers.delete(socket);
    });
    this.#events.request(request, response, expects);
  }

  /** A client may offer what it likes (Java's offers h2c with every first request); it is answered as if it had not. */
  #ignoreUpgrade(request: IncomingMessage, socket: Duplex): void {
    socket.on('error', ignore);
    const hasBody =
      request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
    // The parser has let go of the connection, so there is nobody to read a body.
    if (hasBody)
      return this.#turnAway(socket, refusal(400, errors.REQUEST, 'a body behind an upgrade that is not served'));
    const response = new ServerResponse(request);
    response.assignSocket(socket as Socket);
    response.shouldKeepAlive = false;
    response.once('finish', () => socket.end());
    this.#events.request(request, response, false);
    socket.resume();
  }

  #clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    const answer = this.#answers.get(socket);
    const why = CLIENT_ERRORS[error.code ?? ''] ?? refusal(400, errors.REQUEST);
    if (answer === undefined) this.#turnAway(socket, why);
    // In the middle of an answer there is no place for another; before it, it is the answer to the body that is broken.
    else if (answer.headersSent) socket.destroy();
    else this.#events.broken(answer, why);
  }

  #turnAway(socket: Duplex, why: Refusal): void {
    const { clock, settings } = this.#context;
    const visit = receiveUnread(socket, clock.now());
    const { account, id } = visit;
    account.status = why.status;
    account.endedBy('gateway', why.error.code);
    account.toClient.bytes += writeError(socket, errorAnswer(why, id, settings.environment.gateway.errorBodies));
    this.#events.turnedAway(visit);
    const timer = clock.setTimeout(() => socket.destroy(), settings.limits.closeMs);
    socket.once('close', () => clock.clearTimeout(timer));
    socket.resume();
  }
}

/** The same for a connection and for the TLS inside of it. */
const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
