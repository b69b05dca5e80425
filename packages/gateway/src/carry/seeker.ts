import { backoffMs } from '@holdfast/protocol';
import type { Exchange } from '../exchange.js';
import type { Dialled, Opened } from '../websocket/dial.js';

export interface SeekerOptions {
  readonly random: () => number;
  /** Dials once. Pods in `not` have failed, or are to be left. */
  readonly dial: (not: ReadonlySet<string>) => Promise<Dialled>;
  readonly found: (open: Opened) => void;
  /** There has been no pod for as long as the client may be held. */
  readonly gaveUp: () => void;
}

/** Between attempts to find a pod. */
const BACKOFF = { retryMinMs: 100, retryMaxMs: 2_000 };

/** Finds another pod for a connection that is open: one attempt at a time, until it is called off or has no more time. */
export class Seeker {
  readonly #exchange: Exchange;
  readonly #options: SeekerOptions;
  /** Pods that have failed since one has proved itself. */
  readonly #shunned = new Set<string>();
  #leaving: string | undefined;
  #isSeeking = false;
  #isOver = false;
  #timer: unknown;
  /** Since when there is no pod that has proved itself. */
  #sinceMs: number | undefined;

  constructor(exchange: Exchange, options: SeekerOptions) {
    this.#exchange = exchange;
    this.#options = options;
  }

  /** The pod is gone: from now on time is short. */
  lost(podId: string): void {
    this.#shunned.add(podId);
    this.#leaving = undefined;
    this.#sinceMs ??= this.#exchange.clock.now();
  }

  /** The pod of now works. */
  proved(): void {
    this.#shunned.clear();
    this.#sinceMs = undefined;
  }

  /** Looks for another pod. `leaving` is the one that there still is: as long as it is there, it may take any time. */
  seek(waitMs: number, leaving?: string): void {
    if (this.#isSeeking || this.#isOver) return;
    this.#isSeeking = true;
    this.#leaving = leaving;
    this.#timer = this.#exchange.clock.setTimeout(() => void this.#try(0), waitMs);
  }

  stop(): void {
    this.#isOver = true;
    this.#exchange.clock.clearTimeout(this.#timer);
  }

  async #try(failures: number): Promise<void> {
    const { clock, route } = this.#exchange;
    const { dial, found, gaveUp, random } = this.#options;
    const dialled = await dial(
      new Set(this.#leaving === undefined ? this.#shunned : [this.#leaving, ...this.#shunned]),
    );
    if (dialled.kind === 'opened' && !this.#isOver) {
      this.#isSeeking = false;
      return found(dialled);
    }
    if (dialled.kind === 'opened') dialled.socket.destroy();
    if (dialled.kind === 'answered') dialled.response.destroy();
    if (dialled.kind === 'opened' || dialled.kind === 'answered') dialled.pick.closed();
    if (this.#isOver) return;
    if (this.#sinceMs !== undefined && clock.now() - this.#sinceMs >= route.hold.waitMs) return gaveUp();
    // There is no other: one that has failed before may be as good as new.
    this.#shunned.clear();
    this.#timer = clock.setTimeout(() => void this.#try(failures + 1), backoffMs(failures, BACKOFF, random));
  }
}
