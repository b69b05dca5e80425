import { type Arguments, Connection, type RedisOptions } from './connection.js';
import type { Script } from './lua/scripts.js';
import type { Servers, ServersOptions } from './servers.js';

/** One server, or whichever is the master of several: a connection for scripts, one for wake-ups. */
export class OneServer implements Servers {
  readonly isCluster = false;
  readonly #commands: Connection;
  readonly #listening: Connection;
  /** Asks who is the master, if somebody knows. */
  readonly #findMaster: (() => Promise<RedisOptions>) | undefined;
  #place: RedisOptions;
  #isAsking = false;

  readonly #closed: (() => void) | undefined;

  constructor(
    client: RedisOptions,
    options: ServersOptions,
    findMaster?: () => Promise<RedisOptions>,
    closed?: () => void,
  ) {
    const { commandMs, ready, listening } = options;
    this.#place = client;
    this.#findMaster = findMaster;
    this.#closed = closed;
    this.#commands = new Connection({ client, commandMs, ready });
    this.#listening = new Connection({ client, commandMs, ready: listening });
  }

  get database(): number {
    return this.#commands.client.options.database ?? 0;
  }

  async opened(withinMs: number): Promise<void> {
    await Promise.all([this.#commands.opened(withinMs), this.#listening.opened(withinMs)]);
  }

  async info(): Promise<string[]> {
    return [String(await this.#commands.call(['INFO']))];
  }

  samples(): number[] {
    return [0];
  }

  run(_: number, script: Script, key: string, args: Arguments, as: 'text' | 'bytes'): Promise<unknown> {
    return this.#commands.run(script, key, args, as);
  }

  tend(): void {
    // Nobody else would notice that this connection is dead.
    this.#listening.call(['PING']).catch(() => undefined);
    this.#followMaster().catch(() => undefined);
  }

  close(): void {
    this.#commands.close();
    this.#listening.close();
    this.#closed?.();
  }

  /** A failover: both connections lead to the new master. */
  async #followMaster(): Promise<void> {
    if (this.#findMaster === undefined || this.#isAsking) return;
    this.#isAsking = true;
    try {
      const place = await this.#findMaster();
      if (!isOther(place, this.#place)) return;
      this.#place = place;
      this.#commands.moveTo(place);
      this.#listening.moveTo(place);
    } finally {
      this.#isAsking = false;
    }
  }
}

function isOther(one: RedisOptions, other: RedisOptions): boolean {
  const of = ({ socket }: RedisOptions) => socket as { readonly host?: string; readonly port?: number } | undefined;
  return of(one)?.host !== of(other)?.host || of(one)?.port !== of(other)?.port;
}
