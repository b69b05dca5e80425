import type { Random } from './backoff.js';
import type { CircuitBreaker } from './breaker.js';
import type { ConnectLimits } from './dialer.js';
import type { Window } from './frames.js';

export interface ClientSessionOptions {
  readonly window: Window;
  readonly limits: ConnectLimits;
  /** Failed attempts in a row after which the client gives up; Infinity for never. */
  readonly maxAttempts: number;
  /** Bound on what is accepted and not acknowledged. */
  readonly maxBufferedBytes: number;
  /** Whether a server that does not speak holdfast.v1 is good enough. */
  readonly fallback: boolean;
  /** Shared by all sockets to one endpoint. */
  readonly breaker: CircuitBreaker;
  readonly random: Random;
  /** Asked at every attach, for the `auth` member of the first frame. */
  readonly auth?: () => string | undefined;
}

/** What happened outside that may have changed the network. */
export type Hint = 'online' | 'offline' | 'visible' | 'hidden' | 'woken';
