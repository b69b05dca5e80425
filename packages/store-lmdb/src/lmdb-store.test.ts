import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storeContract } from '@holdfast/store/contract';
import { announceSeed, randomSeed } from '@holdfast/testing';
import { afterAll } from 'vitest';
import { audit } from './audit.fixture.js';
import { LmdbStore } from './lmdb-store.js';

const seed = randomSeed();
announceSeed('LmdbStore', seed);

const directories = mkdtempSync(join(tmpdir(), 'holdfast-lmdb-'));
afterAll(() => rmSync(directories, { recursive: true }), 60_000);

storeContract(
  'LmdbStore',
  async (options) => {
    const path = mkdtempSync(join(directories, 'store-'));
    let effectsLeft = Infinity;
    const beforeAppend = (): void => {
      if (effectsLeft-- === 0) throw new Error('on purpose');
    };
    const stores: LmdbStore[] = [];
    const opened = async (): Promise<LmdbStore> => {
      const store = await LmdbStore.open({ path, ...options }, { beforeAppend });
      stores.push(store);
      return store;
    };
    return {
      store: await opened(),
      peer: opened,
      reopen: async () => {
        for (const store of stores.splice(0)) await store.close();
        const problems = await audit(path);
        if (problems.length > 0) throw new Error(problems.join('\n'));
        return opened();
      },
      failAt: (effect) => (effectsLeft = effect),
    };
  },
  {
    abilities: { reopens: true, hasPeers: true, fails: true },
    seed,
    runs: Number(process.env['HOLDFAST_RUNS'] ?? 100),
  },
);
