import type { RedisOptions } from './connection.js';
import { Cluster } from './cluster.js';
import { Groups } from './groups.js';
import { OneServer } from './one-server.js';
import { Sentinels } from './sentinels.js';
import type { Servers, ServersOptions } from './servers.js';
import { type Address, clientOptionsOf, type Place } from './url.js';

/** What leads to the servers. */
export interface Way {
  readonly place: Place | undefined;
  /** Options of the `redis` client, for all connections to servers. They go before what the URL says. */
  readonly client: RedisOptions;
  /** The same for connections to sentinels. */
  readonly sentinelClient: RedisOptions;
}

export function groupsOf({ place }: Way, prefix: string): Groups {
  return new Groups(prefix, place?.kind === 'cluster');
}

/** The servers that a URL leads to. Sentinels are asked first, for as long as `withinMs`. */
export async function serversOf(way: Way, groups: Groups, withinMs: number, options: ServersOptions): Promise<Servers> {
  const { place, client, sentinelClient } = way;
  if (place === undefined) return new OneServer(client, options);
  const clientOf = (address: Address): RedisOptions => merged(clientOptionsOf(place, address), client);
  if (place.kind === 'cluster') return new Cluster(groups, place.addresses, clientOf, options);
  if (place.kind === 'one') return new OneServer(clientOf(place.addresses[0]!), options);

  const { username: _, password: __, database: ___, ...bare } = place;
  const sentinels = new Sentinels({
    addresses: place.addresses,
    master: place.master!,
    clientOf: (address) => merged(clientOptionsOf(bare, address), sentinelClient),
    commandMs: options.commandMs,
  });
  const findMaster = async (): Promise<RedisOptions> => clientOf(await sentinels.master());
  return new OneServer(await untilFound(findMaster, withinMs), options, findMaster, () => sentinels.close());
}

const RETRY_MS = 200;

async function untilFound<T>(find: () => Promise<T>, withinMs: number): Promise<T> {
  const until = performance.now() + withinMs;
  for (;;) {
    try {
      return await find();
    } catch (error) {
      if (performance.now() + RETRY_MS > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

function merged(fromUrl: RedisOptions, client: RedisOptions): RedisOptions {
  return { ...fromUrl, ...client, socket: { ...fromUrl.socket, ...client.socket } as RedisOptions['socket'] };
}
