import { SocketEventTarget, type SocketErrorEvent, type SocketEventMap, type SocketEventType } from './events.js';
import { Handlers } from './handlers.js';

const STATES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'] as const;
const EVENTS: readonly SocketEventType[] = [
  'open',
  'message',
  'error',
  'close',
  'recovering',
  'recovered',
  'gap',
  'moved',
];

type Attribute<T extends SocketEventType> = ((event: SocketEventMap[T]) => unknown) | null;

/** What a WebSocket has of constants and of `on...` attributes, those of our own events included. */
export abstract class SocketTarget extends SocketEventTarget {
  declare static readonly CONNECTING: 0;
  declare static readonly OPEN: 1;
  declare static readonly CLOSING: 2;
  declare static readonly CLOSED: 3;
  declare readonly CONNECTING: 0;
  declare readonly OPEN: 1;
  declare readonly CLOSING: 2;
  declare readonly CLOSED: 3;
  declare onopen: Attribute<'open'>;
  declare onmessage: Attribute<'message'>;
  /** Typed as in the DOM, so that this class can stand for that one; the event is a {@link SocketErrorEvent}. */
  declare onerror: ((event: Event & Partial<Pick<SocketErrorEvent, 'error' | 'message'>>) => unknown) | null;
  declare onclose: Attribute<'close'>;
  declare onrecovering: Attribute<'recovering'>;
  declare onrecovered: Attribute<'recovered'>;
  declare ongap: Attribute<'gap'>;
  declare onmoved: Attribute<'moved'>;

  readonly #handlers = new Handlers(this);

  static {
    STATES.forEach((name, value) => {
      for (const target of [this, this.prototype]) Object.defineProperty(target, name, { value, enumerable: true });
    });
    for (const type of EVENTS) {
      Object.defineProperty(this.prototype, `on${type}`, {
        get(this: SocketTarget) {
          return this.#handlers.get(type);
        },
        set(this: SocketTarget, handler: unknown) {
          this.#handlers.set(type, handler);
        },
        enumerable: true,
        configurable: true,
      });
    }
  }
}
