import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import type { EndpointSlice } from './endpoint-slices.js';

/**
 * A scripted stand-in for a Kubernetes API server, over real HTTP: it answers lists and watches of EndpointSlices in the form a real one
 * does, and does what a test tells it. It is no API server, and keeps none of its rules by itself.
 */
export class ApiServer {
  /** What the next list answers. */
  slices: readonly (EndpointSlice & { metadata: { name: string } })[] = [];
  version = '1';
  /** Status of the next answers instead of 200, one each. */
  readonly failures: number[] = [];
  /** What was asked, as `list` or `watch 17`. */
  readonly asked: string[] = [];
  readonly authorization = new Set<string | undefined>();
  readonly #server = createServer((request, response) => this.#answer(request, response));
  #watches: ServerResponse[] = [];
  #connections = 0;

  static async start(): Promise<ApiServer> {
    const api = new ApiServer();
    api.#server.on('connection', (socket) => {
      api.#connections++;
      socket.on('close', () => api.#connections--);
    });
    api.#server.listen(0, '127.0.0.1');
    await once(api.#server, 'listening');
    return api;
  }

  get config(): KubeConfig {
    const config = new KubeConfig();
    const { port } = this.#server.address() as AddressInfo;
    // The library takes plain HTTP only so.
    const cluster = { name: 'test', server: `http://127.0.0.1:${port}`, skipTLSVerify: true };
    config.loadFromClusterAndUser(cluster, { name: 'gateway', token: 'bearer-of-the-test' });
    return config;
  }

  get connections(): number {
    return this.#connections;
  }

  get watching(): number {
    return this.#watches.length;
  }

  /** One event to all watches. */
  send(type: string, object: object): void {
    for (const watch of this.#watches) watch.write(`${JSON.stringify({ type, object })}\n`);
  }

  change(type: 'ADDED' | 'MODIFIED' | 'DELETED', slice: EndpointSlice, version: string): void {
    this.send(type, { ...slice, metadata: { ...slice.metadata, resourceVersion: version } });
  }

  /** Ends all watches: in order, as after their time, or by cutting the connection. */
  end(how: 'in order' | 'cut'): void {
    for (const watch of this.#watches) {
      if (how === 'cut') watch.destroy();
      else watch.end();
    }
  }

  async close(): Promise<void> {
    this.end('cut');
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://api');
    const isOurs =
      pathname === '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices' &&
      searchParams.get('labelSelector') === 'kubernetes.io/service-name=web';
    const isWatch = searchParams.get('watch') === 'true';
    this.authorization.add(request.headers.authorization);
    this.asked.push(isWatch ? `watch ${searchParams.get('resourceVersion')}` : 'list');
    const status = isOurs ? (this.failures.shift() ?? 200) : 404;
    response.writeHead(status, { 'Content-Type': 'application/json' });
    if (status !== 200) {
      response.end(JSON.stringify({ kind: 'Status', status: 'Failure', code: status, message: 'scripted' }));
    } else if (isWatch) {
      response.flushHeaders();
      this.#watches.push(response);
      response.on('close', () => (this.#watches = this.#watches.filter((other) => other !== response)));
    } else {
      const metadata = { resourceVersion: this.version };
      response.end(JSON.stringify({ kind: 'EndpointSliceList', metadata, items: this.slices }));
    }
  }
}
