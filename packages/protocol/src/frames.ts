import type { Policy } from './policy.js';

/** What an application sends: text or bytes. Text may also be held as its UTF-8 bytes, with `binary` false. */
export interface Payload {
  readonly data: string | Uint8Array;
  readonly binary: boolean;
}

/** A peer's receive window: how much it lets the other end send beyond what it has acknowledged. */
export interface Window {
  readonly messages: number;
  readonly bytes: number;
}

/** Where a session stands in one topic: `offset` is the last entry it has. */
export interface TopicCursor {
  readonly topic: string;
  readonly epoch: string;
  readonly offset: number;
}

/** As {@link TopicCursor}, with the last offset that the topic had when the frame was made. */
export interface TopicRange extends TopicCursor {
  readonly end: number;
}

export interface HelloBody {
  readonly window: Window;
  readonly auth?: string;
  /** The client can be told `again`. */
  readonly again?: boolean;
}

export interface ResumeBody {
  readonly session: string;
  readonly token: string;
  /** Grows with every attempt of this client, so that one that was delayed on its way cannot undo a later one. */
  readonly attempt: number;
  readonly epoch: string;
  /** Last offset of the session stream that the client has. */
  readonly received: number;
  readonly topics: readonly TopicCursor[];
  readonly window: Window;
  readonly auth?: string;
  readonly again?: boolean;
}

export interface WelcomeBody {
  readonly session: string;
  readonly token: string;
  readonly epoch: string;
  readonly pod: string;
  readonly policy: Policy;
}

export interface ResumedBody {
  /** The token of the next resume; the one just used is dead once the client has spoken on this transport. */
  readonly token: string;
  readonly epoch: string;
  readonly pod: string;
  readonly policy: Policy;
  /** The watermark: the highest client message whose effects are committed. */
  readonly received: number;
  /** The cursor from which the session stream goes on, and where it ended when the frame was made. */
  readonly offset: number;
  readonly end: number;
  readonly topics: readonly TopicRange[];
}

/** Frames that carry an application's message. `r` is an `m` that was sent before, on this or an older transport. */
export type DataFrame =
  | ({ readonly type: 'm' | 'r'; readonly n: number; readonly ack: number } & Payload)
  | ({ readonly type: 't'; readonly n: number; readonly topic: string } & Payload)
  | ({ readonly type: 'v' } & Payload);

export type ControlFrame =
  | { readonly type: 'hello'; readonly body: HelloBody }
  | { readonly type: 'welcome'; readonly body: WelcomeBody }
  | { readonly type: 'resume'; readonly body: ResumeBody }
  | { readonly type: 'resumed'; readonly body: ResumedBody }
  | { readonly type: 'sub'; readonly n: number; readonly epoch: string; readonly topic: string }
  | { readonly type: 'unsub'; readonly topic: string }
  | { readonly type: 'ack'; readonly ack: number; readonly topics: readonly TopicAck[] }
  | { readonly type: 'gap'; readonly from: number; readonly to: number; readonly epoch: string; readonly topic: string }
  | { readonly type: 'ping' | 'pong'; readonly stamp: number; readonly ack: number }
  | { readonly type: 'pace'; readonly pace: Pace }
  | { readonly type: 'drain'; readonly afterMs: number; readonly withinMs: number }
  | { readonly type: 'again'; readonly afterMs: number; readonly withinMs: number }
  | { readonly type: 'bye'; readonly code: number; readonly reason: string };

export interface TopicAck {
  readonly topic: string;
  readonly offset: number;
}

/** How often the client wants to be pinged: a hidden page saves the radio. */
export type Pace = 'foreground' | 'background';

export type Frame = DataFrame | ControlFrame;
export type FrameType = Frame['type'];
/** Narrows by one type name, also where the union shares a shape between two. */
export type FrameOf<T extends FrameType> = Extract<Frame, { type: T }> & { type: T };
