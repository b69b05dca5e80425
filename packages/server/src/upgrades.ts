import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { agreementOf, errors, type ErrorKind } from '@holdfast/protocol';
import { WebSocketServer as WsServer, type Server as WsServerOf, type VerifyClientCallbackAsync } from 'ws';
import type { Admission, Admitted } from './admission.js';
import { originAllowed, verify, type ClientInfo, type HttpRefusal } from './gatekeeper.js';
import { greeting, GREETING_BYTES, refuse, type Greeting } from './greeter.js';
import { wsMaxPayload, type ServerOptions, type SessionOptions } from './options.js';
import { PlainSocket } from './plain-socket.js';
import { chooseProtocol, offered, speaksHoldfast } from './protocols.js';
import type { Handshake } from './stored-handshake.js';
import { WsTransport, type Transport } from './transport.js';

export interface UpgradesListener {
  /** A client without holdfast.v1 is connected. */
  plain(ws: PlainSocket, socket: Duplex, handshake: Handshake): void;
  /** A client has said which session it wants. Rejects if it cannot be told whether it may have it. */
  greeted(transport: Transport, greeting: Greeting, handshake: Handshake): Promise<void>;
  /** A session could not be set up. */
  failed(cause: unknown): void;
  /** A callback of the application threw. */
  applicationFailed(error: Error): void;
}

/** Why a connection is not wanted: over HTTP, and as a close code. */
interface Judgement extends HttpRefusal {
  readonly error: ErrorKind;
  readonly retryMs?: number;
}

/** One request for an upgrade. */
interface Attempt {
  readonly socket: Duplex;
  readonly connected: Handshake['connected'];
  admitted?: Admitted;
  /** Called when the socket closes before it is upgraded. */
  abandoned?: () => void;
  judgement?: Judgement;
}

/** When a client should come back whose session could not be set up. */
const FAILED_RETRY_MS = 1_000;

/** From an HTTP upgrade to a greeted client: the checks of the application and of admission, the choice of protocol, the first frame. */
export class Upgrades {
  /** The server of `ws` that does the handshake of RFC 6455. */
  readonly ws: WsServerOf<typeof PlainSocket>;
  readonly #options: ServerOptions;
  readonly #sessionOptions: SessionOptions;
  readonly #admission: Admission;
  readonly #listener: UpgradesListener;
  readonly #attempts = new WeakMap<IncomingMessage, Attempt>();
  /** Connections that were upgraded only to be told why they are not wanted. */
  #turnedAway = 0;

  constructor(
    options: ServerOptions,
    sessionOptions: SessionOptions,
    admission: Admission,
    listener: UpgradesListener,
  ) {
    this.#options = options;
    this.#sessionOptions = sessionOptions;
    this.#admission = admission;
    this.#listener = listener;
    const { handleProtocols } = options;
    const choose: NonNullable<ServerOptions['handleProtocols']> = handleProtocols ?? firstOf;
    this.ws = new WsServer({
      // An option of ws that its types do not have.
      ...({ closeTimeout: sessionOptions.closeMs } as object),
      ...options,
      ...({ noServer: true, server: null, port: null, host: null, path: null } as object),
      maxPayload: wsMaxPayload(sessionOptions.policy),
      clientTracking: false,
      WebSocket: PlainSocket,
      verifyClient: (info, done) => void this.#verify(info, done),
      handleProtocols: (protocols, request) =>
        chooseProtocol(protocols, (applications) => choose(applications, request)),
    });
  }

  handle(request: IncomingMessage, socket: Duplex, head: Buffer, connected: Handshake['connected']): void {
    const attempt: Attempt = { socket, connected };
    this.#attempts.set(request, attempt);
    this.ws.handleUpgrade(request, socket, head, (ws) => this.#upgraded(ws, request, attempt));
  }

  // ---------------------------------------------------------------------------------------------------------- judgement

  async #verify(info: ClientInfo, done: Parameters<VerifyClientCallbackAsync>[1]): Promise<void> {
    const attempt = this.#attempts.get(info.req) as Attempt;
    try {
      const judgement = await this.#judge(info, attempt);
      // A browser is not told the status of a failed handshake: our own client is let in to be told, with a close code.
      if (judgement && this.#mayTurnAway(info.req)) attempt.judgement = judgement;
      else if (judgement)
        return done(false, judgement.status, judgement.message ?? judgement.error.code, toHeaders(judgement));
      done(true);
    } catch (error) {
      attempt.socket.destroy();
      this.#listener.applicationFailed(error as Error);
    }
  }

  /** Origin, capacity, and the application's own check, in this order of cost. Undefined: it may come in. */
  async #judge(info: ClientInfo, attempt: Attempt): Promise<Judgement | undefined> {
    if (!originAllowed(info.req, this.#options.allowedOrigins)) return { error: errors.ORIGIN, status: 403 };
    const admitted = this.#admission.admit(!comesBack(info.req));
    if ('error' in admitted) return { ...admitted, status: 503 };
    attempt.admitted = admitted;
    attempt.abandoned = () => admitted.over();
    attempt.socket.once('close', attempt.abandoned);
    return this.#inTime(verify(info, this.#options.verifyClient));
  }

  /** A check of the application that is not answered in time is as good as refused: a socket that waits is not read. */
  async #inTime(verifying: Promise<HttpRefusal | undefined>): Promise<Judgement | undefined> {
    const { clock, handshakeMs } = this.#sessionOptions;
    let timer: unknown;
    const late = new Promise<Judgement>((resolve) => {
      timer = clock.setTimeout(() => resolve({ error: errors.HANDSHAKE, status: 503 }), handshakeMs);
    });
    try {
      return await Promise.race([
        verifying.then((denied) => denied && { error: errors.UNAUTHORIZED, ...denied }),
        late,
      ]);
    } finally {
      clock.clearTimeout(timer);
    }
  }

  #mayTurnAway(request: IncomingMessage): boolean {
    return speaksHoldfast(offered(request)) && this.#turnedAway < this.#sessionOptions.admission.maxHandshakes;
  }

  #turnAway(ws: PlainSocket, transport: WsTransport, { error, retryMs }: Judgement): void {
    this.#turnedAway++;
    ws.on('close', () => this.#turnedAway--);
    refuse(transport, error, retryMs);
    // It may have said its greeting already, and should hear why that was for nothing.
    transport.limitBytes(GREETING_BYTES, () => {});
  }

  // ------------------------------------------------------------------------------------------------------------ upgraded

  #upgraded(ws: PlainSocket, request: IncomingMessage, attempt: Attempt): void {
    const { socket, connected, admitted, abandoned, judgement } = attempt;
    if (abandoned) socket.off('close', abandoned);
    if (judgement || !admitted) {
      admitted?.over();
      const transport = new WsTransport(ws, socket, this.#sessionOptions.clock);
      return this.#turnAway(ws, transport, judgement as Judgement);
    }
    const { holdfast, protocol } = agreementOf(ws.protocol);
    const handshake: Handshake = { request, protocol, connected };
    if (holdfast) return void this.#greet(new WsTransport(ws, socket, this.#sessionOptions.clock), handshake, admitted);
    admitted.over();
    this.#listener.plain(ws, socket, handshake);
  }

  async #greet(transport: WsTransport, handshake: Handshake, admitted: Admitted): Promise<void> {
    const { clock, handshakeMs } = this.#sessionOptions;
    let verdict: 'established' | 'failed' | undefined;
    try {
      const frame = await greeting(transport, clock, handshakeMs);
      if (frame && (await this.#mayEnter(transport, frame, handshake.request))) {
        await this.#listener.greeted(transport, frame, handshake);
        verdict = 'established';
      }
    } catch (cause) {
      verdict = 'failed';
      refuse(transport, errors.FAILED, FAILED_RETRY_MS);
      this.#listener.failed(cause);
    } finally {
      admitted.over(verdict);
    }
  }

  async #mayEnter(transport: WsTransport, { type, body }: Greeting, request: IncomingMessage): Promise<boolean> {
    const refusal = type === 'hello' && comesBack(request) ? this.#admission.admitNew() : undefined;
    if (refusal) refuse(transport, refusal.error, refusal.retryMs);
    const { authenticate } = this.#options;
    if (refusal || !authenticate) return !refusal;
    try {
      if (await authenticate(body.auth, request)) return true;
      refuse(transport, errors.UNAUTHORIZED);
    } catch (error) {
      refuse(transport, errors.FAILED, FAILED_RETRY_MS);
      this.#listener.applicationFailed(error as Error);
    }
    return false;
  }
}

/** As `ws` chooses when it is not told. */
const firstOf = (protocols: Set<string>): string | false => protocols.values().next().value ?? false;

const toHeaders = ({ retryMs, headers }: Judgement): HttpRefusal['headers'] => ({
  ...(retryMs !== undefined && { 'Retry-After': Math.ceil(retryMs / 1_000) }),
  ...headers,
});

/** A client that resumes says so in its URL. Only a hint: its first frame is what counts. */
const comesBack = (request: IncomingMessage): boolean => /[?&]hf=/.test(request.url ?? '');
