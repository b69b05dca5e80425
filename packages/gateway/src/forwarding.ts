import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import { endToEnd } from './http/headers.js';
import { lastForwarded, notedClients, plainAddress } from './trust.js';
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
  // A proxy may write one family of headers alone; a pod that reads the other is not to take that proxy for the client.
  const noted = isTrusted ? notedClients(request.headers) : [];
  const proto = given('x-forwarded-proto') ?? lastForwarded(given('forwarded'), 'proto') ?? scheme;
  const host = given('x-forwarded-host') ?? lastForwarded(given('forwarded'), 'host') ?? authority;
  const port = given('x-forwarded-port') ?? portOf(host, proto);
  headers.push(
    'X-Forwarded-For',
    [...noted.filter((address) => address !== ''), peerAddress].join(', '),
    'X-Forwarded-Proto',
    proto,
    'X-Forwarded-Host',
    host,
    'X-Forwarded-Port',
    port,
    'Forwarded',
    [
      given('forwarded') ??
        noted.map((address) => `for=${node(address)};host="${host.replaceAll('"', '')}";proto=${proto}`),
      `for=${node(peerAddress)};host="${authority}";proto=${scheme}`,
    ]
      .flat()
      .join(', '),
    'X-Real-IP',
    clientAddress,
    'X-Request-Id',
    id,
  );
  return headers;
}

function node(noted: string): string {
  const address = plainAddress(noted);
  if (address === undefined) return 'unknown';
  return isIPv6(address) ? `"[${address}]"` : address;
}

const portOf = (authority: string, proto: string): string =>
  /:(\d+)$/.exec(authority)?.[1] ?? (proto === 'https' || proto === 'wss' ? '443' : '80');
