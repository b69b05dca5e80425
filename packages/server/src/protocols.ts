import type { IncomingMessage } from 'node:http';
import { agreementOf, offerOf, SUBPROTOCOL } from '@holdfast/protocol';

/** What a request offers in `Sec-WebSocket-Protocol`. */
export function offered(request: IncomingMessage): string[] {
  const header = request.headers['sec-websocket-protocol'] ?? '';
  return header
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

export const speaksHoldfast = (protocols: Iterable<string>): boolean =>
  Array.from(protocols).some((protocol) => agreementOf(protocol).holdfast);

/** The names that only a client of ours offers besides its application's. */
const OURS = new Set(offerOf([]));

/** The choice of `ws` or of the application, made among the application's subprotocols alone. */
export function chooseProtocol(
  protocols: ReadonlySet<string>,
  choose: (applications: Set<string>) => string | false,
): string | false {
  const sessions = Array.from(protocols, agreementOf).filter(({ holdfast }) => holdfast);
  if (sessions.length === 0) return choose(new Set(protocols));
  const applications = sessions.map(({ protocol }) => protocol).filter((protocol) => protocol !== '');
  if (applications.length === 0) return SUBPROTOCOL;
  const chosen = choose(new Set(applications.filter((protocol) => !OURS.has(protocol))));
  return chosen !== false && applications.includes(chosen) ? `${SUBPROTOCOL}+${chosen}` : false;
}
