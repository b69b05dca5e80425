import { Liveness, type Heartbeat } from '@holdfast/protocol';
import type { Clock } from '../../clock.js';

/** Asks one end of a connection whether it lives when it says nothing, and says when it does not. */
export class Beat {
  readonly #clock: Clock;
  readonly #liveness: Liveness;
  readonly #ping: () => void;
  readonly #dead: () => void;
  #timer: unknown;

  constructor(clock: Clock, heartbeat: Heartbeat, ping: () => void, dead: () => void) {
    this.#clock = clock;
    this.#liveness = new Liveness(heartbeat, clock.now());
    this.#ping = ping;
    this.#dead = dead;
    this.#arm();
  }

  heard(): void {
    this.#liveness.heard(this.#clock.now());
  }

  stop(): void {
    this.#clock.clearTimeout(this.#timer);
  }

  #arm(): void {
    const delayMs = Math.max(0, Math.ceil(this.#liveness.dueMs - this.#clock.now()));
    this.#timer = this.#clock.setTimeout(() => {
      const pulse = this.#liveness.check(this.#clock.now());
      if (pulse === 'dead') return this.#dead();
      if (pulse === 'ping') this.#ping();
      this.#arm();
    }, delayMs);
  }
}
