import { errors, HoldfastError } from '@holdfast/store';
import { type Arguments, Connection, type RedisOptions } from './connection.js';
import type { Groups } from './groups.js';
import type { Script } from './lua/scripts.js';
import type { Servers, ServersOptions } from './servers.js';
import type { Address } from './url.js';

/** A slot that moves while we look for it is found after so many hints, or the operation fails and is tried again. */
const REDIRECTIONS_MAX = 5;
/** Whoever has which slot is asked for no more often than this after failures. */
const REFRESH_MS = 250;
/** A connection for wake-ups has this long to come about, or back, before another node is tried. */
const RELISTEN_MS = 1_000;
/** Slot ranges with their master and replicas, as CLUSTER SLOTS says it. */
type SlotRange = readonly [
  from: number,
  to: number,
  master: readonly [host: string | null, port: number, ...unknown[]],
];

/**
 * The masters of a cluster: one connection to each for scripts, and one to any of them for wake-ups, as each hears what is published at every
 * other. Redirections by MOVED are followed; those by ASK are not, as the keys of a group are then in two places: the operation fails and is
 * tried again when the slot has arrived.
 */
export class Cluster implements Servers {
  readonly isCluster = true;
  readonly database = 0;
  readonly #groups: Groups;
  readonly #seeds: readonly Address[];
  readonly #clientOf: (address: Address) => RedisOptions;
  readonly #options: ServersOptions;
  readonly #nodes = new Map<string, Connection>();
  /** Where each group is. */
  #owners: (Address | undefined)[] = [];
  #listening: Connection | undefined;
  #listensTo = '';
  #listensSinceMs = 0;
  #isRefreshing = false;
  #refreshedMs = -Infinity;
  #isClosed = false;

  constructor(
    groups: Groups,
    seeds: readonly Address[],
    clientOf: (address: Address) => RedisOptions,
    options: ServersOptions,
  ) {
    this.#groups = groups;
    this.#seeds = seeds;
    this.#clientOf = clientOf;
    this.#options = options;
  }

  async opened(withinMs: number): Promise<void> {
    const until = performance.now() + withinMs;
    const leftMs = (): number => Math.max(1, until - performance.now());
    for (;;) {
      try {
        await this.#refresh(leftMs());
        await Promise.all([...this.#nodes.values()].map((node) => node.opened(leftMs())));
        await this.#listening?.opened(leftMs());
        return;
      } catch (error) {
        if (this.#isClosed || performance.now() + REFRESH_MS > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, REFRESH_MS));
      }
    }
  }

  async info(): Promise<string[]> {
    return Promise.all([...this.#nodes.values()].map(async (node) => String(await node.call(['INFO']))));
  }

  samples(): number[] {
    const owners = this.#owners.map((owner) => owner && nameOf(owner));
    return owners.flatMap((owner, group) => (owners.indexOf(owner) === group ? [group] : []));
  }

  async run(group: number, script: Script, key: string, args: Arguments, as: 'text' | 'bytes'): Promise<unknown> {
    for (let redirections = 0; ; redirections++) {
      const owner = this.#owners[group];
      if (owner === undefined) throw new HoldfastError(errors.STORE, `no node has slot ${this.#groups.slotOf(group)}`);
      try {
        return await this.#node(owner).run(script, key, args, as);
      } catch (error) {
        const moved = movedTo(error, owner);
        if (moved === undefined || redirections === REDIRECTIONS_MAX) {
          this.#refreshSoon();
          throw error;
        }
        this.#owners[group] = moved;
        this.#refreshSoon();
      }
    }
  }

  tend(): void {
    this.#listening?.call(['PING']).catch(() => {
      if (performance.now() - this.#listensSinceMs > RELISTEN_MS) this.#listenElsewhere();
    });
    if (this.#owners.includes(undefined)) this.#refreshSoon();
  }

  close(): void {
    this.#isClosed = true;
    for (const node of this.#nodes.values()) node.close();
    this.#listening?.close();
  }

  #node(address: Address): Connection {
    const name = nameOf(address);
    const known = this.#nodes.get(name);
    if (known !== undefined) return known;
    if (this.#isClosed) throw new HoldfastError(errors.STORE_CLOSED);
    const { commandMs, ready } = this.#options;
    const made = new Connection({ client: this.#clientOf(address), commandMs, ready });
    this.#nodes.set(name, made);
    return made;
  }

  /** One that fails is made up for by the next: whatever needs it will fail and ask again. */
  #refreshSoon(): void {
    if (this.#isClosed || this.#isRefreshing || performance.now() - this.#refreshedMs < REFRESH_MS) return;
    this.#isRefreshing = true;
    this.#refresh(this.#options.commandMs)
      .catch(() => undefined)
      .finally(() => (this.#isRefreshing = false));
  }

  async #refresh(withinMs: number): Promise<void> {
    this.#refreshedMs = performance.now();
    const ready = [...this.#nodes].filter(([, node]) => node.isReady);
    let last: unknown = new HoldfastError(errors.STORE, 'no node of the cluster is known');
    for (const [name, node] of ready) {
      try {
        return this.#learn((await node.call(['CLUSTER', 'SLOTS'])) as SlotRange[], addressOf(name));
      } catch (error) {
        last = error;
      }
    }
    for (const seed of this.#seeds) {
      const { commandMs } = this.#options;
      const node = new Connection({ client: this.#clientOf(seed), commandMs, ready: () => undefined });
      try {
        await node.opened(Math.min(withinMs, commandMs));
        return this.#learn((await node.call(['CLUSTER', 'SLOTS'])) as SlotRange[], seed);
      } catch (error) {
        last = /cluster support disabled/.test(String(error)) ? new HoldfastError(errors.STORE_NO_CLUSTER) : error;
      } finally {
        node.close();
      }
    }
    throw last;
  }

  #learn(ranges: readonly SlotRange[], asked: Address): void {
    if (this.#isClosed) return;
    this.#owners = this.#groups.all().map((group) => {
      const slot = this.#groups.slotOf(group);
      const [, , master] = ranges.find(([from, to]) => from <= slot && slot <= to) ?? [];
      if (master === undefined) return undefined;
      // A node that does not know its own name is the one that was asked.
      return { host: master[0] || asked.host, port: master[1] };
    });
    const wanted = new Map(this.#owners.flatMap((owner) => (owner === undefined ? [] : [[nameOf(owner), owner]])));
    for (const [name, node] of this.#nodes) {
      if (wanted.has(name)) continue;
      this.#nodes.delete(name);
      node.close();
    }
    for (const owner of wanted.values()) this.#node(owner);
    if (!wanted.has(this.#listensTo)) this.#listenElsewhere();
  }

  /** Wake-ups are heard at another node from now on, one that is there. */
  #listenElsewhere(): void {
    if (this.#isClosed) return;
    const others = [...this.#nodes].filter(([name]) => name !== this.#listensTo);
    const [name] = others.find(([, node]) => node.isReady) ?? others[0] ?? [];
    if (name === undefined) return;
    this.#listensTo = name;
    this.#listensSinceMs = performance.now();
    const client = this.#clientOf(addressOf(name));
    if (this.#listening !== undefined) return this.#listening.moveTo(client);
    const { commandMs, listening } = this.#options;
    this.#listening = new Connection({ client, commandMs, ready: listening });
  }
}

const nameOf = ({ host, port }: Address): string => `${host} ${port}`;

function addressOf(name: string): Address {
  const [host = '', port] = name.split(' ');
  return { host, port: Number(port) };
}

function movedTo(error: unknown, asked: Address): Address | undefined {
  const cause = error instanceof HoldfastError ? error.cause : undefined;
  const said = cause instanceof Error ? cause.message : '';
  const [, host, port] = /^MOVED \d+ (.*):(\d+)$/.exec(said) ?? [];
  return port === undefined ? undefined : { host: host || asked.host, port: Number(port) };
}
