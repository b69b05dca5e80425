import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { errors } from '@holdfast/protocol';
import type { Exchange } from '../exchange.js';
import { ignore } from '../ignore.js';
import type { Pick } from '../pool/index.js';
import { noPod, refusal, type Refusal } from '../refusal.js';
import type { CallOff } from './call-off.js';
import { readAnswer, type Agreed, type Handshake } from './handshake.js';
import { readOtherAnswer } from './other-answer.js';
import { PodAnswerReader, type SwitchHeaders } from './pod-answer.js';
import { dialWire, type Wire } from './wire.js';

/** A pod that has accepted the handshake. */
export interface Opened {
  readonly kind: 'opened';
  readonly pick: Pick;
  /** Paused; what came behind the answer is in `head`. */
  readonly socket: Socket;
  /** Who gets what the pod says; `socket` emits no `data`. */
  readonly receive: Wire['receive'];
  readonly head: Buffer;
  readonly agreed: Agreed;
  readonly answer: SwitchHeaders;
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
  /** It was called off. */
  | { readonly kind: 'aborted' };

export interface DialOptions {
  /** What to ask of the pod. */
  readonly asked: Handshake;
  readonly callOff: CallOff;
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

function dialPod(exchange: Exchange, pick: Pick, options: DialOptions): Promise<Dialled> {
  const { clock, limits, route } = exchange;
  const { asked, callOff } = options;
  const request = requestText(exchange, options);
  if (request === undefined) {
    pick.closed();
    return Promise.resolve({ kind: 'refused', refusal: refusal(400, errors.REQUEST) });
  }
  if (callOff.isOff) {
    pick.closed();
    return Promise.resolve({ kind: 'aborted' });
  }
  return new Promise((resolve) => {
    const wire = dialWire(pick.pod.host, pick.pod.port);
    const { socket } = wire;
    const reader = new PodAnswerReader(limits.headerBytes);
    let isSettled = false;
    const settle = (dialled: Dialled): void => {
      // The answer of a pod may still break when the next pod is dialled.
      if (isSettled) return;
      isSettled = true;
      clock.clearTimeout(timer);
      callOff.end = undefined;
      socket.off('close', ended);
      resolve(dialled);
    };
    const fail = (cause: 'connect' | 'timeout' | 'protocol', why: Refusal): void => {
      settle({ kind: 'refused', refusal: why });
      pick.failed(cause);
      socket.destroy();
    };
    const broken = (detail?: string): void => fail('protocol', refusal(502, errors.POD_ANSWER, detail));
    const late = (): void => fail('timeout', refusal(504, errors.POD_SLOW));
    const ended = (): void => fail('connect', refusal(502, errors.POD_UNREACHABLE));
    callOff.end = () => {
      settle({ kind: 'aborted' });
      pick.closed();
      socket.destroy();
    };
    let timer = clock.setTimeout(late, route.connectMs);
    socket.once('connect', () => {
      clock.clearTimeout(timer);
      timer = clock.setTimeout(late, limits.handshakeMs);
    });
    socket.on('error', ignore);
    socket.once('close', ended);
    wire.receive((chunk) => {
      // What a pod still says that was dismissed before anybody listened to it.
      if (isSettled) return undefined;
      const answer = reader.push(chunk);
      if (answer.kind === 'invalid') broken();
      else if (answer.kind === 'switched') {
        const agreed = readAnswer(answer.head, asked);
        if (typeof agreed === 'string') return broken(agreed);
        socket.pause();
        pick.established();
        settle({ kind: 'opened', pick, ...wire, head: answer.rest, agreed, answer: answer.head });
      } else if (answer.kind === 'other') {
        socket.off('close', ended);
        readOtherAnswer(wire, answer.bytes, limits.headerBytes, {
          response: (response) => {
            // A 101 that switches nothing, or another HTTP.
            if ((response.statusCode ?? 0) < 200 || response.httpVersionMajor !== 1) return broken();
            response.on('error', ignore);
            if (!PASSING.has(response.statusCode as number)) pick.established();
            return settle({ kind: 'answered', pick, response });
          },
          failed: (error) => (error.code?.startsWith('HPE_') === true ? broken() : ended()),
        });
      }
    });
    socket.write(request, 'latin1');
  });
}

/** Undefined when there are characters in it that a client may send and a pod should not see. */
function requestText(exchange: Exchange, { asked, headers, target }: DialOptions): string | undefined {
  const path = target ?? exchange.target;
  const fields = [...(headers ?? exchange.headers), ...handshakeHeaders(asked)];
  if (UNWRITABLE_TARGET.test(path) || fields.some((field) => UNWRITABLE.test(field))) return undefined;
  const lines = [`GET ${path} HTTP/1.1`];
  for (let i = 0; i < fields.length; i += 2) lines.push(`${fields[i]}: ${fields[i + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

const UNWRITABLE_TARGET = /[^\x21-\x7e\x80-\xff]/;
const UNWRITABLE = /[^\t\x20-\x7e\x80-\xff]/;

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
