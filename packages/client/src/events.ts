import type { Gap } from '@holdfast/protocol';

// The types here name nothing of the DOM that Node lacks, so that a program for Node compiles without the library of the DOM.

/** The transport is lost; the socket stays OPEN, keeps what is sent, and connects again. */
export class RecoveringEvent extends Event {
  /** How the transport ended; 1006 where nothing better is known. */
  readonly code: number;
  readonly reason: string;

  constructor(code: number, reason: string) {
    super('recovering');
    this.code = code;
    this.reason = reason;
  }
}

/** The session goes on, and everything that it missed has been delivered. */
export class RecoveredEvent extends Event {
  /** How many messages came that were sent while there was no transport. */
  readonly replayed: number;

  constructor(replayed: number) {
    super('recovered');
    this.replayed = replayed;
  }
}

/** The server could not keep all: these messages will never come. Load state afresh. */
export class GapEvent extends Event {
  /** The topic; '' for the messages that were sent to this session alone. */
  readonly topic: string;
  /** The first number that is missing; 0 when the stream began anew and nobody knows how many were lost. */
  readonly from: number;
  /** The last number that is missing. */
  readonly to: number;

  constructor({ topic, from, to }: Gap) {
    super('gap');
    this.topic = topic;
    this.from = from;
    this.to = to;
  }
}

/** The session goes on over another transport, without ever having been without one: the server drained. */
export class MovedEvent extends Event {
  /** The server process that has the session now. */
  readonly pod: string;

  constructor(pod: string) {
    super('moved');
    this.pod = pod;
  }
}

/** Comes before a close that is not clean. A plain `Event` to code that was written for browsers. */
export class SocketErrorEvent extends Event {
  /** What is known of the cause; a `HoldfastError` with a stable `code` where it is one of holdfast's. */
  readonly error: unknown;
  readonly message: string;

  constructor(error: unknown) {
    super('error');
    this.error = error;
    this.message = error instanceof Error ? error.message : '';
  }
}

/** A message that was published to a topic. All others are ordinary `MessageEvent`s. */
export class TopicMessageEvent extends MessageEvent<unknown> {
  readonly topic: string;

  constructor(topic: string, init: { readonly data: unknown; readonly origin: string }) {
    super('message', init);
    this.topic = topic;
  }
}

/** A `MessageEvent`; `topic` is there when the message was published to one. */
export type SocketMessageEvent = MessageEvent & { readonly topic?: string };

/** The `CloseEvent` of the platform, or where it has none one like it. */
export interface SocketCloseEvent extends Event {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** The events of a socket by their names. */
export interface SocketEventMap {
  open: Event;
  message: SocketMessageEvent;
  error: SocketErrorEvent;
  close: SocketCloseEvent;
  recovering: RecoveringEvent;
  recovered: RecoveredEvent;
  gap: GapEvent;
  moved: MovedEvent;
}

export type SocketEventType = keyof SocketEventMap;

type Listener = ((event: Event) => void) | { handleEvent(event: Event): void } | null;

interface ListenerOptions {
  capture?: boolean;
  once?: boolean;
  passive?: boolean;
  signal?: AbortSignal;
}

/** An EventTarget that knows the events of a socket; others are accepted as by any target. */
export interface SocketEventTarget extends EventTarget {
  addEventListener<T extends SocketEventType>(
    type: T,
    listener: (this: this, event: SocketEventMap[T]) => unknown,
    options?: boolean | ListenerOptions,
  ): void;
  addEventListener(type: string, listener: Listener, options?: boolean | ListenerOptions): void;
  removeEventListener<T extends SocketEventType>(
    type: T,
    listener: (this: this, event: SocketEventMap[T]) => unknown,
    options?: boolean | ListenerOptions,
  ): void;
  removeEventListener(type: string, listener: Listener, options?: boolean | ListenerOptions): void;
}

export const SocketEventTarget: { new (): SocketEventTarget; prototype: SocketEventTarget } = EventTarget;
