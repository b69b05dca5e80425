import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { errors, HoldfastError, type ErrorKind } from '@holdfast/protocol';
import type { DrainReport } from './drain.js';

/** Who may ask for a drain by `POST /drain`, and what is done then. */
export interface DrainRequests {
  /**
   * Whoever presents it, as `Authorization: Bearer TOKEN`, may. At least 16 characters. Default: none, and then only this machine
   * may, and nothing that forwards for others: no request with an `Origin`, or with a header by which proxies name themselves or the
   * client. A proxy on this machine that adds no such header hides the difference: set a token there, or do not forward `/drain`.
   */
  readonly token?: string | undefined;
  /** What is done. Default: {@link WebSocketServer.drain} with its defaults. */
  readonly drain?: () => Promise<DrainReport>;
}

const TOKEN_LENGTH_MIN = 16;

const FORWARDED = [
  'origin',
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
];

export function checkDrainRequests({ token }: DrainRequests): void {
  if (token !== undefined && token.length < TOKEN_LENGTH_MIN) {
    throw new HoldfastError(errors.OPTION, `the token of drainRequests has less than ${TOKEN_LENGTH_MIN} characters`);
  }
}

/**
 * Answers `POST /drain` with 200 and the report when the drain is over, or with `?wait=0` at once with 202. Whoever may not is told
 * 401 or 403. True if the request was one.
 */
export function answerDrain(
  request: IncomingMessage,
  response: ServerResponse,
  { token, drain }: Required<Pick<DrainRequests, 'drain'>> & DrainRequests,
): boolean {
  const [path, query] = (request.url ?? '').split('?');
  if (path !== '/drain' || request.method !== 'POST') return false;
  // What the body may say is of no interest, and nothing waits for it.
  request.resume();
  if (token === undefined && !isLocal(request)) {
    refuse(response, 403, 'without a token only this machine may ask, and not by a proxy');
  } else if (token !== undefined && !presents(request, token)) {
    response.setHeader('WWW-Authenticate', 'Bearer');
    refuse(response, 401, 'the bearer token is missing or wrong');
  } else if (new URLSearchParams(query).get('wait') === '0') {
    drain().catch(() => undefined);
    answer(response, 202, { draining: true });
  } else {
    drain().then(
      (report) => answer(response, 200, report),
      (cause: unknown) => answer(response, 500, inWords(errors.FAILED, String(cause))),
    );
  }
  return true;
}

function isLocal({ socket, headers }: IncomingMessage): boolean {
  const address = socket.remoteAddress ?? '';
  const isLoopback = address === '::1' || /^(?:::ffff:)?127\./.test(address);
  return isLoopback && FORWARDED.every((name) => headers[name] === undefined);
}

/** Compared as hashes, so that neither its length nor its beginning shows in the time. */
function presents({ headers }: IncomingMessage, token: string): boolean {
  const given = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
  return timingSafeEqual(hash(given), hash(token));
}

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();

const inWords = ({ code, what }: ErrorKind, detail: string): object => ({ error: { code, message: what, detail } });

const refuse = (response: ServerResponse, status: number, detail: string): void =>
  answer(response, status, inWords(errors.UNAUTHORIZED, detail));

function answer(response: ServerResponse, status: number, body: object): void {
  const json = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(json),
    'Cache-Control': 'no-store',
    Connection: 'close',
  });
  response.end(json);
}
