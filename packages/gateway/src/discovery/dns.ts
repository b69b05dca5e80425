import { Resolver } from 'node:dns/promises';
import { errors } from '@holdfast/protocol';
import type { Clock } from '../clock.js';
import type { FoundPod } from '../pool/index.js';
import { PODS_MAX, type Finder, type Lookout } from './discovery.js';
import { messageOf, Reporter } from './reporter.js';

export interface DnsOptions {
  /** In full, as `web.shop.svc.cluster.local`: search domains are not used. */
  readonly name: string;
  /** `A` takes IPv4 addresses, or IPv6 ones where there are none; `SRV` has ports, weights and priorities. */
  readonly record: 'A' | 'SRV';
  /** Of the pods; only for `A`. */
  readonly port: number;
  readonly refreshMs: number;
}

/** Longest wait for one server, and how often each is asked. */
const QUERY_MS = 2_000;
const TRIES = 2;
/** How much the interval varies, so that gateways do not ask in step. */
const JITTER = 0.1;

/**
 * Looks a name up again and again. A headless Service without ready pods has no records, so "no such name" is taken as a failure like any
 * other: the last good answer stays, and whether those pods still answer is for the checks to say.
 */
export class DnsLookout implements Lookout {
  readonly #options: DnsOptions;
  readonly #reporter: Reporter;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #resolver: Resolver;
  #timer: unknown;

  /** `servers` as `127.0.0.1:53`; default: those of the machine. */
  constructor(
    options: DnsOptions,
    finder: Finder,
    clock: Clock,
    { random = Math.random, servers }: { random?: () => number; servers?: readonly string[] } = {},
  ) {
    this.#options = options;
    this.#reporter = new Reporter(finder, `dns ${options.name}`);
    this.#clock = clock;
    this.#random = random;
    this.#resolver = new Resolver({ timeout: QUERY_MS, tries: TRIES });
    if (servers !== undefined) this.#resolver.setServers(servers);
    void this.#look();
  }

  close(): void {
    this.#reporter.close();
    this.#clock.clearTimeout(this.#timer);
    this.#resolver.cancel();
  }

  async #look(): Promise<void> {
    try {
      const pods = await (this.#options.record === 'SRV' ? this.#services() : this.#addresses());
      this.#reporter.found(pods);
    } catch (error) {
      this.#reporter.troubled(errors.DISCOVERY, messageOf(error), error);
    }
    if (this.#reporter.isClosed) return;
    const delayMs = this.#options.refreshMs * (1 - JITTER + 2 * JITTER * this.#random());
    this.#timer = this.#clock.setTimeout(() => void this.#look(), delayMs);
  }

  async #addresses(): Promise<FoundPod[]> {
    const { name, port } = this.#options;
    return (await this.#resolve(name)).map((host) => ({ host, port }));
  }

  async #services(): Promise<FoundPod[]> {
    const records = (await this.#resolver.resolveSrv(this.#options.name)).slice(0, PODS_MAX);
    const first = Math.min(...records.map(({ priority }) => priority));
    const found = await Promise.all(
      records.map(async ({ name, port, weight, priority }) => {
        const hosts = await this.#resolve(name);
        // The name of a pod of a StatefulSet outlives its address.
        const id = hosts.length === 1 ? `${name}:${port}` : undefined;
        return hosts.map((host) => ({ host, port, id, weight: Math.max(1, weight), backup: priority > first }));
      }),
    );
    return found.flat();
  }

  /** Sorted, as servers turn their answers round and the order of pods is not to change with that. */
  async #resolve(name: string): Promise<string[]> {
    const addresses = await this.#resolver.resolve4(name).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENODATA') throw error;
      return this.#resolver.resolve6(name);
    });
    return addresses.sort();
  }
}
