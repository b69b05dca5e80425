import {
  request as httpRequest,
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Route } from '@holdfast/policy';
import { errors } from '@holdfast/protocol';
import type { Clock } from '../clock.js';
import type { ExchangeLimits } from '../exchange.js';
import type { FailureCause, Pick, Pod } from '../pool/index.js';
import { noPod, refusal, type Refusal } from '../refusal.js';
import { IdleTimer, SendTimer } from '../timers.js';
import type { Visit } from '../visit.js';
import { endToEnd } from './headers.js';

export interface ErrandOptions {
  readonly request: IncomingMessage;
  readonly visit: Visit;
  readonly response: ServerResponse;
  readonly route: Route;
  readonly expects: boolean;
  readonly agent: Agent;
  readonly clock: Clock;
  readonly limits: ExchangeLimits & { readonly bodyBytes: number };
  readonly headers: readonly string[];
  readonly pick: (tried: ReadonlySet<string>) => Pick | undefined;
  readonly answerHeaders: (pod: Pod) => readonly string[];
  readonly refuse: (refusal: Refusal) => void;
  readonly over: () => void;
}

/** Pods that one request tries at most. */
const TRIES_MAX = 3;

/** Methods that may be sent again when it is not known whether they have been received (RFC 9110, section 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** One request on its way to a pod and back. */
export class Errand {
  readonly #options: ErrandOptions;
  readonly #tried = new Set<string>();
  #tries = 0;
  /** Why the attempt before has failed. */
  #lastWhy: Refusal | undefined;
  #pick: Pick | undefined;
  #outgoing: ClientRequest | undefined;
  #incoming: IncomingMessage | undefined;
  /** Of the body, something has been taken from the client. */
  #hasBegunBody = false;
  /** There was a connection, so the pod may have acted on the request. */
  #isConnected = false;
  #isOver = false;
  #connecting: unknown;
  #idle: IdleTimer | undefined;
  readonly #toPodStuck: SendTimer;
  readonly #toClientStuck: SendTimer;

  constructor(options: ErrandOptions) {
    this.#options = options;
    const { clock, route } = options;
    this.#toPodStuck = new SendTimer(clock, route.sendMs, () => this.#fail('timeout', refusal(504, errors.POD_SLOW)));
    this.#toClientStuck = new SendTimer(clock, route.sendMs, () => this.#give('client', errors.SLOW_WRITE.code));
  }

  begin(): void {
    const { request, response } = this.#options;
    response.once('close', () => this.#closed());
    request.on('error', () => undefined);
    this.#try();
  }

  /** What the client sends is broken. */
  reject(why: Refusal): void {
    this.#pick?.closed();
    this.#drop();
    if (this.#options.response.headersSent) this.#give('client', why.error.code);
    else this.#options.refuse(why);
  }

  destroy(): void {
    this.#give('gateway', errors.MOVED_ON.code);
  }

  // ------------------------------------------------------------------------------------------------------------- sending

  #try(): void {
    const { agent, headers, limits, pick, request, response, visit } = this.#options;
    const chosen = pick(this.#tried);
    if (chosen === undefined) return this.#options.refuse(this.#lastWhy ?? noPod());
    this.#pick = chosen;
    this.#tries++;
    this.#tried.add(chosen.pod.id);
    visit.account.tried(chosen.pod.id);
    let outgoing: ClientRequest;
    try {
      outgoing = httpRequest({
        agent,
        host: chosen.pod.host,
        port: chosen.pod.port,
        method: request.method,
        path: visit.target,
        headers: [...headers, 'Connection', 'keep-alive', ...this.#bodyHeaders()],
        maxHeaderSize: limits.headerBytes,
        insecureHTTPParser: false,
      });
    } catch {
      // Characters that the parser lets through and the writer does not.
      chosen.closed();
      return this.#options.refuse(refusal(400, errors.REQUEST));
    }
    this.#outgoing = outgoing;
    outgoing.once('socket', (socket: Socket) => this.#connected(outgoing, socket));
    outgoing.on('continue', () => response.writeContinue());
    outgoing.once('response', (incoming) => this.#answered(incoming, chosen));
    // Nobody has asked for it, so what follows is not HTTP.
    outgoing.once('upgrade', (_response, socket) => {
      socket.destroy();
      this.#fail('protocol', refusal(502, errors.POD_ANSWER));
    });
    outgoing.on('drain', () => {
      this.#toPodStuck.stop();
      request.resume();
      this.#moves();
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => this.#lost(outgoing, error));
  }

  /** The idle clock runs again, unless one side still waits for the other: that one's own clock judges it. */
  #moves(): void {
    if (!this.#isOver && !this.#toPodStuck.isRunning && !this.#toClientStuck.isRunning) this.#idle?.restart();
  }

  /** Nothing has moved for too long: whose turn was it? */
  #late(): void {
    if (!this.#hasBegunBody || this.#options.request.complete) {
      return this.#fail('timeout', refusal(504, errors.POD_SLOW));
    }
    this.#drop();
    if (this.#options.response.headersSent) this.#give('client', errors.REQUEST_SLOW.code);
    else this.#options.refuse(refusal(408, errors.REQUEST_SLOW));
  }

  #bodyHeaders(): string[] {
    const { request } = this.#options;
    const expect = this.#options.expects ? ['Expect', '100-continue'] : [];
    if (request.headers['transfer-encoding'] === undefined) return expect;
    const trailer = request.headers.trailer;
    return [...expect, 'Transfer-Encoding', 'chunked', ...(trailer === undefined ? [] : ['Trailer', trailer])];
  }

  /** Nothing of the body is taken from the client before there is a connection: until then another pod may get it. */
  #connected(outgoing: ClientRequest, socket: Socket): void {
    const { clock, route } = this.#options;
    this.#isConnected = !socket.connecting;
    if (this.#isConnected) return this.#sendBody(outgoing);
    this.#connecting = clock.setTimeout(() => this.#unreached(outgoing), route.connectMs);
    socket.once('connect', () => {
      clock.clearTimeout(this.#connecting);
      this.#isConnected = true;
      if (outgoing === this.#outgoing) this.#sendBody(outgoing);
    });
  }

  #sendBody(outgoing: ClientRequest): void {
    const { clock, request, route, visit, limits } = this.#options;
    const { account } = visit;
    this.#idle = new IdleTimer(clock, route.readMs, () => this.#late());
    if (request.headers['transfer-encoding'] === undefined && Number(request.headers['content-length'] ?? 0) === 0) {
      return void outgoing.end();
    }
    this.#hasBegunBody = true;
    request.on('data', (chunk: Buffer) => {
      account.toPod.bytes += chunk.length;
      this.#idle?.touch();
      if (account.toPod.bytes > limits.bodyBytes) return this.#tooLarge();
      if (outgoing.write(chunk)) return;
      request.pause();
      this.#idle?.stop();
      this.#toPodStuck.begin(outgoing);
    });
    request.once('end', () => {
      if (request.rawTrailers.length > 0) outgoing.addTrailers(pairs(request.rawTrailers));
      outgoing.end();
    });
    request.resume();
  }

  #tooLarge(): void {
    this.#drop();
    this.#options.refuse(refusal(413, errors.REQUEST_LARGE));
  }

  // ----------------------------------------------------------------------------------------------------------- answering

  #answered(incoming: IncomingMessage, pick: Pick): void {
    const { request, response, visit, answerHeaders } = this.#options;
    const { account } = visit;
    if ((incoming.statusCode ?? 0) < 200 || incoming.httpVersionMajor !== 1) {
      return this.#fail('protocol', refusal(502, errors.POD_ANSWER));
    }
    this.#incoming = incoming;
    pick.established();
    account.status = incoming.statusCode as number;
    this.#idle?.touch();
    const headers = [...endToEnd(incoming, 'x-request-id'), ...answerHeaders(pick.pod)];
    const { trailer } = incoming.headers;
    if (trailer !== undefined && this.#mayTrail(incoming)) headers.push('Trailer', trailer);
    // A final answer to a body that is still on its way: the rest of it would be read as the next request. HTTP/1.0 is not kept open.
    const isLast = !request.complete || request.httpVersionMinor === 0;
    if (isLast || response.getHeader('Connection') === 'close') headers.push('Connection', 'close');
    response.removeHeader('Connection');
    try {
      response.writeHead(incoming.statusCode as number, incoming.statusMessage ?? '', headers);
    } catch {
      // Characters that the parser lets through and the writer does not.
      return this.#fail('protocol', refusal(502, errors.POD_ANSWER));
    }
    response.flushHeaders();
    incoming.on('data', (chunk: Buffer) => {
      account.toClient.bytes += chunk.length;
      this.#idle?.touch();
      if (response.write(chunk)) return;
      incoming.pause();
      this.#idle?.stop();
      this.#toClientStuck.begin(response);
    });
    response.on('drain', () => {
      this.#toClientStuck.stop();
      incoming.resume();
      this.#moves();
    });
    incoming.once('end', () => {
      if (!incoming.complete) return;
      if (incoming.rawTrailers.length > 0 && this.#mayTrail(incoming))
        response.addTrailers(pairs(incoming.rawTrailers));
      account.endedBy('pod', 'done');
      response.end();
    });
    incoming.on('error', () => undefined);
    // Cut short for the client as it was for the gateway: no length, or no last chunk, and the connection ends.
    incoming.once('close', () => {
      if (!incoming.complete) this.#fail('lost', refusal(502, errors.POD_LOST));
    });
  }

  /** Trailers come behind chunks, and there only. */
  #mayTrail(incoming: IncomingMessage): boolean {
    const { request } = this.#options;
    const isChunked = incoming.headers['transfer-encoding'] !== undefined;
    return isChunked && request.httpVersionMinor > 0 && request.method !== 'HEAD';
  }

  // -------------------------------------------------------------------------------------------------------------- ending

  /** The connection has failed. Another attempt is made when it is certain, or does not matter, that the pod has not acted on it. */
  #lost(outgoing: ClientRequest, error: NodeJS.ErrnoException): void {
    if (outgoing !== this.#outgoing || this.#isOver) return;
    const isGarbage = error.code?.startsWith('HPE_') === true;
    if (this.#incoming) return this.#fail('lost', refusal(502, errors.POD_LOST));
    const { method = '' } = this.#options.request;
    const mayRepeat = !this.#hasBegunBody && !isGarbage && (!this.#isConnected || IDEMPOTENT.has(method));
    const why = refusal(502, isGarbage ? errors.POD_ANSWER : errors.POD_UNREACHABLE);
    if (!mayRepeat || this.#tries >= TRIES_MAX) return this.#fail(isGarbage ? 'protocol' : 'connect', why);
    // An idle connection that the pod closed just then says nothing about the pod, which may be the only one.
    if (outgoing.reusedSocket) {
      this.#tried.delete(this.#pick?.pod.id ?? '');
      this.#pick?.closed();
    } else this.#pick?.failed('connect');
    return this.#tryNext(why);
  }

  /** No connection in time, so nothing of the request has left. */
  #unreached(outgoing: ClientRequest): void {
    if (outgoing !== this.#outgoing || this.#isOver) return;
    const why = refusal(504, errors.POD_SLOW);
    if (this.#tries >= TRIES_MAX) return this.#fail('timeout', why);
    this.#pick?.failed('timeout');
    this.#drop();
    return this.#tryNext(why);
  }

  /** `why` is told if there is no other pod. */
  #tryNext(why: Refusal): void {
    this.#lastWhy = why;
    this.#stopTimers();
    this.#try();
  }

  #fail(cause: FailureCause, why: Refusal): void {
    if (this.#isOver) return;
    this.#pick?.failed(cause);
    this.#drop();
    if (this.#options.response.headersSent) return this.#give('pod', why.error.code);
    this.#options.refuse(why);
  }

  /** Ends the client's connection without another word. */
  #give(side: 'client' | 'pod' | 'gateway', cause: string): void {
    this.#options.visit.account.endedBy(side, cause);
    this.#options.response.destroy();
  }

  #drop(): void {
    this.#stopTimers();
    const outgoing = this.#outgoing;
    this.#outgoing = undefined;
    outgoing?.destroy();
  }

  #stopTimers(): void {
    this.#options.clock.clearTimeout(this.#connecting);
    this.#idle?.stop();
    this.#toPodStuck.stop();
    this.#toClientStuck.stop();
  }

  /** The client has its answer, or has gone. */
  #closed(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { visit, response, over } = this.#options;
    if (!response.writableFinished) visit.account.endedBy('client', 'lost');
    // A pod that has answered before it had the whole body waits for the rest of it.
    if (this.#incoming?.complete !== true || this.#outgoing?.writableFinished !== true) this.#drop();
    this.#stopTimers();
    this.#pick?.closed();
    over();
  }
}

function pairs(flat: readonly string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) found.push([flat[i] as string, flat[i + 1] as string]);
  return found;
}
