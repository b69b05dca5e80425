/**
 * Both session machines on a virtual clock, with a model of everything between and behind them. For tests of what is built on
 * the protocol: it shows what a driver and a store must do.
 *
 * @module
 */
export { Judge } from './judge.js';
export { ModelLink, type LinkEnd, type LinkOptions, type Side } from './model-link.js';
export { ModelLog } from './model-log.js';
export { ModelPod, type PodOptions, type Span } from './model-pod.js';
export { ModelProcess } from './model-process.js';
export { ModelStore, type Claim, type Handled, type ModelSession, type Refusal } from './model-store.js';
export { Pair, type PairOptions, type Received } from './pair.js';
export { Timeline } from './timeline.js';
