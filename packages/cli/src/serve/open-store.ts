import { errors, HoldfastError, MemoryStore, type Store } from '@holdfast/store';
import type { StoreChoice } from '../values.js';

/** Opens the store that a worker was told of. */
export async function openStore(choice: StoreChoice): Promise<Store> {
  switch (choice.kind) {
    case 'memory':
      return new MemoryStore();
    case 'lmdb': {
      const { LmdbStore } = await import('@holdfast/store-lmdb');
      return LmdbStore.open({ path: choice.path }).catch((cause: unknown) => {
        throw cause instanceof HoldfastError ? cause : new HoldfastError(errors.STORE_OPEN, choice.path, { cause });
      });
    }
    case 'redis': {
      const { RedisStore } = await import('@holdfast/store-redis');
      return RedisStore.open({ url: choice.url });
    }
  }
}
