import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';

/** Headers of the handshake that are worth having again and that are no secret. */
const KEPT = ['host', 'origin', 'user-agent', 'accept-language', 'x-forwarded-for', 'x-forwarded-proto', 'x-real-ip'];

/** Long values are cut: the record is written once and read at every takeover. */
const VALUE_LENGTH = 1_024;

/** What is kept of the request that began a session, JSON. Cookies and credentials are not. */
export function storeRequest(request: IncomingMessage): string {
  const headers: Record<string, string> = {};
  for (const name of KEPT) {
    const value = request.headers[name];
    if (typeof value === 'string') headers[name] = value.slice(0, VALUE_LENGTH);
  }
  return JSON.stringify({
    method: request.method,
    url: (request.url ?? '/').slice(0, VALUE_LENGTH),
    headers,
    remoteAddress: request.socket.remoteAddress,
  });
}

/** A request for a session that was taken over without one: `connection` listeners expect it. Its socket is not connected. */
export function restoreRequest(json: string): IncomingMessage {
  const stored = JSON.parse(json) as {
    method: string;
    url: string;
    headers: Record<string, string>;
    remoteAddress?: string;
  };
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: stored.remoteAddress });
  const request = new IncomingMessage(socket);
  request.method = stored.method;
  request.url = stored.url;
  Object.assign(request.headers, stored.headers);
  return request;
}
