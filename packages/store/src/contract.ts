import { describe } from 'vitest';
import { batchContract } from './contract-batches.js';
import { type Abilities, durableContract } from './contract-durable.js';
import { followerContract } from './contract-followers.js';
import type { OpenStore } from './contract-kit.js';
import { podContract } from './contract-pods.js';
import { propertyContract, type PropertyOptions } from './contract-property.js';
import { sessionContract } from './contract-sessions.js';
import { streamContract } from './contract-streams.js';

export type { OpenStore, StoreUnderTest } from './contract-kit.js';

export interface ContractOptions extends PropertyOptions {
  /** What `open` gives besides the store, said beforehand so that a suite that lacks a part is seen to lack it. */
  readonly abilities: Abilities;
}

/**
 * The suite that every store must pass, for vitest:
 *
 * ```ts
 * storeContract('MyStore', async (options) => ({ store: await MyStore.open(options) }), {
 *   abilities: { reopens: false, hasPeers: false, fails: false },
 *   seed: 1,
 * });
 * ```
 */
export function storeContract(name: string, open: OpenStore, options: ContractOptions): void {
  describe(`${name}, as a store`, () => {
    sessionContract(open);
    batchContract(open);
    streamContract(open);
    followerContract(open);
    podContract(open);
    durableContract(open, options.abilities);
    propertyContract(open, options);
  });
}
