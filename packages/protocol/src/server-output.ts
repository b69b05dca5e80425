import type { Payload } from './frames.js';
import type { TransportId } from './link.js';

/** What the driver of a {@link ServerSession} must do, in this order. */
export type ServerOutput =
  | ({ readonly type: 'transmit'; readonly transport: TransportId } & Payload)
  | { readonly type: 'hangup'; readonly transport: TransportId; readonly code: number; readonly reason: string }
  /** A message for the application. `redelivered`: an earlier handling of it may have happened and was not committed. */
  | ({ readonly type: 'deliver'; readonly n: number; readonly redelivered: boolean } & Payload)
  /** Read the stream (topic '' is the session's own) behind `after` and hand the slice to `handleSlice`. */
  | {
      readonly type: 'read';
      readonly topic: string;
      readonly after: number;
      readonly messages: number;
      readonly bytes: number;
    }
  /** The client has shown that it holds the newest resume token. */
  | { readonly type: 'confirm' }
  /** The client has the stream up to here. */
  | { readonly type: 'acked'; readonly topic: string; readonly offset: number }
  /** The transport is gone, the session is not. */
  | { readonly type: 'detached'; readonly code: number; readonly reason: string }
  /** The client has answered a ping. */
  | { readonly type: 'pong' }
  /** The client wants to end the session: commit all that it has said, then call `handleEnded`. */
  | { readonly type: 'bye'; readonly code: number; readonly reason: string }
  /** The client has heard that the application has closed the session: it can be removed. */
  | { readonly type: 'told' };

/** One entry of a stream, as the log has it. */
export interface LogEntry {
  readonly offset: number;
  readonly data: Uint8Array;
  readonly binary: boolean;
}

/** A piece of a stream, as the log has it. */
export interface LogSlice {
  readonly epoch: string;
  /** Oldest offset still there; `end + 1` when there is none. */
  readonly first: number;
  readonly end: number;
  readonly entries: readonly LogEntry[];
}
