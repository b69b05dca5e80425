/**
 * A fault kit for tests of anything that talks over TCP: a proxy that injects faults, a virtual clock, seeded randomness, child
 * processes that never outlive a test, and a ledger that judges delivery.
 *
 * @module
 */
export { ChaosLink, type LinkEnd } from './chaos-link.js';
export {
  ChaosProxy,
  type ChaosProxyOptions,
  type ChaosStatistics,
  type ChaosTarget,
  type PlanFunction,
  type RefusalMode,
} from './chaos-proxy.js';
export { type Clock, realClock } from './clock.js';
export { collect, type Collector, type CollectOptions, type EmitterLike, type TargetLike } from './collect.js';
export { type Deferred, deferred } from './deferred.js';
export { DeliveryLedger, type DeliveryLedgerOptions, type DeliveryReport } from './delivery-ledger.js';
export type { Direction, Fault, FaultKind, LinkPlan, Shape } from './faults.js';
export { freePort } from './free-port.js';
export { Lines, type LinesOptions } from './lines.js';
export { type ProcessExit, type RunningProcess, startProcess, type StartProcessOptions } from './process.js';
export { announceSeed, type AnnounceOptions, type Random, randomSeed, SEED_LIMIT, seededRandom } from './random.js';
export { TimeoutError, until, type UntilOptions } from './until.js';
export { TIMER_DELAY_MS_MAX, VirtualClock, type VirtualClockOptions, type VirtualTimer } from './virtual-clock.js';
