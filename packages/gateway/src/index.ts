export { systemClock, type Clock } from './clock.js';
export * from './pool/index.js';
