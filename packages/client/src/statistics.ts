import type { BreakerStatistics, ClientState, ClientStatistics } from '@holdfast/protocol';
import type { DetectedEnvironment } from './platform.js';

/** What `getStatistics()` returns: a copy, true at the moment of the call. */
export interface SocketStatistics extends ClientStatistics {
  /** Finer than `readyState`: `recovering` is told from `open`, and `plain` is a server without holdfast.v1. */
  readonly state: ClientState;
  /** The public id of the session; undefined before the first welcome and for a plain server. */
  readonly session: string | undefined;
  /** The server process that has the session. */
  readonly pod: string | undefined;
  /** Since `open`, in milliseconds, recoveries included; 0 before. */
  readonly uptimeMs: number;
  readonly bufferedBytes: number;
  readonly environment: DetectedEnvironment;
  /** The circuit breaker that all sockets to this endpoint share. */
  readonly breaker: BreakerStatistics;
}
