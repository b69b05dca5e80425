import { CLOSE } from '@holdfast/protocol';
import type { WebSocket } from 'ws';
import type { Clock } from './clock.js';
import { PodSession } from './pod-session.js';

/**
 * Asks clients to attach anew, one step of time after another: each gets a step of its own and chooses a moment in it. So the rate
 * holds however many are asked at once, and none knows the others' moments.
 */
export class Mover {
  readonly #clock: Clock;
  readonly #stepMs: number;
  /** When the next step begins. */
  #nextMs = 0;

  constructor(clock: Clock, stepMs: number) {
    this.#clock = clock;
    this.#stepMs = stepMs;
  }

  /** Returns when the client's step is over, on the monotonic clock. */
  ask(client: PodSession | WebSocket): number {
    const nowMs = this.#clock.monotonicMs();
    const beginMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = beginMs + this.#stepMs;
    const afterMs = beginMs - nowMs;
    if (client instanceof PodSession) {
      client.machine.drain(Math.floor(afterMs), Math.ceil(this.#stepMs));
      client.run();
    } else {
      // A plain client cannot be asked: it is told when its step comes, with a code that says that it may come back.
      this.#clock.setTimeout(() => client.close(CLOSE.restart, 'restart'), afterMs);
    }
    return this.#nextMs;
  }
}
