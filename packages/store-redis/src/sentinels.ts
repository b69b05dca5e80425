import { errors, HoldfastError } from '@holdfast/store';
import { Connection, type RedisOptions } from './connection.js';
import type { Address } from './url.js';

export interface SentinelsOptions {
  readonly addresses: readonly Address[];
  /** What they call the master. */
  readonly master: string;
  /** Options for the connection to a sentinel at this address. */
  readonly clientOf: (address: Address) => RedisOptions;
  readonly commandMs: number;
}

/** Asks sentinels who the master is: the one that answered last, else all of them in turn. One connection at a time. */
export class Sentinels {
  readonly #options: SentinelsOptions;
  #asked: Connection | undefined;
  #at = 0;

  constructor(options: SentinelsOptions) {
    this.#options = options;
  }

  async master(): Promise<Address> {
    const { addresses, master } = this.#options;
    let last: unknown;
    for (const _ of addresses) {
      try {
        return await this.#ask();
      } catch (error) {
        last = error;
        this.close();
        this.#at = (this.#at + 1) % addresses.length;
      }
    }
    throw new HoldfastError(errors.STORE, `no sentinel names a master '${master}'`, { cause: last });
  }

  close(): void {
    this.#asked?.close();
    this.#asked = undefined;
  }

  async #ask(): Promise<Address> {
    const { addresses, clientOf, commandMs, master } = this.#options;
    this.#asked ??= new Connection({ client: clientOf(addresses[this.#at]!), commandMs, ready: () => undefined });
    await this.#asked.opened(commandMs);
    const answer = await this.#asked.call(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', master]);
    const [host, port] = Array.isArray(answer) ? answer.map(String) : [];
    if (host === undefined) throw new HoldfastError(errors.STORE, `the sentinel knows no master '${master}'`);
    return { host, port: Number(port) };
  }
}
