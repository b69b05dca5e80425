export { errors, HoldfastError } from '@holdfast/protocol';
export { applyBatch, endSession } from './apply.js';
export type { Cursor, Ledger, Log, SessionRecord, TopicRecord } from './ledger.js';
export { newEpoch } from './memory-log.js';
export { MemoryStore, type MemoryStoreOptions } from './memory.js';
export {
  ageLimit,
  checkNames,
  expiryOf,
  type Extent,
  hasLapsed,
  type Lease,
  overflows,
  renewLease,
  retentionOf,
  type Tokens,
} from './rules.js';
export {
  ANY_EPOCH,
  DEFAULT_RETENTION,
  sessionStream,
  topicStream,
  type Batch,
  type BatchResult,
  type Claim,
  type Closing,
  type Content,
  type Effect,
  type EffectResult,
  type Entry,
  type Followers,
  type Guard,
  type Lost,
  type NewSession,
  type Part,
  type PartResult,
  type ReadLimit,
  type Refusal,
  type Retention,
  type SessionState,
  type Slice,
  type Store,
  type StoreStats,
  type StreamKey,
  type StreamState,
  type Subscription,
  type Tail,
  type TokenHash,
  type Wake,
} from './store.js';
export { Tails } from './tails.js';
export { adoptSession, attachSession, type Facts, stateOf } from './takeover.js';
