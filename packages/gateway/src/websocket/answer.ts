import { STATUS_CODES } from 'node:http';
import type { Exchange } from '../exchange.js';
import { endToEnd } from '../http/headers.js';
import { ignore } from '../ignore.js';
import { acceptFor, type Agreed } from './handshake.js';
import type { Answered, Opened } from './dial.js';

/** What of a pod's 101 belongs to its own handshake, and what must not be in one (RFC 9110, section 8.6). */
const OF_HANDSHAKE = /^(?:sec-websocket-|content-length$)/i;

/** Tells the client that it is connected. `agreed` is what the pod has agreed to, unless the carrier ends the WebSocket itself. */
export function answerOpened(exchange: Exchange, { pick, answer, agreed }: Opened, own: Agreed = agreed): void {
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptFor(exchange.handshake.key)}`,
  ];
  if (own.protocol !== '') lines.push(`Sec-WebSocket-Protocol: ${own.protocol}`);
  if (own.extensions !== '') lines.push(`Sec-WebSocket-Extensions: ${own.extensions}`);
  const headers = [...endToEnd(answer, 'x-request-id'), ...exchange.answerHeaders(pick)];
  for (let i = 0; i < headers.length; i += 2) {
    if (!OF_HANDSHAKE.test(headers[i] as string)) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  }
  exchange.account.status = 101;
  exchange.socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** Gives the client what a pod has answered instead of a 101, and ends its connection behind it. */
export function answerOtherwise(exchange: Exchange, { pick, response }: Answered): void {
  const { socket, account, clock, limits, route } = exchange;
  const status = response.statusCode as number;
  account.status = status;
  account.endedBy('pod', 'refused');
  const lines = [`HTTP/1.1 ${status} ${response.statusMessage || (STATUS_CODES[status] ?? '')}`, 'Connection: close'];
  const headers = [...endToEnd(response, 'x-request-id'), 'X-Request-Id', exchange.id];
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  // Broken in what came with its head, and over before anybody could listen.
  if (response.destroyed) {
    pick.closed();
    return void socket.destroy();
  }
  response.on('data', (chunk: Buffer) => (account.toClient.bytes += chunk.length));
  response.pipe(socket);
  // A body that is cut short is cut short for the client as well; one that never ends is ended.
  let timer = clock.setTimeout(() => socket.destroy(), route.readMs);
  response.once('close', () => {
    clock.clearTimeout(timer);
    pick.closed();
    if (!response.complete) socket.destroy();
    else timer = clock.setTimeout(() => socket.destroy(), limits.closeMs);
  });
  socket.once('close', () => {
    clock.clearTimeout(timer);
    response.destroy();
  });
  // What the client still sends is not for anybody.
  exchange.receive(ignore);
  socket.resume();
}
