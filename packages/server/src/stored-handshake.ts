import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Socket as ServedSocket } from './socket.js';

/** The upgrade that a session begins with, or comes here by. */
export interface Handshake {
  readonly request: IncomingMessage;
  /** The application's subprotocol; '' for none. */
  readonly protocol: string;
  /** Where the application wants to hear of the socket; else it is the server's `connection` event. */
  readonly connected?: (socket: ServedSocket, request: IncomingMessage) => void;
}

/** Headers of the handshake that are worth having again and that are no secret. */
const KEPT = ['host', 'origin', 'user-agent', 'accept-language', 'x-forwarded-for', 'x-forwarded-proto', 'x-real-ip'];

/** Long values are cut: the record is written once and read at every takeover. */
const VALUE_LENGTH = 1_024;

interface Stored {
  readonly method?: string;
  readonly url?: string;
  readonly headers?: Record<string, string>;
  readonly remoteAddress?: string;
  readonly protocol?: string;
}

/** What is kept of the handshake that began a session, JSON. Cookies and credentials are not. */
export function storeHandshake({ request, protocol }: Handshake): string {
  const headers: Record<string, string> = {};
  for (const name of KEPT) {
    const value = request.headers[name];
    if (typeof value === 'string') headers[name] = value.slice(0, VALUE_LENGTH);
  }
  const stored: Stored = {
    method: request.method,
    url: (request.url ?? '/').slice(0, VALUE_LENGTH),
    headers,
    remoteAddress: request.socket.remoteAddress,
    protocol,
  };
  return JSON.stringify(stored);
}

/** A handshake for a session that was taken over without one: `connection` listeners expect it. Its socket is not connected. */
export function restoreHandshake(json: string): Handshake {
  const { method = 'GET', url = '/', headers, remoteAddress, protocol = '' } = JSON.parse(json) as Stored;
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress });
  const request = new IncomingMessage(socket);
  request.method = method;
  request.url = url;
  Object.assign(request.headers, headers);
  return { request, protocol };
}
