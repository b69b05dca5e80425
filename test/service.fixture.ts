import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** What stands before the pods of a deployment: it sends each connection to one of the endpoints that it knows of now. */
export class Service implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** When each connection was made, on the monotonic clock. */
  readonly acceptedMs: number[] = [];
  endpoints: readonly number[] = [];
  #next = 0;

  private constructor() {
    this.#server = createServer((client) => this.#carry(client));
  }

  static async listen(): Promise<Service> {
    const service = new Service();
    service.#server.listen(0, '127.0.0.1');
    await once(service.#server, 'listening');
    return service;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** The most connections that were made within any second. */
  get peakPerSecond(): number {
    const counts = this.acceptedMs.map(
      (from) => this.acceptedMs.filter((ms) => ms >= from && ms < from + 1_000).length,
    );
    return Math.max(0, ...counts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #carry(client: Socket): void {
    const port = this.endpoints[this.#next++ % this.endpoints.length];
    if (port === undefined) {
      client.destroy();
      return;
    }
    this.acceptedMs.push(performance.now());
    const pod = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [client, pod],
      [pod, client],
    ] as const) {
      this.#sockets.add(one);
      one.setNoDelay(true);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
