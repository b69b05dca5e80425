export { LmdbStore } from './lmdb-store.js';
export type { LmdbStoreOptions } from './options.js';
