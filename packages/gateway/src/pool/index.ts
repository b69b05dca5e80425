export { CookieKeys } from './cookie-keys.js';
export type { FailureCause } from './failures.js';
export type { Pick } from './lease.js';
export type { Counts, Drainer, FoundPod, Pod } from './member.js';
export type { Affinity } from './order.js';
export { Pool, type PodChange, type PodReport, type PoolOptions } from './pool.js';
export { poolOptionsOf } from './settings.js';
export { Sticky, type Asking, type Stuck } from './sticky.js';
export { POD_STATES, type PodState } from './states.js';
