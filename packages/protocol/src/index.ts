export { backoffMs, hintedMs, type BackoffBounds, type Random } from './backoff.js';
export { isCount, isId, readPolicy, topicFromWire, topicToWire } from './bodies.js';
export {
  CircuitBreaker,
  PRESETS,
  type BreakerOptions,
  type BreakerState,
  type BreakerStatistics,
  type Preset,
} from './breaker.js';
export type { ClientOutput, ClientStatistics, Gap, Offer } from './client-output.js';
export type { ClientSessionOptions, Hint } from './client-options.js';
export { ClientSession } from './client-session.js';
export { CLOSE, closeCodeOf, closeReason, retryHint, verdictOf, VERDICTS, type Verdict } from './close-codes.js';
export { decode } from './decode.js';
export { DEFAULT_CONNECT_LIMITS, type ConnectLimits } from './dialer.js';
export { encode, type Wire } from './encode.js';
export { HoldfastError, isFault, type ErrorKind, type ErrorSide, type Fault } from './error.js';
export * as errors from './errors.js';
// By its own name, so that a client's bundle need not carry the registry.
export { OPTION } from './errors.js';
export type {
  Frame,
  FrameOf,
  FrameType,
  HelloBody,
  Pace,
  Payload,
  ResumeBody,
  ResumedBody,
  TopicCursor,
  WelcomeBody,
  Window,
} from './frames.js';
export { LIMITS } from './limits.js';
export type { TransportId } from './link.js';
export { Liveness, type Heartbeat, type Pulse } from './liveness.js';
export { DEFAULT_CLIENT_WINDOW, DEFAULT_POLICY, type Policy } from './policy.js';
export type { LogEntry, LogSlice, ServerOutput } from './server-output.js';
export type { ServerSessionOptions, ServerSessionState } from './server-options.js';
export { ServerSession } from './server-session.js';
export {
  CLIENT_STATES,
  FRAME_RULES,
  mayCarry,
  next,
  PHASES,
  SERVER_STATES,
  type ClientState,
  type Phase,
  type Sender,
  type ServerState,
} from './states.js';
export { agreementOf, offerOf, SUBPROTOCOL, type Agreement } from './subprotocol.js';
export {
  environmentNamed,
  secondsToMs,
  surroundingsOf,
  WEBSOCKET_VARIABLES,
  type EnvironmentName,
  type Surroundings,
  type Variables,
} from './surroundings.js';
export { TokenBucket } from './token-bucket.js';
export { sizeOf } from './utf8.js';
