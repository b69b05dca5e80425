import type { EventEmitter } from 'node:events';
import type { WebSocket as Ws } from 'ws';

/**
 * The browser-style half of a `ws` socket: `addEventListener` and the `on...` attributes, over the emitter that the socket is.
 * `ws` keeps its own to itself, so this is the same contract once more: the event is a plain object with the members of the
 * DOM's, text arrives as a string, and a listener may be an object with `handleEvent`.
 */
type EventName = 'open' | 'message' | 'close' | 'error';
export type AnyListener = ((event: never) => void) | { handleEvent(event: never): void };
/** What `onopen` and the others hold. */
export type Attribute<T extends EventName> = Ws[`on${T}`];
type EmitterListener = (...args: unknown[]) => void;

export interface SocketEvent {
  readonly type: EventName;
  readonly target: Ws;
  readonly [member: string]: unknown;
}

/** Makes the event object from what the emitter was given. */
const MAKERS: Record<EventName, (target: Ws, args: readonly unknown[]) => SocketEvent> = {
  open: (target) => ({ type: 'open', target }),
  message: (target, [data, isBinary]) => ({
    type: 'message',
    target,
    data: isBinary ? data : String(data),
  }),
  close: (target, [code, reason]) => ({ type: 'close', target, code, reason: String(reason), wasClean: code !== 1006 }),
  error: (target, [error]) => ({ type: 'error', target, error, message: (error as Error).message }),
};

interface Added {
  readonly type: EventName;
  readonly listener: AnyListener;
  readonly wrapper: EmitterListener;
  readonly attribute: boolean;
}

export class SocketEventTarget {
  readonly #emitter: EventEmitter;
  readonly #target: Ws;
  #added: Added[] = [];

  constructor(emitter: EventEmitter, target: Ws) {
    this.#emitter = emitter;
    this.#target = target;
  }

  add(type: string, listener: AnyListener, options: { once?: boolean } = {}, attribute = false): void {
    if (!Object.hasOwn(MAKERS, type)) return;
    const name = type as EventName;
    if (this.#find(name, listener, attribute)) return;
    const wrapper: EmitterListener = (...args) => {
      if (options.once) this.remove(name, listener);
      const event = MAKERS[name](this.#target, args) as never;
      if (typeof listener === 'function') listener.call(this.#target, event);
      else listener.handleEvent(event);
    };
    this.#added.push({ type: name, listener, wrapper, attribute });
    this.#emitter.on(name, wrapper);
  }

  remove(type: string, listener: AnyListener): void {
    const found = this.#find(type as EventName, listener, false);
    if (found) this.#drop(found);
  }

  getAttribute<T extends EventName>(type: T): Attribute<T> {
    return (this.#added.find((added) => added.type === type && added.attribute)?.listener ?? null) as Attribute<T>;
  }

  setAttribute<T extends EventName>(type: T, listener: Attribute<T>): void {
    const old = this.#added.find((added) => added.type === type && added.attribute);
    if (old) this.#drop(old);
    if (typeof listener === 'function') this.add(type, listener, {}, true);
  }

  #find(type: EventName, listener: AnyListener, attribute: boolean): Added | undefined {
    return this.#added.find((a) => a.type === type && a.listener === listener && a.attribute === attribute);
  }

  #drop(added: Added): void {
    this.#added = this.#added.filter((other) => other !== added);
    this.#emitter.off(added.type, added.wrapper);
  }
}
