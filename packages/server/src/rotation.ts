import { CLOSE, errors, HoldfastError } from '@holdfast/protocol';
import type { WebSocket } from 'ws';
import type { Clock } from './clock.js';
import { Mover } from './mover.js';
import { PodSession } from './pod-session.js';

export interface RotationOptions {
  /** A connection is asked to make way for another one before it is so old, in milliseconds. At least 5,000. */
  readonly maxAgeMs: number;
  /** How much younger each may be when it is asked, as a share of the age: those that came together do not go together. Default 0.1. */
  readonly ageJitter: number;
  /** How many are asked each second at most. Default 100. */
  readonly movesPerSecond: number;
}

export interface Rotated {
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** The sessions and plain sockets that are here. */
  readonly clients: () => Iterable<PodSession | WebSocket>;
}

/** How often it is looked who is old. Ages are known as finely as this. */
const LOOK_MS = 1_000;
/** A client that was asked and has not moved this long after its step is cut with 1012. */
const LEAVE_MS = 30_000;
/** Below this, clients would do little else than move. */
export const MAX_AGE_MS_MIN = 5_000;

interface Age {
  dueMs: number;
  asked: boolean;
}

/**
 * Planned rotation: connections make way for new ones before a proxy, a certificate or a balancer that has gone lopsided makes them.
 * A session attaches anew, here or elsewhere, before it lets go, as when a pod is drained.
 */
export class Rotation {
  readonly #options: RotationOptions;
  readonly #rotated: Rotated;
  readonly #mover: Mover;
  /** By what carries a client, so that one that has moved is young again. */
  readonly #ages = new WeakMap<object, Age>();
  #timer: unknown;

  constructor(options: RotationOptions, rotated: Rotated) {
    this.#options = options;
    this.#rotated = rotated;
    this.#mover = new Mover(rotated.clock, options.movesPerSecond);
    this.#wait();
  }

  stop(): void {
    this.#rotated.clock.clearTimeout(this.#timer);
  }

  #wait(): void {
    this.#timer = this.#rotated.clock.setTimeout(() => {
      this.#wait();
      const nowMs = this.#rotated.clock.monotonicMs();
      for (const client of Array.from(this.#rotated.clients())) this.#look(client, nowMs);
    }, LOOK_MS);
  }

  #look(client: PodSession | WebSocket, nowMs: number): void {
    const carrier = client instanceof PodSession ? client.transport : client;
    if (!carrier || (client instanceof PodSession && !client.attached)) return;
    const age = this.#ages.get(carrier);
    if (!age) {
      this.#ages.set(carrier, { dueMs: nowMs + this.#lifeMs(), asked: false });
    } else if (nowMs >= age.dueMs && !age.asked) {
      age.asked = true;
      age.dueMs = this.#mover.ask(client) + LEAVE_MS;
    } else if (nowMs >= age.dueMs && client instanceof PodSession) {
      client.machine.hangUp(errors.BUSY, 'rotated', CLOSE.restart);
      client.run();
    }
  }

  /** What is left when it is first seen, which may be a look after it came, to be asked at the last look before it is too old. */
  #lifeMs(): number {
    const { maxAgeMs, ageJitter } = this.#options;
    return maxAgeMs * (1 - ageJitter * this.#rotated.random()) - 2 * LOOK_MS;
  }
}

/** The options of a server that wants rotation, checked; undefined where it does not. */
export function rotationOptions({ maxAgeMs, ageJitter = 0.1, movesPerSecond = 100 }: Partial<RotationOptions> = {}):
  | RotationOptions
  | undefined {
  if (maxAgeMs === undefined) return undefined;
  if (!Number.isSafeInteger(maxAgeMs) || maxAgeMs < MAX_AGE_MS_MIN) {
    throw new HoldfastError(errors.OPTION, `maxAgeMs is ${maxAgeMs}, not a whole number from ${MAX_AGE_MS_MIN}`);
  }
  if (!(ageJitter >= 0 && ageJitter <= 1))
    throw new HoldfastError(errors.OPTION, `ageJitter is ${ageJitter}, not 0 to 1`);
  if (!(movesPerSecond >= 1))
    throw new HoldfastError(errors.OPTION, `movesPerSecond is ${movesPerSecond}, not 1 or more`);
  return { maxAgeMs, ageJitter, movesPerSecond };
}
