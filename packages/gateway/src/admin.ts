import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errors, HoldfastError, type ErrorKind } from '@holdfast/protocol';
import type { Pods } from './pods.js';
import type { Registry } from 'prom-client';

export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  /** Without one, pods can be neither listed nor changed. */
  readonly token?: string;
}

/** What the admin port shows and changes. */
export interface Administered {
  readonly pods: Pods;
  readonly metrics: Registry;
  /** Whether new connections are welcome and would find a pod. */
  readonly isReady: () => boolean;
  /** Ends the WebSocket whose request had this id. False if there is none. */
  readonly cut: (id: string) => boolean;
  /** What `GET /` tells. */
  readonly status: () => object;
}

interface Reply {
  readonly status: number;
  readonly body: object | string;
  readonly type?: string;
}

const BODY_BYTES_MAX = 65_536;

/** Health, metrics and the admin API, on a port of their own that no client should reach. */
export class Admin {
  readonly #options: AdminOptions;
  readonly #administered: Administered;
  readonly #server: Server;

  constructor(options: AdminOptions, administered: Administered) {
    this.#options = options;
    this.#administered = administered;
    this.#server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, connectionsCheckingInterval: 1_000 });
    this.#server.on('request', (request, response) => void this.#serve(request, response));
  }

  get address(): AddressInfo {
    return this.#server.address() as AddressInfo;
  }

  /** Throws `HF_LISTEN`. */
  async listen(): Promise<void> {
    const { host, port } = this.#options;
    this.#server.listen(port, host);
    try {
      await once(this.#server, 'listening');
    } catch (cause) {
      throw new HoldfastError(errors.LISTEN, `${host}:${port}`, { cause });
    }
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => undefined);
    let reply: Reply;
    try {
      reply = await this.#reply(request);
    } catch (error) {
      reply = failure(400, error instanceof HoldfastError ? errors.OPTION : errors.REQUEST, String(error));
    }
    const isText = typeof reply.body === 'string';
    response.writeHead(reply.status, {
      'Content-Type': reply.type ?? (isText ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8'),
      'Cache-Control': 'no-store',
      ...(reply.status === 401 && { 'WWW-Authenticate': 'Bearer' }),
      ...(!request.complete && { Connection: 'close' }),
    });
    response.end(typeof reply.body === 'string' ? reply.body : `${JSON.stringify(reply.body)}\n`);
  }

  async #reply(request: IncomingMessage): Promise<Reply> {
    const { pods, metrics, isReady, status } = this.#administered;
    const [path = '/'] = (request.url ?? '/').split('?', 1);
    const ask = `${request.method === 'HEAD' ? 'GET' : request.method} ${path}`;
    if (ask === 'GET /healthz') return { status: 200, body: 'ok\n' };
    if (ask === 'GET /readyz')
      return isReady() ? { status: 200, body: 'ready\n' } : { status: 503, body: 'not ready\n' };
    if (ask === 'GET /metrics') return { status: 200, body: await metrics.metrics(), type: metrics.contentType };
    if (!this.#mayChange(request)) return failure(401, errors.ADMIN_TOKEN);
    if (ask === 'GET /') return { status: 200, body: status() };
    if (ask === 'GET /pods') return { status: 200, body: { pods: pods.report() } };
    if (ask === 'POST /pods') {
      const id = pods.add(await bodyOf(request));
      return { status: 201, body: { id } };
    }
    const connection = /^\/connections\/([^/]+)$/.exec(path)?.[1];
    if (connection !== undefined) return this.#cut(decodeURIComponent(connection), request.method);
    const [, name, action] = /^\/pods\/([^/]+)(?:\/(drain|undrain))?$/.exec(path) ?? [];
    if (name === undefined) return failure(404, errors.ROUTE, path.slice(0, 128));
    return this.#change(decodeURIComponent(name), `${request.method} ${action ?? ''}`.trim());
  }

  #cut(id: string, method = ''): Reply {
    if (method !== 'DELETE') return failure(405, errors.REQUEST, 'DELETE is served');
    if (this.#administered.cut(id)) return { status: 200, body: { id } };
    return failure(404, errors.ROUTE, 'there is no such connection');
  }

  #change(id: string, ask: string): Reply {
    const { pods } = this.#administered;
    const changes: Readonly<Record<string, () => boolean>> = {
      'POST drain': () => pods.drain(id),
      'POST undrain': () => pods.undrain(id),
      DELETE: () => pods.remove(id),
    };
    const change = Object.hasOwn(changes, ask) ? changes[ask] : undefined;
    if (change === undefined) return failure(405, errors.REQUEST, 'POST drain, POST undrain and DELETE are served');
    return change() ? { status: 200, body: { id } } : failure(404, errors.ROUTE, 'there is no such pod');
  }

  #mayChange({ headers }: IncomingMessage): boolean {
    const { token } = this.#options;
    const given = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
    if (token === undefined || given === undefined) return false;
    // Of hashes, so that not even the length shows in the time it takes.
    return timingSafeEqual(hashOf(given), hashOf(token));
  }
}

const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest();

const failure = (status: number, error: ErrorKind, detail?: string): Reply => ({
  status,
  body: { error: error.code, message: error.what, ...(detail !== undefined && { detail }), fix: error.fix },
});

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request as AsyncIterable<Buffer>) {
    text += chunk.toString();
    if (text.length > BODY_BYTES_MAX) throw new HoldfastError(errors.OPTION, 'the body is too long');
  }
  return JSON.parse(text) as unknown;
}
