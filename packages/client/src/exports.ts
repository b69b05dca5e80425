/** What both entries of the package export besides the class itself. */
export { HoldfastError } from '@holdfast/protocol';
export type { Clock } from './clock.js';
export {
  GapEvent,
  MovedEvent,
  RecoveredEvent,
  RecoveringEvent,
  SocketErrorEvent,
  TopicMessageEvent,
  type SocketEventMap,
  type SocketMessageEvent,
} from './events.js';
export type { Lifecycle } from './lifecycle.js';
export type { TransportOptions, WebSocketOptions } from './options.js';
export type { Sendable } from './payload.js';
export type { DetectedEnvironment, Environment } from './platform.js';
export type { SocketStatistics } from './statistics.js';
