interface Handler {
  value: object;
  readonly listener: (event: Event) => void;
}

/**
 * The `on...` attributes of an EventTarget. As in the HTML standard a handler keeps its place among the listeners while it is
 * replaced, and loses it when it is set to null.
 */
export class Handlers {
  readonly #target: EventTarget;
  readonly #handlers = new Map<string, Handler>();

  constructor(target: EventTarget) {
    this.#target = target;
  }

  get(type: string): unknown {
    return this.#handlers.get(type)?.value ?? null;
  }

  set(type: string, value: unknown): void {
    const known = this.#handlers.get(type);
    const isObject = typeof value === 'function' || (typeof value === 'object' && value !== null);
    if (isObject && known) {
      known.value = value;
    } else if (isObject) {
      const handler: Handler = {
        value,
        // An object that cannot be called is kept, and not called.
        listener: (event) => {
          if (typeof handler.value === 'function') handler.value.call(this.#target, event);
        },
      };
      this.#handlers.set(type, handler);
      this.#target.addEventListener(type, handler.listener);
    } else if (known) {
      this.#handlers.delete(type);
      this.#target.removeEventListener(type, known.listener);
    }
  }
}
