import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import { endToEnd } from './http/headers.js';
import type { Visit } from './visit.js';

/** Headers by which proxies tell of the client. From somebody who is not trusted they are not passed on. */
const CLAIMS = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-real-ip',
  'x-request-id',
]);

/** Only the gateway tells pods of a connection that it holds: a client could claim to be another. */
const OWN = 'holdfast-';

/** Headers that belong to whoever dials the pod. */
const isDialled = (name: string): boolean => name === 'host' || name === 'expect' || name.startsWith('sec-websocket-');

/** The headers that a pod gets: name, value, name, value. Those of a WebSocket handshake are left out; they belong to who dials. */
export function podHeaders(request: IncomingMessage, visit: Visit): string[] {
  const { isTrusted, peerAddress, clientAddress, authority, scheme, id } = visit;
  const given = (name: string): string | undefined => {
    const value = isTrusted ? request.headers[name] : undefined;
    return Array.isArray(value) ? value.join(', ') : value;
  };
  const headers = ['Host', authority];
  const kept = endToEnd(request);
  for (let i = 0; i < kept.length; i += 2) {
    const name = (kept[i] as string).toLowerCase();
    if (!isDialled(name) && !CLAIMS.has(name) && !name.startsWith(OWN)) {
      headers.push(kept[i] as string, kept[i + 1] as string);
    }
  }
  const proto = given('x-forwarded-proto') ?? scheme;
  const host = given('x-forwarded-host') ?? authority;
  const port = given('x-forwarded-port') ?? portOf(host, proto);
  headers.push(
    'X-Forwarded-For',
    appended(given('x-forwarded-for'), peerAddress),
    'X-Forwarded-Proto',
    proto,
    'X-Forwarded-Host',
    host,
    'X-Forwarded-Port',
    port,
    'Forwarded',
    appended(given('forwarded'), `for=${node(peerAddress)};host="${authority}";proto=${scheme}`),
    'X-Real-IP',
    clientAddress,
    'X-Request-Id',
    id,
  );
  return headers;
}

const appended = (before: string | undefined, last: string): string =>
  before === undefined || before === '' ? last : `${before}, ${last}`;

const node = (address: string): string => (isIPv6(address) ? `"[${address}]"` : address);

const portOf = (authority: string, proto: string): string =>
  /:(\d+)$/.exec(authority)?.[1] ?? (proto === 'https' || proto === 'wss' ? '443' : '80');
