import type { Window } from './frames.js';

/**
 * The numbers that both ends must agree on. The server states them in `welcome` and `resumed`; the client has no copy of its
 * own, so one change on the server changes every client at its next attach.
 */
export interface Policy {
  /** A ping is sent when nothing was heard for this long. Default 2,000 ms: under every idle limit of every known proxy. */
  readonly pingMs: number;
  /** Silence after which a transport is dead. Default 4,000 ms: two pings, so that half-open is found within 5 s. */
  readonly deadMs: number;
  /** As `pingMs` while the page is hidden. Default 25,000 ms: under the shortest common idle limits (55 s, 60 s). */
  readonly backgroundPingMs: number;
  /** As `deadMs` while the page is hidden. Default 50,000 ms. */
  readonly backgroundDeadMs: number;
  /** The longest that an acknowledgement waits for something to ride on. Default 50 ms. */
  readonly ackMs: number;
  /** What the server lets a client send beyond the watermark. Default 1,024 messages, 4 MiB. */
  readonly window: Window;
  /** Largest message that the server accepts, in bytes. Default 16 MiB. */
  readonly maxPayloadBytes: number;
  /** How long a session without a transport lives. Default 10 min. */
  readonly sessionMs: number;
  /** Bounds of the client's exponential backoff with full jitter. Defaults 500 ms and 30,000 ms. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
}

export const DEFAULT_POLICY: Policy = {
  pingMs: 2_000,
  deadMs: 4_000,
  backgroundPingMs: 25_000,
  backgroundDeadMs: 50_000,
  ackMs: 50,
  window: { messages: 1_024, bytes: 4_194_304 },
  maxPayloadBytes: 16_777_216,
  sessionMs: 600_000,
  retryMinMs: 500,
  retryMaxMs: 30_000,
};

/** What a client lets the server send beyond its acknowledgements, unless it says otherwise. */
export const DEFAULT_CLIENT_WINDOW: Window = { messages: 1_024, bytes: 4_194_304 };
