import { CLOSE } from '@holdfast/protocol';
import type { WebSocket } from 'ws';
import type { Clock } from './clock.js';
import { PodSession } from './pod-session.js';

/**
 * A second, and by how much one client may be later than another where they arrive. Measured: with 100 ms of it, 2,000 clients in two
 * processes began 208 connections in one second at a rate of 200.
 */
const SECOND_MS = 1_250;

/**
 * How far apart the hints of clients are that are cut at once, so that the rate holds when they come back. A client waits for once to
 * twice its hint, so of hints a step apart ln 2 arrive in a step, at random: the rate is six standard deviations above that. (Below
 * five a second no distance of hints helps.)
 */
export function hintStepMs(perSecond: number): number {
  const arrivals = (Math.sqrt(9 + perSecond) - 3) ** 2;
  return Math.max((1_000 * Math.LN2) / arrivals, SECOND_MS / perSecond);
}

/**
 * Asks clients to attach anew, one step of time after another: each gets a step of its own and chooses a moment in the first half of it.
 * So the rate holds however many are asked at once, and none knows the others' moments. Steps are a little longer than the rate says:
 * within no second there are more moments than that, wherever the second begins.
 */
export class Mover {
  readonly #clock: Clock;
  readonly #stepMs: number;
  /** When the next step begins. */
  #nextMs = 0;

  constructor(clock: Clock, movesPerSecond: number, stepMsMin = 0) {
    this.#clock = clock;
    this.#stepMs = Math.max(stepMsMin, SECOND_MS / (movesPerSecond - 0.5));
  }

  /** How long it takes to ask so many. */
  tookMs(clients: number): number {
    return clients * this.#stepMs;
  }

  /** Returns when the client's step is over, on the monotonic clock. */
  ask(client: PodSession | WebSocket): number {
    const nowMs = this.#clock.monotonicMs();
    const beginMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = beginMs + this.#stepMs;
    const afterMs = beginMs - nowMs;
    if (client instanceof PodSession) {
      client.machine.drain(Math.round(afterMs), Math.ceil(this.#stepMs / 2));
      client.run();
    } else {
      // A plain client cannot be asked: it is told when its step comes, with a code that says that it may come back.
      this.#clock.setTimeout(() => client.close(CLOSE.restart, 'restart'), afterMs);
    }
    return this.#nextMs;
  }
}
