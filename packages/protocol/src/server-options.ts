import type { Followed } from './delivery.js';
import type { Policy } from './policy.js';

/** What the store knows of a session when a pod takes it on. */
export interface ServerSessionState {
  readonly id: string;
  readonly watermark: number;
  /** `epoch` and `end` as they are now. */
  readonly stream: { readonly epoch: string; readonly end: number; readonly acked: number };
  /** `epoch` and `offset` as they were when the session followed the topic, or acknowledged it; `end` as it is now. */
  readonly topics: readonly {
    readonly topic: string;
    readonly epoch: string;
    readonly offset: number;
    readonly end: number;
    /** The epoch of the stream as it is now, where the store knows it. */
    readonly streamEpoch?: string;
  }[];
  readonly closing?: { readonly code: number; readonly reason: string };
}

export interface ServerSessionOptions {
  readonly pod: string;
  readonly policy: Policy;
  /** How long a client may take to answer a bye. */
  readonly closeMs: number;
  /** Makes the buffers of data frames. */
  readonly allocate?: (length: number) => Uint8Array;
}

/** The streams of a session, its own first. */
export const streamsOf = ({ stream, topics }: Pick<ServerSessionState, 'stream' | 'topics'>): Followed[] => [
  { topic: '', epoch: stream.epoch, offset: stream.acked, end: stream.end },
  ...topics,
];
