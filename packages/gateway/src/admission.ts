import type { Limits, Route } from '@holdfast/policy';
import { errors, TokenBucket } from '@holdfast/protocol';
import type { Clock } from './clock.js';
import { refusal, type Refusal } from './refusal.js';

/** How many seconds' worth of new connections wait for their turn; more are sent away at once. */
const QUEUE_SECONDS = 2;
/** When somebody should try again who has found a limit reached. */
const FULL_RETRY_MS = 5_000;

/** A place that was taken; given back once. */
export interface Place {
  readonly leave: () => void;
}

/** Counts what is under way, in all, by address and by route, and lets new connections in at a bounded rate. */
export class Admission {
  readonly #clock: Clock;
  readonly #byAddress = new Map<string, number>();
  readonly #byRoute = new Map<string, number>();
  readonly #queue: (() => void)[] = [];
  #limits: Limits;
  #bucket: TokenBucket;
  #total = 0;
  #timer: unknown;

  constructor(limits: Limits, clock: Clock) {
    this.#clock = clock;
    this.#limits = limits;
    this.#bucket = this.#newBucket();
  }

  /** New limits hold for who comes from now on. */
  set limits(limits: Limits) {
    const isSameRate = limits.acceptsPerSecond === this.#limits.acceptsPerSecond;
    this.#limits = limits;
    if (!isSameRate) this.#bucket = this.#newBucket();
  }

  /** New connections that wait for their turn. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Connections and requests under way. */
  get total(): number {
    return this.#total;
  }

  /** Takes a place for a WebSocket or a request under way. */
  enter(address: string, route: Route): Place | Refusal {
    const { connections, connectionsPerAddress } = this.#limits;
    if (this.#total >= connections) return full(503);
    if (this.from(address) >= connectionsPerAddress) {
      return { ...refusal(429, errors.ADDRESS_LIMIT), retryMs: FULL_RETRY_MS };
    }
    const name = nameOf(route);
    if ((this.#byRoute.get(name) ?? 0) >= (route.connections ?? Infinity)) return full(503);
    this.#total++;
    add(this.#byAddress, address, 1);
    add(this.#byRoute, name, 1);
    let isGone = false;
    return {
      leave: () => {
        if (isGone) return;
        isGone = true;
        this.#total--;
        add(this.#byAddress, address, -1);
        add(this.#byRoute, name, -1);
      },
    };
  }

  /** What is under way from one address. */
  from(address: string): number {
    return this.#byAddress.get(address) ?? 0;
  }

  /** Lets a new connection in, now or when it is its turn; a refusal when too many wait already. */
  turn(go: () => void): Refusal | undefined {
    const nowMs = this.#clock.now();
    if (this.#queue.length === 0 && this.#bucket.take(nowMs)) {
      go();
      return undefined;
    }
    if (this.#queue.length >= Math.max(1, this.#limits.acceptsPerSecond * QUEUE_SECONDS)) {
      return { ...refusal(503, errors.BUSY), retryMs: QUEUE_SECONDS * 1_000 };
    }
    this.#queue.push(go);
    this.#arm();
    return undefined;
  }

  /** Somebody who waited for their turn has gone. */
  forget(go: () => void): void {
    const at = this.#queue.indexOf(go);
    if (at >= 0) this.#queue.splice(at, 1);
  }

  /** Forgets who waits. */
  close(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#queue.length = 0;
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    this.#timer = this.#clock.setTimeout(
      () => {
        this.#timer = undefined;
        while (this.#queue.length > 0 && this.#bucket.take(this.#clock.now())) this.#queue.shift()?.();
        if (this.#queue.length > 0) this.#arm();
      },
      Math.ceil(this.#bucket.waitMs(this.#clock.now())) + 1,
    );
  }

  #newBucket(): TokenBucket {
    const perSecond = this.#limits.acceptsPerSecond;
    return new TokenBucket({ perSecond, burst: perSecond }, this.#clock.now());
  }
}

const full = (status: number): Refusal => ({ ...refusal(status, errors.BUSY), retryMs: FULL_RETRY_MS });

/** What tells routes apart, in counts and metrics. */
export const nameOf = ({ path, match, hosts }: Route): string =>
  `${hosts.join(',')}${match === 'exact' ? '=' : ''}${path}`;

function add(counts: Map<string, number>, key: string, difference: number): void {
  const count = (counts.get(key) ?? 0) + difference;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
