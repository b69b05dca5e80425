import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { errors } from '@holdfast/protocol';
import type { Exchange } from '../exchange.js';
import type { Pick } from '../pool/index.js';
import { noPod, refusal, type Refusal } from '../refusal.js';
import { readAnswer, type Agreed, type Handshake } from './handshake.js';

/** A pod that has accepted the handshake. */
export interface Opened {
  readonly kind: 'opened';
  readonly pick: Pick;
  /** Paused; what came behind the answer is in `head`. */
  readonly socket: Socket;
  readonly head: Buffer;
  readonly agreed: Agreed;
  readonly response: IncomingMessage;
}

/** A pod has answered with another status than 101, which the client should see. */
export interface Answered {
  readonly kind: 'answered';
  readonly pick: Pick;
  readonly response: IncomingMessage;
}

/** What became of dialling. */
export type Dialled =
  | Opened
  | Answered
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The signal has ended it. */
  | { readonly kind: 'aborted' };

export interface DialOptions {
  /** What to ask of the pod. */
  readonly asked: Handshake;
  readonly signal: AbortSignal;
  /** Instead of the exchange's own. */
  readonly headers?: readonly string[];
  readonly target?: string;
  /** Pods that are not to be tried, by id. */
  readonly not?: Iterable<string>;
}

/** Pods that one handshake tries at most: with all of them gone, each new client would otherwise knock at every address. */
const TRIES_MAX = 3;

/** Answers after which another pod may do better. */
const PASSING = new Set([502, 503, 504]);

/**
 * Connects to a pod and does the handshake; the next pod if that fails, since nothing has been taken by then. Used by every way to carry a
 * WebSocket.
 */
export async function dial(exchange: Exchange, options: DialOptions): Promise<Dialled> {
  const tried = new Set(options.not);
  let last: Dialled = { kind: 'refused', refusal: noPod() };
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const pick = exchange.pick(tried);
    if (pick === undefined) break;
    // The answer before is not the one that the client gets.
    if (last.kind === 'answered') last.response.destroy();
    tried.add(pick.pod.id);
    exchange.account.tried(pick.pod.id);
    last = await dialPod(exchange, pick, options);
    const isPassing = last.kind === 'answered' && PASSING.has(last.response.statusCode as number);
    if (isPassing) pick.failed('status');
    else if (last.kind !== 'refused') break;
  }
  return last;
}

function dialPod(exchange: Exchange, pick: Pick, { asked, signal, headers, target }: DialOptions): Promise<Dialled> {
  const { clock, limits, route } = exchange;
  const { host, port } = pick.pod;
  return new Promise((resolve) => {
    let timer: unknown;
    const socket = connect({ host, port, noDelay: true });
    let request: ClientRequest;
    try {
      request = httpRequest({
        method: 'GET',
        path: target ?? exchange.target,
        headers: [...(headers ?? exchange.headers), ...handshakeHeaders(asked)],
        maxHeaderSize: limits.headerBytes,
        insecureHTTPParser: false,
        // Without an agent, which would make a socket of its own.
        createConnection: () => socket,
      });
    } catch {
      // Characters that the parser lets through and the writer does not.
      pick.closed();
      socket.destroy();
      return resolve({ kind: 'refused', refusal: refusal(400, errors.REQUEST) });
    }
    const settle = (dialled: Dialled): void => {
      clock.clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
      resolve(dialled);
    };
    const fail = (cause: 'connect' | 'timeout' | 'protocol', why: Refusal): void => {
      pick.failed(cause);
      settle({ kind: 'refused', refusal: why });
      request.destroy();
      socket.destroy();
    };
    const aborted = (): void => {
      pick.closed();
      settle({ kind: 'aborted' });
      request.destroy();
      socket.destroy();
    };
    const late = (): void => fail('timeout', refusal(504, errors.POD_SLOW));
    if (signal.aborted) return aborted();
    signal.addEventListener('abort', aborted);
    timer = clock.setTimeout(late, route.connectMs);
    socket.once('connect', () => {
      clock.clearTimeout(timer);
      timer = clock.setTimeout(late, limits.handshakeMs);
    });
    request.once('upgrade', (response, upgraded, head) => {
      const agreed = readAnswer(response, asked);
      if (typeof agreed === 'string') return fail('protocol', refusal(502, errors.POD_ANSWER, agreed));
      upgraded.pause();
      pick.established();
      settle({ kind: 'opened', pick, socket, head, agreed, response });
    });
    request.once('response', (response) => {
      // A 101 that switches nothing, or another HTTP.
      if ((response.statusCode ?? 0) < 200 || response.httpVersionMajor !== 1) {
        return fail('protocol', refusal(502, errors.POD_ANSWER));
      }
      response.on('error', () => undefined);
      if (!PASSING.has(response.statusCode as number)) pick.established();
      settle({ kind: 'answered', pick, response });
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code?.startsWith('HPE_')) fail('protocol', refusal(502, errors.POD_ANSWER));
      else fail('connect', refusal(502, errors.POD_UNREACHABLE));
    });
    request.end();
  });
}

function handshakeHeaders({ key, protocols, extensions }: Handshake): string[] {
  const headers = [
    'Connection',
    'Upgrade',
    'Upgrade',
    'websocket',
    'Sec-WebSocket-Version',
    '13',
    'Sec-WebSocket-Key',
    key,
  ];
  if (protocols.length > 0) headers.push('Sec-WebSocket-Protocol', protocols.join(', '));
  if (extensions.length > 0) headers.push('Sec-WebSocket-Extensions', extensions.join(', '));
  return headers;
}
