import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { errors } from '@holdfast/protocol';
import { Account } from './account.js';
import { countOf } from './http/headers.js';
import { refusal, type Refusal } from './refusal.js';
import { notedClients, plainAddress, type TrustedProxies } from './trust.js';

/**
 * One request as the gateway sees it, before it is known where it leads. It is kept for as long as a WebSocket lasts, so it holds what the log
 * needs of the request, and not the request.
 */
export interface Visit {
  readonly id: string;
  readonly method: string;
  readonly httpVersion: string;
  readonly agent: string | undefined;
  readonly referer: string | undefined;
  readonly account: Account;
  /** Who is connected to the gateway: the client, or the proxy before it; as the PROXY protocol says, where that is in use. */
  readonly peerAddress: string;
  readonly clientAddress: string;
  /** The peer is a proxy whose headers are believed. */
  readonly isTrusted: boolean;
  readonly scheme: 'http' | 'https';
  /** As in the request. */
  readonly authority: string;
  /** In lower case, without port. */
  readonly host: string;
  /** Without query, for routing. */
  readonly path: string;
  /** Path and query, in origin form. */
  readonly target: string;
  /** When it came, by the clock. */
  readonly beganMs: number;
}

/** Where a PROXY protocol header has said that a connection comes from. */
const announced = new WeakMap<object, string>();

export const announceAddress = (socket: object, address: string): void => void announced.set(socket, address);

/** Longest text of a client's that is kept for the log. */
const TEXT_MAX = 256;

const REQUEST_ID = /^[A-Za-z0-9._:@+/=-]{1,128}$/;

/** Who came, as far as one knows before there is a request: for the log of what was no request, or was refused before it could be one. */
export function receiveUnread(socket: Duplex, nowMs: number): Visit {
  const { remoteAddress = '', encrypted } = socket as Socket & Partial<TLSSocket>;
  const peerAddress = announced.get(socket) ?? plainAddress(remoteAddress) ?? '0.0.0.0';
  return {
    id: randomUUID(),
    method: '',
    httpVersion: '',
    agent: undefined,
    referer: undefined,
    account: new Account(),
    peerAddress,
    clientAddress: peerAddress,
    isTrusted: false,
    scheme: encrypted === true ? 'https' : 'http',
    authority: '',
    host: '',
    path: '',
    target: '',
    beganMs: nowMs,
  };
}

/** Takes a request in. Always gives a visit, so that whatever becomes of it is logged. */
export function receive(request: IncomingMessage, proxies: TrustedProxies, nowMs: number): Visit {
  const socket = request.socket as Socket & Partial<TLSSocket>;
  const { headers } = request;
  const peerAddress = announced.get(socket) ?? plainAddress(socket.remoteAddress ?? '') ?? '0.0.0.0';
  const isTrusted = proxies.trusts(peerAddress);
  const givenId = headers['x-request-id'];
  const target = originForm(request.url ?? '/');
  const authority = target.authority ?? headers.host ?? '';
  return {
    id: isTrusted && typeof givenId === 'string' && REQUEST_ID.test(givenId) ? givenId : randomUUID(),
    method: request.method ?? '',
    httpVersion: request.httpVersion,
    agent: headers['user-agent']?.slice(0, TEXT_MAX),
    referer: headers.referer?.split('?', 1)[0]?.slice(0, TEXT_MAX),
    account: new Account(),
    peerAddress,
    clientAddress: isTrusted ? proxies.clientOf(peerAddress, notedClients(headers)) : peerAddress,
    isTrusted,
    scheme: socket.encrypted === true ? 'https' : 'http',
    authority,
    host: hostOf(authority),
    path: target.text.split('?', 1)[0] as string,
    target: target.text,
    beganMs: nowMs,
  };
}

/** `GET http://host/path` asks for the path, and its host counts more than the header (RFC 9112, section 3.2.2). */
function originForm(url: string): { text: string; authority?: string } {
  const found = /^https?:\/\/([^/?#]*)([^#]*)/i.exec(url);
  if (!found) return { text: url };
  const rest = found[2] as string;
  return { authority: found[1], text: rest.startsWith('/') ? rest : `/${rest}` };
}

const hostOf = (authority: string): string => authority.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');

const AUTHORITY = /^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/** What the parser lets through and nobody behind the gateway should have to deal with. */
export function problemOf(request: IncomingMessage, { authority, path }: Visit): Refusal | undefined {
  const { headers } = request;
  const wrong = (detail: string, status = 400): Refusal => refusal(status, errors.REQUEST, detail);
  if (request.httpVersionMajor !== 1) return wrong('the HTTP version is not 1.0 or 1.1', 505);
  if (countOf(request, 'host') > 1) return wrong('Host is there more than once');
  if (!AUTHORITY.test(authority)) return wrong('Host is missing or malformed');
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && request.httpVersionMinor === 0) return wrong('Transfer-Encoding with HTTP/1.0');
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    return wrong('the transfer coding is not chunked', 501);
  if (request.method === 'TRACE' || request.method === 'CONNECT') return wrong('the method is not served', 405);
  if (path !== '*' && !path.startsWith('/')) return wrong('the target is not a path');
  // Every client resolves dots before it asks. Who does not wants another route than the one that matches.
  if (isTricky(path)) return wrong('the path has dot segments, backslashes or control characters');
  return undefined;
}

function isTricky(path: string): boolean {
  if (!/[\\%]|\/\./.test(path)) return false;
  return /(?:^|[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:$|[/\\]|%2f|%5c)|\\|%5c|%00|%0[ad]/i.test(path);
}
