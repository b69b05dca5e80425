import { announceSeed, randomSeed } from '@holdfast/testing';
import { storeContract } from './contract.js';
import { MemoryStore } from './memory.js';

const seed = randomSeed();
announceSeed('MemoryStore', seed);

storeContract('MemoryStore', async (options) => ({ store: new MemoryStore(options) }), {
  abilities: { reopens: false, hasPeers: false, fails: false },
  seed,
  runs: Number(process.env['HOLDFAST_RUNS'] ?? 500),
});
