import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import type { Heard } from './backends.fixture.js';

/** What a handshake came to: an open WebSocket whose backend said who it is, or an answer of HTTP. */
export type Handshake =
  | { readonly status: 101; readonly socket: WebSocket; readonly heard: Heard; readonly setCookie: readonly string[] }
  | {
      readonly status: number;
      readonly body: string;
      readonly headers: IncomingMessage['headers'];
      readonly socket?: undefined;
    };

/** Opens a WebSocket through a proxy, and waits for what the backend says first. */
export async function handshake(url: string, headers: Record<string, string> = {}): Promise<Handshake> {
  const socket = new WebSocket(url, { headers, handshakeTimeout: 10_000, rejectUnauthorized: false });
  socket.on('error', () => undefined);
  let setCookie: readonly string[] = [];
  socket.on('upgrade', (response) => (setCookie = response.headers['set-cookie'] ?? []));
  const refused = new Promise<Handshake>((resolve) => {
    socket.on('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          body: Buffer.concat(chunks).toString(),
          headers: response.headers,
        }),
      );
    });
  });
  const opened = async (): Promise<Handshake> => {
    const [data] = (await once(socket, 'message')) as [Buffer];
    return { status: 101, socket, heard: JSON.parse(data.toString()) as Heard, setCookie };
  };
  return Promise.race([opened(), refused]);
}

/** The backend that a handshake came to. */
export async function backendOf(url: string, headers: Record<string, string> = {}): Promise<string> {
  const shaken = await handshake(url, headers);
  if (!shaken.socket) throw new Error(`${url} answered ${shaken.status}: ${shaken.body}`);
  const closed = once(shaken.socket, 'close');
  shaken.socket.close();
  await closed;
  return shaken.heard.backend;
}
