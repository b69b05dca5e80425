import type { Clock } from './clock.js';

/**
 * Calls back when nothing has happened for a time. What happens is only noted, for it happens for every chunk; the timer looks at the
 * note when it fires and waits for the rest.
 */
export class IdleTimer {
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #idle: () => void;
  #lastMs: number;
  #timer: unknown;

  constructor(clock: Clock, idleMs: number, idle: () => void) {
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#idle = idle;
    this.#lastMs = clock.now();
    this.#arm(idleMs);
  }

  touch(): void {
    this.#lastMs = this.#clock.now();
  }

  stop(): void {
    this.#clock.clearTimeout(this.#timer);
  }

  /** Begins anew: what had to wait for somebody else was not idle. */
  restart(): void {
    this.stop();
    this.touch();
    this.#arm(this.#idleMs);
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.setTimeout(() => {
      const leftMs = this.#lastMs + this.#idleMs - this.#clock.now();
      if (leftMs <= 0) this.#idle();
      else this.#arm(leftMs);
    }, delayMs);
  }
}

/** What tells how much of a socket's data nobody has taken yet. */
interface Writing {
  readonly writableLength: number;
}

/** Calls back when a peer that is not keeping up has taken nothing for a time (nginx's `send_timeout` and `proxy_send_timeout`). */
export class SendTimer {
  readonly #clock: Clock;
  readonly #sendMs: number;
  readonly #stuck: () => void;
  #timer: unknown;

  constructor(clock: Clock, sendMs: number, stuck: () => void) {
    this.#clock = clock;
    this.#sendMs = sendMs;
    this.#stuck = stuck;
  }

  /** The socket has more to write than the peer takes. */
  begin(socket: Writing): void {
    this.stop();
    const length = queuedBytes(socket);
    this.#timer = this.#clock.setTimeout(() => {
      if (queuedBytes(socket) === length) this.#stuck();
      else this.begin(socket);
    }, this.#sendMs);
  }

  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  /** It has taken all. */
  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** With what Node has handed to the system and the system has not taken: one write may take long. Node's own timeout looks there too. */
function queuedBytes(socket: Writing): number {
  const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null };
  return socket.writableLength * 2 + (handle?.writeQueueSize ?? 0);
}
