import { storeContract } from '@holdfast/store/contract';
import { RedisStore } from '@holdfast/store-redis';
import { announceSeed, randomSeed } from '@holdfast/testing';
import { afterAll, beforeAll } from 'vitest';
import { audit } from './redis-audit.fixture.js';
import { RedisServer } from './redis.fixture.js';

const seed = randomSeed();
announceSeed('RedisStore', seed);

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());

let count = 0;
storeContract(
  'RedisStore',
  async (options) => {
    const prefix = `test-${count++}:`;
    // Nobody uses any more what the tests before have left.
    await server.command('FLUSHALL');
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
      const store = await RedisStore.open({ url: server.url, prefix, ...options }, internals);
      stores.push(store);
      return store;
    };
    return {
      store: await opened(),
      peer: opened,
      reopen: async () => {
        for (const store of stores.splice(0)) await store.close();
        const problems = await audit(server.url, prefix);
        if (problems.length > 0) throw new Error(problems.join('\n'));
        return opened();
      },
      failAt: (effect) => (failAt = effect),
    };
  },
  {
    abilities: { reopens: true, hasPeers: true, fails: true },
    seed,
    runs: Number(process.env['HOLDFAST_RUNS'] ?? 60),
  },
);
