export { CLOCK_KINDS, type Clock, type ClockKind, type Evidence, type Hop, type Link, type SetBy } from './clock.js';
export type { Variables } from './document.js';
export { HOP_KIND_NAMES, HOP_KINDS, wordsOfHop, type HopKind, type HopWords } from './hop-kinds.js';
export { load, loadPolicy, parse, pick, type Loaded, type LoadOptions } from './load.js';
export * from './policy.js';
export { describeProblem, type Position, type Problem } from './problem.js';
export { describeSource, type Source, type Sources } from './source.js';
export { formatDuration, formatSize, parseDuration, parseSize } from './units.js';
export { distance, nearest } from './words.js';
