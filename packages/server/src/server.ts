import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { agreementOf, closeCodeOf, closeReason, errors, HoldfastError, isId, type ErrorKind } from '@holdfast/protocol';
import { MemoryStore, type SessionState } from '@holdfast/store';
import { WebSocketServer as WsServer, type Server as WsServerOf, type WebSocket as Ws } from 'ws';

type Upgrader = WsServerOf<typeof PlainSocket>;
import { Admission, type Refusal } from './admission.js';
import type { Done } from './committer.js';
import { checkTopic, toContent, type SendData } from './content.js';
import { drain, type DrainOptions, type DrainReport } from './drain.js';
import { originAllowed, refuseHttp, verify } from './gatekeeper.js';
import { greeting, refuse } from './greeter.js';
import { answerHealth, type HealthReport } from './health.js';
import { DEFAULT_KEEPALIVE, Keepalive, type KeepaliveOptions } from './keepalive.js';
import { sessionOptions, wsMaxPayload, type ServerOptions, type SessionOptions } from './options.js';
import { PlainSocket } from './plain-socket.js';
import type { PodSession } from './pod-session.js';
import { Pod } from './pod.js';
import { chooseProtocol, offered, speaksHoldfast } from './protocols.js';
import { SessionSocket } from './session-socket.js';
import type { Socket } from './socket.js';
import { WsTransport } from './transport.js';

type Connected = (socket: Socket, request: IncomingMessage) => void;

/**
 * A WebSocketServer as `ws` has it, whose sockets are sessions. It takes the options of `ws` and emits its events; a client that
 * does not speak holdfast.v1 gets an ordinary `ws` socket, kept alive by pings.
 *
 * Events besides those of `ws`: `handlerError` (error, socket) when a listener of a socket threw and the socket has no `error`
 * listener; `storeError` (error) and `storeRecovered`.
 */
export class WebSocketServer extends EventEmitter {
  readonly options: ServerOptions;
  readonly clients = new Set<Socket>();
  readonly path: string | undefined;
  readonly #sessionOptions: SessionOptions;
  readonly #keepalive: KeepaliveOptions;
  readonly #admission: Admission;
  readonly #upgrader: Upgrader;
  readonly #pod: Pod;
  readonly #plain = new Set<Ws>();
  readonly #ownStore: MemoryStore | undefined;
  #http: HttpServer | undefined;
  #ownHttp = false;
  #unhook: () => unknown = () => {};
  #storeTroubled = false;
  #draining = false;
  #closing: Promise<void> | undefined;
  /** Where `connection` is told for sessions that begin with an upgrade: the callback of that `handleUpgrade`. */
  readonly #connected = new WeakMap<IncomingMessage, Connected>();
  readonly #protocols = new WeakMap<IncomingMessage, string>();

  constructor(options: ServerOptions, listening?: () => void) {
    super();
    const given = [
      options.port !== undefined && options.port !== null,
      Boolean(options.server),
      Boolean(options.noServer),
    ];
    if (given.filter(Boolean).length !== 1) {
      throw new TypeError('One and only one of the "port", "server", or "noServer" options must be specified');
    }
    const pod = options.pod ?? `pod-${randomBytes(6).toString('hex')}`;
    if (!isId(pod)) throw new HoldfastError(errors.OPTION, `pod is ${JSON.stringify(pod)}`);
    this.options = options;
    this.path = options.path;
    this.#sessionOptions = sessionOptions(options);
    const { clock, policy, closeMs } = this.#sessionOptions;
    this.#keepalive = { ...DEFAULT_KEEPALIVE, ...options.keepalive };
    this.#admission = new Admission(this.#sessionOptions.admission, clock.monotonicMs());
    this.#ownStore = options.store ? undefined : new MemoryStore();
    this.#pod = new Pod({
      ...this.#sessionOptions,
      store: options.store ?? (this.#ownStore as MemoryStore),
      machine: { pod, policy, closeMs, allocate: (length) => Buffer.allocUnsafe(length) },
      listener: {
        opened: (session, state, request, recovered) => this.#opened(session, state, request, recovered),
        released: (session) => this.clients.delete(session.view as unknown as Socket),
        handlerFailed: (error, session) => this.#handlerFailed(error, session.view as unknown as Socket),
        storeTroubled: (troubled, cause) => this.#troubled(troubled, cause),
      },
    });
    this.#upgrader = this.#makeUpgrader(policy);
    this.#hook(listening);
  }

  // ------------------------------------------------------------------------------------------------------ the API of ws

  address(): AddressInfo | string | null {
    if (this.options.noServer) throw new Error('The server is operating in "noServer" mode');
    return this.#http?.address() ?? null;
  }

  shouldHandle(request: IncomingMessage): boolean | Promise<boolean> {
    return this.path === undefined || (request.url ?? '').split('?')[0] === this.path;
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, connected: Connected): void {
    const holdfast = speaksHoldfast(offered(request));
    const onError = (): void => void socket.destroy();
    socket.on('error', onError);
    void this.#judge(request).then(
      (refusal) => {
        socket.off('error', onError);
        if (!refusal) this.#upgrade(request, socket, head, holdfast, connected);
        else if (holdfast) this.#upgradeToRefuse(request, socket, head, refusal);
        else refuseHttp(socket, toHttp(refusal));
      },
      (error: unknown) => {
        socket.destroy();
        this.#handlerFailed(error as Error);
      },
    );
  }

  /** Stops accepting and tells of it when all clients are gone, as with `ws`: it does not close them. */
  close(done?: (error?: Error) => void): void {
    if (this.#closing) {
      if (done) void this.#closing.then(() => done(new Error('The server is not running')));
      return;
    }
    if (done) this.once('close', () => done());
    this.#admission.drain();
    this.#unhook();
    this.#closing = this.#finish();
  }

  // ------------------------------------------------------------------------------------------------- what holdfast adds

  /** The name of this process among those that share the store. */
  get pod(): string {
    return this.#pod.name;
  }

  /** Sends to all who follow the topic, on whatever pod. `done` is called when it is in the store. */
  publish(topic: string, data: SendData, done?: Done): void {
    this.#pod.committer.effect({ type: 'publish', topic: checkTopic(topic), ...toContent(data), done });
  }

  get health(): HealthReport {
    const sessions = Array.from(this.#pod.sessions.values());
    const { draining, handshakes } = this.#admission;
    return {
      ready: !draining && !this.#draining && !this.#storeTroubled && !this.#closing,
      pod: this.pod,
      draining: draining || this.#draining,
      storeTroubled: this.#storeTroubled,
      sessions: sessions.length,
      attached: sessions.filter((session) => session.machine.state === 'attached').length,
      plain: this.#plain.size,
      handshakes,
    };
  }

  /** Answers `/healthz` and `/readyz`; false if the request is neither. */
  handleHealth(request: IncomingMessage, response: ServerResponse): boolean {
    return answerHealth(request, response, () => this.health);
  }

  /**
   * Empties this pod for a restart: readiness fails at once, new clients are refused after `propagationMs`, every session is
   * asked to attach elsewhere, and what is left at the deadline is closed with 1012. Sessions and messages stay in the store.
   */
  async drain(options: DrainOptions = {}): Promise<DrainReport> {
    this.#draining = true;
    return drain(this.#pod, this.#plain, this.#sessionOptions.clock, options, () => this.#admission.drain());
  }

  // --------------------------------------------------------------------------------------------------------- upgrading

  #makeUpgrader(policy: SessionOptions['policy']): Upgrader {
    const { handleProtocols, perMessageDeflate } = this.options;
    const upgrader = new WsServer({
      ...this.options,
      perMessageDeflate: perMessageDeflate ?? false,
      maxPayload: wsMaxPayload(policy),
      noServer: true,
      server: undefined,
      port: undefined,
      host: undefined,
      backlog: undefined,
      path: undefined,
      verifyClient: undefined,
      clientTracking: false,
      WebSocket: PlainSocket,
      handleProtocols: (protocols, request) =>
        chooseProtocol(protocols, (applications) => {
          if (handleProtocols) return handleProtocols(applications, request);
          return (applications.values().next().value as string | undefined) ?? false;
        }),
    }) as unknown as Upgrader;
    upgrader.shouldHandle = (request) => this.shouldHandle(request);
    // ws looks whether anyone listens to these, so they are handed on one by one.
    const forwarded = new Set<string | symbol>(['headers', 'wsClientError']);
    this.on('newListener', (event: string | symbol, listener: () => void) => {
      if (forwarded.has(event)) upgrader.on(event, listener);
    });
    this.on('removeListener', (event: string | symbol, listener: () => void) => {
      if (forwarded.has(event)) upgrader.off(event, listener);
    });
    return upgrader;
  }

  /** Whether the request may become a connection: origin, capacity, and the application's own check, in this order of cost. */
  async #judge(request: IncomingMessage): Promise<Judgement | undefined> {
    if (!originAllowed(request, this.options.allowedOrigins)) return { error: errors.ORIGIN, status: 403 };
    const nowMs = this.#sessionOptions.clock.monotonicMs();
    const held = this.#pod.sessions.size + this.#plain.size;
    const refusal = this.#admission.admit(held, !comesBack(request), nowMs);
    if (refusal) return { ...refusal, status: 503 };
    const denied = await verify(request, this.options.verifyClient);
    if (denied) this.#admission.handshakeOver();
    return denied && { error: errors.UNAUTHORIZED, ...denied };
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, holdfast: boolean, connected: Connected): void {
    let upgraded = false;
    const over = (): void => {
      if (!upgraded) this.#admission.handshakeOver();
      upgraded = true;
    };
    socket.once('close', over);
    this.#upgrader.handleUpgrade(request, socket, head, (ws) => {
      socket.off('close', over);
      upgraded = true;
      if (holdfast && agreementOf(ws.protocol).holdfast) void this.#greet(ws, request, socket as NetSocket, connected);
      else this.#begin(ws, request, connected);
    });
  }

  /** A browser does not see the status of a failed handshake: our own client is let in to be told, with a close code. */
  #upgradeToRefuse(request: IncomingMessage, socket: Duplex, head: Buffer, { error, retryMs }: Judgement): void {
    this.#upgrader.handleUpgrade(request, socket, head, (ws) => {
      ws.on('error', () => ws.terminate());
      ws.close(closeCodeOf(error), closeReason(error, retryMs));
    });
  }

  #begin(ws: PlainSocket, request: IncomingMessage, connected: Connected): void {
    this.#admission.handshakeOver();
    this.#admission.breaker.succeeded();
    const { clock } = this.#sessionOptions;
    new Keepalive(ws, this.#keepalive, clock, this.#pod.deadlines);
    ws.publish = (topic, data) => this.publish(topic, data as SendData);
    ws.join(this.#pod.hub);
    const client = ws as unknown as Socket;
    this.#plain.add(ws);
    if (this.options.clientTracking !== false) this.clients.add(client);
    ws.on('close', () => {
      this.#plain.delete(ws);
      this.clients.delete(client);
    });
    connected(client, request);
  }

  async #greet(ws: PlainSocket, request: IncomingMessage, socket: NetSocket, connected: Connected): Promise<void> {
    const { clock, handshakeMs } = this.#sessionOptions;
    const transport = new WsTransport(ws, socket, clock);
    try {
      const frame = await greeting(transport, clock, handshakeMs);
      if (!frame) return;
      if (frame.type === 'hello' && comesBack(request)) {
        const refusal = this.#admission.admitNew(clock.monotonicMs());
        if (refusal) return refuse(transport, refusal.error, refusal.retryMs);
      }
      const { authenticate } = this.options;
      if (authenticate && !(await authenticate(frame.body.auth, request)))
        return refuse(transport, errors.UNAUTHORIZED);
      this.#connected.set(request, connected);
      this.#protocols.set(request, agreementOf(ws.protocol).protocol);
      await this.#pod.accept(transport, frame, request);
      this.#admission.breaker.succeeded();
    } catch (cause) {
      this.#admission.breaker.failed(clock.monotonicMs());
      refuse(transport, errors.FAILED, 1_000);
      this.#troubled(this.#storeTroubled, cause);
    } finally {
      this.#admission.handshakeOver();
    }
  }

  #opened(session: PodSession, state: SessionState, request: IncomingMessage, recovered: boolean): void {
    const protocol = this.#protocols.get(request) ?? '';
    const socket = new SessionSocket(session, state, this.#pod, protocol, recovered) as unknown as Socket;
    if (this.options.clientTracking !== false) this.clients.add(socket);
    const connected = this.#connected.get(request);
    if (connected) connected(socket, request);
    else this.emit('connection', socket, request);
  }

  // ------------------------------------------------------------------------------------------------------------ server

  #hook(listening?: () => void): void {
    const { options } = this;
    if (options.noServer) return;
    if (options.server) {
      this.#http = options.server as HttpServer;
    } else {
      this.#ownHttp = true;
      this.#http = createServer((request, response) => this.#answer(request, response));
      this.#http.listen(options.port as number, options.host, options.backlog, listening);
    }
    const http = this.#http;
    const onListening = (): void => void this.emit('listening');
    const onError = (error: Error): void => void this.emit('error', error);
    const connected: Connected = (client, request) => void this.emit('connection', client, request);
    const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void =>
      this.handleUpgrade(request, socket, head, connected);
    http.on('listening', onListening).on('error', onError).on('upgrade', onUpgrade);
    this.#unhook = () => http.off('listening', onListening).off('error', onError).off('upgrade', onUpgrade);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (this.handleHealth(request, response)) return;
    response.writeHead(426, { 'Content-Type': 'text/plain' });
    response.end(STATUS_CODES[426]);
  }

  async #finish(): Promise<void> {
    if (this.#ownHttp) await new Promise<void>((resolve) => this.#http?.close(() => resolve()));
    while (this.#plain.size > 0 || this.#attached > 0) await this.#pause(20);
    await this.#pod.stop();
    await this.#ownStore?.close();
    this.emit('close');
  }

  get #attached(): number {
    return this.health.attached;
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#sessionOptions.clock.setTimeout(() => resolve(), delayMs));
  }

  #troubled(troubled: boolean, cause: unknown): void {
    this.#storeTroubled = troubled;
    if (!troubled) this.emit('storeRecovered');
    else if (!this.emit('storeError', cause)) process.emitWarning(new HoldfastError(errors.STORE, '', { cause }));
  }

  #handlerFailed(error: Error, socket?: Socket): void {
    if (this.emit('handlerError', error, socket)) return;
    // As with ws: an error that nobody listens for is uncaught. Behind the commit, so that the message is not given out again.
    void this.#pod.committer.idle().then(() => {
      throw error;
    });
  }
}

interface Judgement extends Partial<Refusal> {
  readonly error: ErrorKind;
  readonly status: number;
  readonly message?: string;
  readonly headers?: import('node:http').OutgoingHttpHeaders;
}

function toHttp({ error, status, message, headers, retryMs }: Judgement): Parameters<typeof refuseHttp>[1] {
  const retryAfter = retryMs === undefined ? {} : { 'Retry-After': Math.ceil(retryMs / 1_000) };
  return { status, message: message ?? error.code, headers: { ...retryAfter, ...headers } };
}

/** A client that resumes says so in its URL. Only a hint: its first frame is what counts. */
const comesBack = (request: IncomingMessage): boolean => /[?&]hf=/.test(request.url ?? '');
