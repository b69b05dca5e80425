import { freePort, until } from '@holdfast/testing';
import { RedisServer } from './redis.fixture.js';

const SLOTS = 16_384;

type Three = readonly [RedisServer, RedisServer, RedisServer];

/** A real cluster on one machine: three masters with a third of the slots each and, if wanted, a replica of each. */
export class RedisCluster implements AsyncDisposable {
  readonly masters: Three;
  readonly replicas: readonly RedisServer[];

  private constructor(masters: Three, replicas: readonly RedisServer[]) {
    this.masters = masters;
    this.replicas = replicas;
  }

  /** Names two nodes, who know the rest. */
  get url(): string {
    const [one, two] = this.masters;
    return `redis+cluster://127.0.0.1:${one.port},127.0.0.1:${two.port}`;
  }

  static async start(
    options: { readonly hasReplicas?: boolean; readonly flags?: readonly string[] } = {},
  ): Promise<RedisCluster> {
    const { hasReplicas = false, flags = [] } = options;
    const busPorts: number[] = [];
    const startNode = async (): Promise<RedisServer> => {
      const busPort = await freePort();
      busPorts.push(busPort);
      const own = ['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`, '--cluster-node-timeout', '1000'];
      return RedisServer.start([...own, '--cluster-replica-validity-factor', '0', ...flags]);
    };
    const nodes: RedisServer[] = [];
    for (let count = hasReplicas ? 6 : 3; count > 0; count--) nodes.push(await startNode());
    const [one, two, three, ...replicas] = nodes as [...Three, ...RedisServer[]];
    const masters: Three = [one, two, three];
    const edgeOf = (index: number): number => Math.round((index * SLOTS) / 3);
    for (const [index, node] of masters.entries()) {
      await node.command('CLUSTER', 'ADDSLOTSRANGE', `${edgeOf(index)}`, `${edgeOf(index + 1) - 1}`);
      await node.command('CLUSTER', 'SET-CONFIG-EPOCH', `${index + 1}`);
    }
    for (const [index, node] of nodes.entries()) {
      if (index > 0) await one.command('CLUSTER', 'MEET', '127.0.0.1', `${node.port}`, `${busPorts[index]}`);
    }
    const cluster = new RedisCluster(masters, replicas);
    await cluster.#allKnow(nodes, nodes.length);
    const ids = await Promise.all(masters.map((node) => node.command('CLUSTER', 'MYID')));
    for (const [index, replica] of replicas.entries()) {
      await replica.command('CLUSTER', 'REPLICATE', String(ids[index]));
    }
    for (const replica of replicas) {
      await until(async () => /master_link_status:up/.test(String(await replica.command('INFO', 'replication'))), {
        timeoutMs: 20_000,
        what: 'the replicas',
      });
    }
    await cluster.healthy();
    return cluster;
  }

  /** Resolves when all slots are served, as all nodes that live see it. */
  async healthy(): Promise<void> {
    await this.#allKnow(this.masters, 1);
  }

  /** Moves a slot, as an operator does who adds a node; `halfway` is run when some of its keys are here and some there. */
  async moveSlot(slot: number, from: RedisServer, to: RedisServer, halfway: () => Promise<void>): Promise<void> {
    const fromId = String(await from.command('CLUSTER', 'MYID'));
    const toId = String(await to.command('CLUSTER', 'MYID'));
    await to.command('CLUSTER', 'SETSLOT', `${slot}`, 'IMPORTING', fromId);
    await from.command('CLUSTER', 'SETSLOT', `${slot}`, 'MIGRATING', toId);
    const moveKeys = async (count: number): Promise<number> => {
      const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', `${slot}`, `${count}`)) as string[];
      const address = ['127.0.0.1', `${to.port}`, '', '0', '5000', 'KEYS'];
      if (keys.length > 0) await from.command('MIGRATE', ...address, ...keys);
      return keys.length;
    };
    await moveKeys(3);
    await halfway();
    while ((await moveKeys(100)) > 0);
    for (const node of [to, from, ...this.masters]) await node.command('CLUSTER', 'SETSLOT', `${slot}`, 'NODE', toId);
  }

  /** On each of the masters. */
  async everywhere(...command: string[]): Promise<unknown[]> {
    return Promise.all(this.masters.map((node) => node.command(...command)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.masters, ...this.replicas].map((node) => node[Symbol.asyncDispose]()));
  }

  async #allKnow(nodes: readonly RedisServer[], count: number): Promise<void> {
    for (const node of nodes) {
      const knows = async (): Promise<boolean> => {
        const info = String(await node.command('CLUSTER', 'INFO').catch(() => ''));
        const known = Number(/cluster_known_nodes:(\d+)/.exec(info)?.[1] ?? 0);
        return known >= count && (/cluster_state:ok/.test(info) || !this.masters.includes(node));
      };
      await until(knows, { timeoutMs: 20_000, what: 'the cluster' });
    }
  }
}
