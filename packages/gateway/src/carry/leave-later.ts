import type { Leave } from '../exchange.js';
import { POD_STATES, type Pod } from '../pool/index.js';

/** What was asked of a WebSocket while its pod had not answered yet. */
export class LeaveLater {
  #why: Leave | undefined;

  ask(why: Leave): void {
    if (this.#why !== 'gateway') this.#why = why;
  }

  /** What is still to be done when this pod has answered: nothing if it is not the one that was to be left. */
  due({ state }: Pod): Leave | undefined {
    return this.#why === 'pod' && !POD_STATES[state].leaves ? undefined : this.#why;
  }
}
