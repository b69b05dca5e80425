import { EventEmitter } from 'node:events';
import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { errors, HoldfastError } from '@holdfast/protocol';
import { MemoryStore, type SessionState, type Store } from '@holdfast/store';
import { Admission } from './admission.js';
import type { Done } from './committer.js';
import { checkTopic, toContent, type SendData } from './content.js';
import { drain, drainOptions, type DrainOptions, type DrainReport } from './drain.js';
import { answerDrain } from './drain-requests.js';
import { answerHealth, type HealthReport } from './health.js';
import { Keepalive } from './keepalive.js';
import { nameOfRun, sessionOptions, type ServerOptions, type SessionOptions } from './options.js';
import type { PlainSocket } from './plain-socket.js';
import type { PodSession } from './pod-session.js';
import { Pod } from './pod.js';
import type { Presence, PresenceOptions } from './presence.js';
import { createPublisher, type Publisher } from './publisher.js';
import { Rotation } from './rotation.js';
import { SessionSocket, type SocketNews } from './session-socket.js';
import type { Socket } from './socket.js';
import type { Handshake } from './stored-handshake.js';
import { Upgrades } from './upgrades.js';

/** What the publisher of a server that is drained gets at most to write what is pending. */
const PUBLISHER_CLOSE_MS = 1_000;

type Connected = NonNullable<Handshake['connected']>;

/** The events of `ws`'s server, and those that holdfast adds. */
export interface WebSocketServerEvents {
  connection: [socket: Socket, request: IncomingMessage];
  listening: [];
  close: [];
  error: [error: Error];
  headers: [headers: string[], request: IncomingMessage];
  wsClientError: [error: Error, socket: Duplex, request: IncomingMessage];
  /** A client is back, on another connection: of a session that this process had already. */
  attached: [socket: Socket];
  /** The connection of a session is lost; the session stays. */
  detached: [socket: Socket, code: number, reason: Buffer];
  /** Another process has the session now; `close` of the socket follows. */
  moved: [socket: Socket];
  /** The life of the session is over without its client having come back; `close` of the socket follows. */
  expired: [socket: Socket];
  /** The application threw: a listener of a socket that does not listen for `error`, or a callback. Without a listener: uncaught. */
  handlerError: [error: Error, socket: Socket | undefined];
  /** The store fails; what was to be written is tried again. */
  storeError: [error: unknown];
  storeRecovered: [];
}

/**
 * A WebSocketServer as `ws` has it, whose sockets are sessions. It takes the options of `ws` and emits its events; a client that
 * does not speak holdfast.v1 gets an ordinary `ws` socket, kept alive by pings.
 */
export class WebSocketServer extends EventEmitter<WebSocketServerEvents> {
  readonly options: ServerOptions;
  readonly clients = new Set<Socket>();
  /** The option, as the types of `ws` have it: they do not say that it may be absent. */
  readonly path: string;
  readonly #sessionOptions: SessionOptions;
  readonly #admission: Admission;
  readonly #upgrades: Upgrades;
  readonly #pod: Pod;
  readonly #plain = new Set<PlainSocket>();
  readonly #ownStore: MemoryStore | undefined;
  readonly #store: Store;
  readonly #rotation: Rotation | undefined;
  #publisher: Publisher | undefined;
  #http: HttpServer | undefined;
  #ownHttp = false;
  #unhook: () => unknown = () => {};
  #storeTroubled = false;
  #drained: Promise<DrainReport> | undefined;
  /** Connections that came before anybody listened: a store hands sessions over as soon as it is asked. */
  readonly #unheard = new Map<Socket, IncomingMessage>();
  /** Set by a closing server: called when no client is connected any more. */
  #left: (() => void) | undefined;
  #state: 'running' | 'closing' | 'closed' = 'running';

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
    const pod = nameOfRun(options);
    this.options = options;
    this.path = options.path as string;
    this.#sessionOptions = sessionOptions(options);
    const { clock, policy, closeMs } = this.#sessionOptions;
    this.#admission = new Admission(this.#sessionOptions.admission, clock, () => this.#held);
    this.#ownStore = options.store ? undefined : new MemoryStore();
    this.#store = options.store ?? (this.#ownStore as MemoryStore);
    this.#pod = new Pod({
      ...this.#sessionOptions,
      store: this.#store,
      machine: { pod, policy, closeMs, allocate: (length) => Buffer.allocUnsafe(length) },
      listener: {
        opened: (session, state, handshake, recovered) => this.#opened(session, state, handshake, recovered),
        left: () => this.#wakeIfLeft(),
        handlerFailed: (error, session) => this.#handlerFailed(error, session?.view as unknown as Socket),
        storeTroubled: (troubled, cause) => this.#troubled(troubled, cause),
      },
    });
    this.#upgrades = new Upgrades(options, this.#sessionOptions, this.#admission, {
      plain: (ws, socket, handshake) => this.#began(ws, socket, handshake),
      greeted: (transport, frame, handshake) => this.#pod.accept(transport, frame, handshake),
      failed: (cause) => this.#storeFailed(cause),
      applicationFailed: (error) => this.#handlerFailed(error),
    });
    const { rotation } = this.#sessionOptions;
    const clients = (): (PodSession | PlainSocket)[] => [...this.#pod.sessions.values(), ...this.#plain];
    this.#rotation = rotation && new Rotation(rotation, { clock, random: Math.random, clients });
    this.#forward();
    this.#hook(listening);
  }

  // ------------------------------------------------------------------------------------------------------ the API of ws

  address(): AddressInfo | string | null {
    if (this.options.noServer) throw new Error('The server is operating in "noServer" mode');
    return this.#http?.address() ?? null;
  }

  shouldHandle(request: IncomingMessage): boolean | Promise<boolean> {
    const { path } = this.options;
    return !path || (request.url ?? '').split('?')[0] === path;
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, connected: Connected): void {
    this.#upgrades.handle(request, socket, head, connected);
  }

  /** Stops accepting and tells of it when all clients are gone, as with `ws`: it does not close them. */
  close(done?: (error?: Error) => void): void {
    if (this.#state === 'closed') {
      queueMicrotask(() => done?.(new Error('The server is not running')));
      return;
    }
    if (done) this.once('close', () => done());
    if (this.#state === 'closing') return;
    this.#state = 'closing';
    this.#admission.drain();
    this.#pod.retire();
    this.#rotation?.stop();
    this.#unhook();
    void this.#finish();
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

  /**
   * Sends to sessions and users wherever they are, and publishes, as `createPublisher` does in a process that holds no sockets: what
   * it sends is no part of the message that a handler is at.
   */
  get publisher(): Publisher {
    this.#publisher ??= createPublisher({ store: this.#store, clock: this.#sessionOptions.clock });
    return this.#publisher;
  }

  /** Who follows a topic, on any pod. */
  presence(topic: string, options?: PresenceOptions): Presence {
    return this.publisher.presence(topic, options);
  }

  /** The sessions of a user, on any pod. */
  presenceOfUser(user: string, options?: PresenceOptions): Presence {
    return this.publisher.presenceOfUser(user, options);
  }

  get health(): HealthReport {
    const { draining, handshakes } = this.#admission;
    const isDraining = draining || this.#drained !== undefined;
    return {
      ready: !isDraining && !this.#storeTroubled,
      pod: this.pod,
      draining: isDraining,
      storeTroubled: this.#storeTroubled,
      sessions: this.#pod.sessions.size,
      attached: this.#attached,
      plain: this.#plain.size,
      handshakes,
    };
  }

  /** Answers `/healthz` and `/readyz`, and `POST /drain` where the options say so; false if the request is none of them. */
  handleHealth(request: IncomingMessage, response: ServerResponse): boolean {
    const { drainRequests } = this.options;
    if (drainRequests && answerDrain(request, response, { drain: () => this.drain(), ...drainRequests })) return true;
    return answerHealth(request, response, () => this.health);
  }

  /**
   * Empties this pod for a restart: readiness fails at once, new clients are refused after `propagationMs`, every session is
   * asked to attach elsewhere, and what is left at the deadline is closed with 1012. Sessions and messages stay in the store.
   * Called again it returns the drain that is under way. Throws HF_OPTION.
   */
  drain(options: DrainOptions = {}): Promise<DrainReport> {
    const numbers = drainOptions(options);
    this.#rotation?.stop();
    const stopAccepting = (): (() => number) => {
      this.#admission.drain();
      return () => this.#admission.handshakes;
    };
    const { clock } = this.#sessionOptions;
    this.#drained ??= drain({ pod: this.#pod, plain: this.#plain, clock, stopAccepting }, numbers).then(
      async (report) => {
        // What it was given is written as well, unless the store takes too long.
        await this.#publisher?.close({ deadlineMs: PUBLISHER_CLOSE_MS });
        return report;
      },
    );
    return this.#drained;
  }

  // -------------------------------------------------------------------------------------------------------- connections

  #began(ws: PlainSocket, socket: Duplex, { request, connected }: Handshake): void {
    const { clock, executionMs, keepalive } = this.#sessionOptions;
    new Keepalive(ws, socket, keepalive, clock, this.#pod.deadlines);
    ws.join({
      hub: this.#pod.hub,
      clock,
      executionMs,
      publish: (topic, data) => this.publish(topic, data),
      handlerFailed: (error, client) => this.#handlerFailed(error, client),
    });
    this.#plain.add(ws);
    ws.on('close', () => {
      this.#plain.delete(ws);
      this.#wakeIfLeft();
    });
    this.#connect(ws, request, connected);
  }

  #opened(session: PodSession, state: SessionState, handshake: Handshake, recovered: boolean): void {
    const report = (event: SocketNews, ...args: unknown[]): void =>
      this.#guard(() => (this as EventEmitter).emit(event, socket, ...args), socket);
    const { protocol } = handshake;
    const socket: Socket = new SessionSocket(session, state, this.#pod, { protocol, recovered, report });
    this.#connect(socket, handshake.request, handshake.connected);
  }

  #connect(socket: Socket, request: IncomingMessage, connected: Handshake['connected']): void {
    if (this.options.clientTracking !== false) {
      this.clients.add(socket);
      socket.on('close', () => this.clients.delete(socket));
    }
    this.#guard(() => (connected ? connected(socket, request) : this.#tell(socket, request)), socket);
  }

  /** A session that nobody hears of would take messages and lose them: it is held until somebody listens. */
  #tell(socket: Socket, request: IncomingMessage): void {
    if (this.emit('connection', socket, request) || !socket.session.resumable) return;
    socket.pause();
    this.#unheard.set(socket, request);
    socket.on('close', () => this.#unheard.delete(socket));
  }

  #tellUnheard(): void {
    for (const [socket, request] of this.#unheard) {
      this.#unheard.delete(socket);
      this.#guard(() => this.emit('connection', socket, request), socket);
      socket.resume();
    }
  }

  // ------------------------------------------------------------------------------------------------------------ server

  #hook(listening?: () => void): void {
    const { options } = this;
    if (options.noServer) return;
    if (options.server) {
      this.#http = options.server;
    } else {
      this.#ownHttp = true;
      this.#http = createServer((request, response) => this.#answer(request, response));
      this.#http.listen(options.port as number, options.host, options.backlog, listening);
    }
    const http = this.#http;
    const onListening = (): void => void this.emit('listening');
    const onError = (error: Error): void => void this.emit('error', error);
    const connected: Connected = (client, request) => this.#tell(client, request);
    const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void =>
      this.handleUpgrade(request, socket, head, connected);
    http.on('listening', onListening).on('error', onError).on('upgrade', onUpgrade);
    this.#unhook = () => http.off('listening', onListening).off('error', onError).off('upgrade', onUpgrade);
  }

  /** Joins the server of `ws`, which does the handshakes, to this one, whose methods and events the application knows. */
  #forward(): void {
    const { ws } = this.#upgrades;
    ws.shouldHandle = (request) => this.shouldHandle(request);
    ws.on('headers', (headers, request) => void this.emit('headers', headers, request));
    // ws looks whether anyone listens to this: then it leaves the answer to them.
    const onClientError = (...args: WebSocketServerEvents['wsClientError']): void =>
      void this.emit('wsClientError', ...args);
    const watch = this as EventEmitter;
    const isLonely = (event: unknown): boolean => event === 'wsClientError' && this.listenerCount(event) === 0;
    watch.on('newListener', (event) => {
      if (isLonely(event)) ws.on('wsClientError', onClientError);
      // Behind the call that adds the listener.
      if (event === 'connection' && this.#unheard.size > 0) queueMicrotask(() => this.#tellUnheard());
    });
    watch.on('removeListener', (event) => {
      if (isLonely(event)) ws.off('wsClientError', onClientError);
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (this.handleHealth(request, response)) return;
    response.writeHead(426, { 'Content-Type': 'text/plain' });
    response.end(STATUS_CODES[426]);
  }

  async #finish(): Promise<void> {
    if (this.#ownHttp) await new Promise<void>((resolve) => this.#http?.close(() => resolve()));
    await new Promise<void>((resolve) => {
      this.#left = resolve;
      this.#wakeIfLeft();
    });
    await this.#publisher?.close();
    await this.#pod.stop();
    await this.#ownStore?.close();
    this.#state = 'closed';
    this.emit('close');
  }

  #wakeIfLeft(): void {
    if (this.#left && this.#plain.size === 0 && this.#attached === 0) this.#left();
  }

  get #held(): number {
    return this.#pod.sessions.size + this.#plain.size;
  }

  get #attached(): number {
    let attached = 0;
    for (const session of this.#pod.sessions.values()) if (session.attached) attached++;
    return attached;
  }

  #troubled(troubled: boolean, cause: unknown): void {
    this.#storeTroubled = troubled;
    if (troubled) this.#storeFailed(cause);
    else this.#guard(() => this.emit('storeRecovered'));
  }

  #storeFailed(cause: unknown): void {
    this.#guard(() => {
      if (!this.emit('storeError', cause)) process.emitWarning(new HoldfastError(errors.STORE, '', { cause }));
    });
  }

  /** A listener that throws must not stop what has told it. */
  #guard(tell: () => unknown, socket?: Socket): void {
    try {
      tell();
    } catch (error) {
      this.#handlerFailed(error as Error, socket);
    }
  }

  #handlerFailed(error: Error, socket?: Socket): void {
    let uncaught = error;
    try {
      if (this.emit('handlerError', error, socket)) return;
    } catch (thrown) {
      uncaught = thrown as Error;
    }
    // As with ws: an error that nobody listens for is uncaught. Behind the commit, so that the message is not given out again.
    void this.#pod.committer.idle().then(() => {
      throw uncaught;
    });
  }
}
