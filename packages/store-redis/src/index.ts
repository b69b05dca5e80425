export type { RedisOptions } from './connection.js';
export { RedisStore, type RedisStoreOptions } from './redis-store.js';
