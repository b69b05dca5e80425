import { STATUS_CODES, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { ServerOptions } from './options.js';

/** Why a handshake is refused over HTTP. */
export interface HttpRefusal {
  readonly status: number;
  readonly message?: string;
  readonly headers?: OutgoingHttpHeaders;
}

/** Whether a page of this origin may connect. A client that sends no Origin is not a browser. */
export function originAllowed(request: IncomingMessage, allowed: ServerOptions['allowedOrigins']): boolean {
  const { origin } = request.headers;
  if (origin === undefined || allowed === '*') return true;
  if (allowed) return allowed.some((one) => (typeof one === 'string' ? one === origin : one.test(origin)));
  const host = hostname(`http://${request.headers.host ?? ''}`);
  return host !== '' && hostname(origin) === host;
}

/** Without the port: proxies on the way change it. */
function hostname(url: string): string {
  try {
    return new URL(url).hostname;
  } catch {
    return '';
  }
}

/** Asks the application's `verifyClient`, in either of the two forms that `ws` knows. Undefined: the client may come in. */
export async function verify(
  request: IncomingMessage,
  verifyClient: ServerOptions['verifyClient'],
): Promise<HttpRefusal | undefined> {
  if (!verifyClient) return undefined;
  const info = {
    origin: request.headers.origin as string,
    secure: Boolean((request.socket as TLSSocket).encrypted),
    req: request,
  };
  if (verifyClient.length < 2) {
    return (verifyClient as (i: typeof info) => boolean)(info) ? undefined : { status: 401 };
  }
  return new Promise((resolve) => {
    verifyClient(info, (accepted, status = 401, message, headers) => {
      resolve(accepted ? undefined : { status, message, headers });
    });
  });
}

/** Refuses a handshake, and closes. */
export function refuseHttp(
  socket: Duplex,
  { status, message = STATUS_CODES[status] ?? '', headers }: HttpRefusal,
): void {
  const lines = {
    Connection: 'close',
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(message),
    ...headers,
  };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${String(value)}`);
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${head.join('\r\n')}\r\n\r\n${message}`);
}
