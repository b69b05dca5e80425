import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { errors } from '@holdfast/protocol';
import { countOf, listOf } from '../http/headers.js';
import { refusal, type Refusal } from '../refusal.js';
import type { SwitchHeaders } from './pod-answer.js';

/** What a client asks for in its handshake, once it has been found valid. */
export interface Handshake {
  readonly key: string;
  /** Subprotocols, in the client's order. */
  readonly protocols: readonly string[];
  /** Offers of permessage-deflate, as they came; other extensions are not passed on, because what they do to frames is unknown. */
  readonly extensions: readonly string[];
}

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** Bounds of what is only listed, so that nobody is made to walk long lists. */
const PROTOCOLS_MAX = 64;
const EXTENSIONS_MAX = 16;

export const acceptFor = (key: string): string =>
  createHash('sha1')
    .update(key + GUID)
    .digest('base64');

/** Whether a request wants to become a WebSocket, be it in a valid way or not. */
export const wantsWebSocket = ({ headers }: IncomingMessage): boolean =>
  headers.upgrade !== undefined && /(?:^|,)\s*websocket\s*(?:,|$)/i.test(headers.upgrade);

/** Reads a client's handshake; a {@link Refusal} when RFC 6455, section 4.2.1, is not kept. */
export function readHandshake(request: IncomingMessage): Handshake | Refusal {
  const { headers, method, httpVersionMajor, httpVersionMinor } = request;
  const wrong = (detail: string, status = 400): Refusal => refusal(status, errors.UPGRADE, detail);
  if (method !== 'GET') return refusal(405, errors.UPGRADE, `the method is ${method}, not GET`, { Allow: 'GET' });
  if (httpVersionMajor !== 1 || httpVersionMinor < 1) return wrong('the HTTP version is below 1.1');
  if (headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0') {
    return wrong('the request has a body');
  }
  if (countOf(request, 'upgrade') !== 1) return wrong('Upgrade is there more than once');
  if (headers.upgrade?.toLowerCase() !== 'websocket') return wrong('Upgrade is not websocket alone');
  if (!listOf(headers.connection).some((token) => token.toLowerCase() === 'upgrade')) {
    return wrong('Connection does not name Upgrade');
  }
  if (headers['sec-websocket-version'] !== '13') {
    return refusal(426, errors.UPGRADE, 'the version is not 13', { 'Sec-WebSocket-Version': '13' });
  }
  const key = headers['sec-websocket-key'];
  if (key === undefined || !KEY.test(key)) return wrong('Sec-WebSocket-Key is not 16 bytes in base64');
  const protocols = listOf(headers['sec-websocket-protocol']);
  if (headers['sec-websocket-protocol'] !== undefined && !areSubprotocols(protocols)) {
    return wrong('Sec-WebSocket-Protocol is not a list of different names');
  }
  const extensions = listOf(headers['sec-websocket-extensions']);
  if (extensions.length > EXTENSIONS_MAX) return wrong('there are too many extensions');
  return { key, protocols, extensions: extensions.filter((offer) => nameOf(offer) === 'permessage-deflate') };
}

const areSubprotocols = (names: readonly string[]): boolean =>
  names.length > 0 &&
  names.length <= PROTOCOLS_MAX &&
  new Set(names).size === names.length &&
  names.every((name) => TOKEN.test(name));

/** What a pod has agreed to. */
export interface Agreed {
  /** '' for none. */
  readonly protocol: string;
  /** As the pod wrote it; '' for none. */
  readonly extensions: string;
}

/** Checks a pod's 101 against what it was asked (RFC 6455, section 4.1); a sentence when it is not valid. */
export function readAnswer({ headers }: SwitchHeaders, asked: Handshake): Agreed | string {
  if (headers.upgrade?.toLowerCase() !== 'websocket') return 'Upgrade is not websocket';
  if (!listOf(headers.connection).some((token) => token.toLowerCase() === 'upgrade'))
    return 'Connection is not Upgrade';
  if (headers['sec-websocket-accept'] !== acceptFor(asked.key)) return 'Sec-WebSocket-Accept is wrong';
  const protocol = headers['sec-websocket-protocol'] ?? '';
  if (protocol !== '' && !asked.protocols.includes(protocol)) return 'the subprotocol was not offered';
  const extensions = headers['sec-websocket-extensions'] ?? '';
  const isOffered =
    asked.extensions.length > 0 && nameOf(extensions) === 'permessage-deflate' && !extensions.includes(',');
  if (extensions !== '' && !isOffered) return 'the extensions were not offered';
  return { protocol, extensions };
}

const nameOf = (offer: string): string => (offer.split(';', 1)[0] as string).trim().toLowerCase();
