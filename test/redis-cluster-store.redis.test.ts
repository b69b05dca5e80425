import { storeContract } from '@holdfast/store/contract';
import { RedisStore } from '@holdfast/store-redis';
import { announceSeed, randomSeed } from '@holdfast/testing';
import { afterAll, beforeAll } from 'vitest';
import { RedisCluster } from './redis-cluster.fixture.js';

const seed = randomSeed();
announceSeed('RedisStore in a cluster', seed);

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await RedisCluster.start();
}, 60_000);
afterAll(() => cluster[Symbol.asyncDispose]());

let count = 0;
storeContract(
  'RedisStore in a cluster',
  async (options) => {
    const prefix = `test-${count++}:`;
    let failAt: number | undefined;
    const stores: RedisStore[] = [];
    const opened = async (): Promise<RedisStore> => {
      const internals = {
        failAt: () => {
          const now = failAt;
          failAt = undefined;
          return now;
        },
      };
      const store = await RedisStore.open({ url: cluster.url, prefix, ...options }, internals);
      stores.push(store);
      return store;
    };
    return {
      store: await opened(),
      peer: opened,
      reopen: async () => {
        for (const store of stores.splice(0)) await store.close();
        return opened();
      },
      failAt: (effect) => (failAt = effect),
    };
  },
  {
    abilities: { reopens: true, hasPeers: true, fails: true },
    seed,
    runs: Number(process.env['HOLDFAST_RUNS'] ?? 12),
  },
);
