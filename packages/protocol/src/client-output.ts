import type { ErrorKind } from './error.js';
import type { Payload } from './frames.js';
import type { TransportId } from './link.js';

/** What the driver of a {@link ClientSession} must do, in this order. */
export type ClientOutput =
  /** Open a transport. `offer` tells which subprotocols to offer; `session` goes into the URL, for balancers. */
  | { readonly type: 'dial'; readonly transport: TransportId; readonly offer: Offer; readonly session?: string }
  | ({ readonly type: 'transmit'; readonly transport: TransportId } & Payload)
  /** Close the transport and forget it; do not wait for its close event. */
  | { readonly type: 'hangup'; readonly transport: TransportId; readonly code: number; readonly reason: string }
  /** Begin the closing handshake of a plain transport and report its close: there is no session whose end could be told. */
  | { readonly type: 'shut'; readonly transport: TransportId; readonly code: number; readonly reason: string }
  | { readonly type: 'open'; readonly transport: TransportId }
  | ({ readonly type: 'message'; readonly topic?: string } & Payload)
  | { readonly type: 'recovering'; readonly code: number; readonly reason: string }
  /** Everything that the session missed has been delivered. */
  | { readonly type: 'recovered'; readonly replayed: number }
  /** The session goes on over a new transport without ever having been without one. */
  | { readonly type: 'moved'; readonly pod: string }
  | ({ readonly type: 'gap' } & Gap)
  | { readonly type: 'error'; readonly error: ErrorKind; readonly detail: string }
  | { readonly type: 'close'; readonly code: number; readonly reason: string; readonly wasClean: boolean };

/** `session`: holdfast.v1 among others. `plain`: only what the application asked for. */
export type Offer = 'session' | 'plain';

/** Entries that will never come. `from` 0 means that the stream began anew and nobody knows how many were lost. */
export interface Gap {
  /** The topic; '' is the session's own stream. */
  readonly topic: string;
  readonly from: number;
  readonly to: number;
}

export interface ClientStatistics {
  /** Transports that carried the session, the one of now included. */
  readonly transports: number;
  readonly attempts: number;
  readonly recoveries: number;
  /** Changes of transport without an interruption. */
  readonly moves: number;
  readonly sent: number;
  readonly resent: number;
  readonly received: number;
  readonly replayed: number;
  /** Messages that came twice and were held back. */
  readonly duplicates: number;
  /** Messages that gaps declared lost, as far as their number is known. */
  readonly missing: number;
  /** The last round trip that a ping measured. */
  readonly rttMs: number | undefined;
  readonly waitingMessages: number;
  readonly waitingBytes: number;
}
