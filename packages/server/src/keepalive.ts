import type { Duplex } from 'node:stream';
import { Liveness, type Heartbeat } from '@holdfast/protocol';
import type { WebSocket } from 'ws';
import type { Clock } from './clock.js';
import type { Deadlines, Due } from './deadlines.js';
import { WriteWatch } from './write-watch.js';

/** How connections without holdfast.v1 are kept alive, by RFC 6455 pings. */
export interface KeepaliveOptions {
  /** A ping is sent when nothing was heard for this long. Default 30,000 ms: half of the shortest common idle limit. */
  readonly pingMs: number;
  /** Silence after which the connection is dead. Default 60,000 ms. */
  readonly pongMs: number;
  /** A write that the network does not take for this long ends the connection. Default 10,000 ms. */
  readonly writeMs: number;
}

export const DEFAULT_KEEPALIVE: KeepaliveOptions = { pingMs: 30_000, pongMs: 60_000, writeMs: 10_000 };

/** Keeps one plain connection alive, and ends it when its peer is not there any more. */
export class Keepalive implements Due {
  readonly #ws: WebSocket;
  readonly #writeMs: number;
  readonly #liveness: Liveness;
  readonly #watch: WriteWatch;
  #over = false;

  constructor(ws: WebSocket, socket: Duplex, options: KeepaliveOptions, clock: Clock, deadlines: Deadlines) {
    this.#ws = ws;
    this.#writeMs = options.writeMs;
    this.#watch = new WriteWatch(socket, clock);
    const beat: Heartbeat = { pingMs: options.pingMs, deadMs: options.pongMs };
    this.#liveness = new Liveness(beat, clock.monotonicMs());
    const heard = (): void => this.#liveness.heard(clock.monotonicMs());
    for (const event of ['message', 'ping', 'pong']) ws.on(event, heard);
    ws.on('close', () => deadlines.forget(this));
    deadlines.watch(this);
  }

  get dueMs(): number {
    return this.#over ? Infinity : Math.min(this.#liveness.dueMs, this.#watch.sinceMs + this.#writeMs);
  }

  handleDue(nowMs: number): void {
    // Nothing is read while the application has paused it, so silence says nothing.
    if (this.#ws.isPaused) this.#liveness.heard(nowMs);
    const pulse = this.#liveness.check(nowMs);
    if (pulse === 'dead' || nowMs >= this.#watch.sinceMs + this.#writeMs) {
      this.#over = true;
      // terminate, not close: a peer that is not there cannot answer a close frame.
      this.#ws.terminate();
    } else if (pulse === 'ping') {
      this.#ping();
    }
  }

  /** A ping goes behind whatever waits to be written, so its own write tells whether anything is taken at all. */
  #ping(): void {
    const isWatched = this.#watch.active;
    if (!isWatched) this.#watch.begin();
    this.#ws.ping('', false, () => {
      if (!isWatched) this.#watch.end();
    });
  }
}
