import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Environment, GatewayListener } from '@holdfast/policy';
import { relay } from './carry/relay.js';
import { systemClock, type Clock } from './clock.js';
import { settingsOf, type Context } from './context.js';
import { Pool, poolOptionsOf } from './pool/index.js';
import { Upgrades } from './upgrades.js';

export interface GatewayOptions {
  readonly clock?: Clock;
}

/** A gateway in this process. */
export class Gateway {
  readonly #context: Context;
  readonly #pool: Pool;
  readonly #upgrades: Upgrades;
  readonly #servers: Server[] = [];

  /** Throws `HF_OPTION` for what cannot be. */
  constructor(environment: Environment, { clock = systemClock }: GatewayOptions = {}) {
    this.#pool = new Pool({ ...poolOptionsOf(environment), clock });
    this.#pool.found(environment.pods);
    this.#context = {
      clock,
      settings: settingsOf(environment),
      poolOf: () => this.#pool,
      carrierOf: () => relay,
    };
    this.#upgrades = new Upgrades(this.#context);
  }

  /** Addresses that are listened on. */
  get addresses(): AddressInfo[] {
    return this.#servers.map((server) => server.address() as AddressInfo);
  }

  /** WebSockets under way. */
  get webSockets(): number {
    return this.#upgrades.count;
  }

  get pool(): Pool {
    return this.#pool;
  }

  async start(): Promise<void> {
    for (const listener of this.#context.settings.environment.gateway.listen) await this.#listen(listener);
  }

  async #listen({ host, port }: GatewayListener): Promise<void> {
    const server = createServer({ insecureHTTPParser: false });
    server.on('upgrade', (request, socket, head) => this.#upgrades.handle(request, socket, head));
    server.listen(port, host);
    await once(server, 'listening');
    this.#servers.push(server);
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    for (const carriage of this.#upgrades.carriages) carriage.destroy();
    await Promise.all(
      this.#servers.map(async (server) => {
        server.close();
        server.closeAllConnections();
        await once(server, 'close');
      }),
    );
    this.#pool.close();
  }
}
