import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { VerifyClientCallbackSync } from 'ws';
import type { ServerOptions } from './options.js';

/** Why a handshake is refused over HTTP. */
export interface HttpRefusal {
  readonly status: number;
  readonly message?: string;
  readonly headers?: OutgoingHttpHeaders;
}

/** What `verifyClient` is told. */
export type ClientInfo = Parameters<VerifyClientCallbackSync>[0];

/** Whether a page of this origin may connect. A client that sends no Origin is not a browser. */
export function originAllowed(request: IncomingMessage, allowed: ServerOptions['allowedOrigins']): boolean {
  const { origin } = request.headers;
  if (origin === undefined || allowed === '*') return true;
  if (allowed) return allowed.some((one) => (typeof one === 'string' ? one === origin : origin.search(one) >= 0));
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
  info: ClientInfo,
  verifyClient: ServerOptions['verifyClient'],
): Promise<HttpRefusal | undefined> {
  if (!verifyClient) return undefined;
  if (verifyClient.length !== 2) {
    return (verifyClient as VerifyClientCallbackSync)(info) ? undefined : { status: 401 };
  }
  return new Promise((resolve) => {
    verifyClient(info, (accepted, status = 401, message, headers) => {
      resolve(accepted ? undefined : { status, message, headers });
    });
  });
}
