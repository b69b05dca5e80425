import { CircuitBreaker, type BreakerOptions } from '@holdfast/protocol';
import { FAILURES, type FailureCause } from './failures.js';
import { hash32 } from './hash.js';
import type { Choice } from './order.js';
import { NONE, type OutlierOptions, type Sample } from './outliers.js';
import { Rest, type RestOptions } from './rest.js';
import { stateOf, type Conditions, type PodState } from './states.js';

/** A pod as discovery finds it. */
export interface FoundPod {
  readonly host: string;
  readonly port: number;
  /**
   * What affinity hangs on; the same for every gateway, and for the pod when it is back. Default `host:port`. A pod of a StatefulSet has
   * its name, which outlives its address.
   */
  readonly id?: string;
  /** Default 1. */
  readonly weight?: number;
  /** Used only when no other takes connections. Default false. */
  readonly backup?: boolean;
  /** Discovery says that it is about to go. Default false. */
  readonly draining?: boolean;
  /** False when discovery knows of it, but says that it is to get no new connections now. Default true. */
  readonly ready?: boolean;
}

/** A pod as its users see it. */
export interface Pod {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly state: PodState;
}

export interface MemberOptions extends RestOptions {
  readonly breaker: BreakerOptions;
  /** Over how long a pod that is new or back gets its full share. Default 10,000 ms; 0 for at once. */
  readonly slowStartMs: number;
}

/** Who may ask for a drain: discovery, a check of readiness, the pod on one of its connections, or a person. Each takes back only its own. */
export type Drainer = 'discovery' | 'check' | 'pod' | 'admin';

/** What a pod says on a connection holds for this long: it is about to end, and cannot take it back when it is new again. */
const POD_DRAIN_MS = 30_000;

export interface Counts {
  chosen: number;
  established: number;
  abandoned: number;
  failed: Record<FailureCause, number>;
}

/** A pod that is warming up gets at least this part of its weight, or nothing would ever find out how it does. */
const COLDEST = 0.1;

/** How often a pod that rests is tried when there is nobody else. */
const LAST_CHANCE_MS = 250;

/** All that one pool knows of one pod. */
export class Member implements Pod, Choice {
  readonly id: string;
  readonly hash: number;
  readonly counts: Counts = {
    chosen: 0,
    established: 0,
    abandoned: 0,
    failed: { connect: 0, timeout: 0, protocol: 0, status: 0, lost: 0 },
  };
  /** See `inTurn`. */
  credit = 0;
  share = 1;
  /** Connections that are open or being opened. */
  load = 0;
  gone = false;
  check: Conditions['check'] = 'off';
  /** Attempts since the pods were last compared. */
  recent: Sample = NONE;
  ejectedUntilMs: number | undefined;
  /** How often it has been ejected lately, which makes the next time longer. */
  ejections = 0;
  state: PodState = 'ready';
  readonly #options: MemberOptions;
  readonly #rest: Rest;
  readonly #breaker: CircuitBreaker;
  /** Until when each drains it. */
  readonly #drains = new Map<Drainer, number>();
  #found: FoundPod;
  #warmSinceMs: number | undefined;
  #lastChanceMs = -Infinity;
  #isLastChance = false;

  constructor(found: FoundPod, options: MemberOptions) {
    this.#found = found;
    this.#options = options;
    this.id = idOf(found);
    this.hash = hash32(this.id);
    this.#rest = new Rest(options);
    this.#breaker = new CircuitBreaker(options.breaker);
  }

  get host(): string {
    return this.#found.host;
  }

  get port(): number {
    return this.#found.port;
  }

  get weight(): number {
    return this.#found.weight ?? 1;
  }

  get backup(): boolean {
    return this.#found.backup ?? false;
  }

  /** What discovery says now. */
  set found(found: FoundPod) {
    this.#found = found;
  }

  get drainedBy(): readonly Drainer[] {
    return [...this.#drains.keys()];
  }

  drain(by: Drainer, nowMs: number): void {
    this.#drains.set(by, by === 'pod' ? nowMs + POD_DRAIN_MS : Infinity);
  }

  undrain(by: Drainer): void {
    this.#drains.delete(by);
  }

  /** Sets the part of the connections that it gets, which grows while it warms up. */
  setShare(nowMs: number): void {
    const warmth = this.#warmSinceMs === undefined ? 1 : (nowMs - this.#warmSinceMs) / this.#options.slowStartMs;
    this.share = this.weight * Math.min(1, Math.max(COLDEST, warmth));
  }

  /** Begins the slow start. */
  warmUp(nowMs: number): void {
    this.#warmSinceMs = this.#options.slowStartMs > 0 ? nowMs : undefined;
  }

  judge(nowMs: number): PodState {
    if (this.ejectedUntilMs !== undefined && this.ejectedUntilMs <= nowMs) this.ejectedUntilMs = undefined;
    if (this.#warmSinceMs !== undefined && nowMs - this.#warmSinceMs >= this.#options.slowStartMs)
      this.#warmSinceMs = undefined;
    for (const [by, untilMs] of this.#drains) if (untilMs <= nowMs) this.#drains.delete(by);
    return stateOf({
      gone: this.gone,
      draining: this.#drains.size > 0,
      check: this.#found.ready === false ? 'down' : this.check,
      ejected: this.ejectedUntilMs !== undefined,
      resting: (this.#rest.untilMs ?? 0) > nowMs || this.#breaker.state(nowMs) === 'open' || this.#isLastChance,
      warming: this.#warmSinceMs !== undefined,
    });
  }

  /** When {@link judge} may say something else although nothing happens; Infinity for never. */
  nextMs(nowMs: number): number {
    const waitMs = this.#breaker.waitMs(nowMs);
    const times = [
      ...this.#drains.values(),
      this.ejectedUntilMs,
      this.#rest.untilMs,
      waitMs > 0 ? nowMs + waitMs : undefined,
      this.#warmSinceMs === undefined ? undefined : this.#warmSinceMs + this.#options.slowStartMs,
    ];
    return Math.min(Infinity, ...times.filter((atMs) => atMs !== undefined && atMs > nowMs).map(Number));
  }

  /** Whether an attempt may be made now; whoever gets a true makes it. */
  admits(nowMs: number): boolean {
    if (!this.#rest.allows(nowMs)) return false;
    if (this.#breaker.allows(nowMs)) return true;
    this.#rest.abandoned();
    return false;
  }

  /** Whether a pod that rests may be tried nevertheless, because nobody else is left: one attempt at a time, four a second. */
  admitsLast(nowMs: number): boolean {
    if (this.state !== 'resting' || nowMs - this.#lastChanceMs < LAST_CHANCE_MS) return false;
    this.relent(nowMs);
    this.#isLastChance = this.admits(nowMs);
    if (this.#isLastChance) this.#lastChanceMs = nowMs;
    return this.#isLastChance;
  }

  succeeded(): void {
    this.counts.established++;
    this.recent = { ...this.recent, succeeded: this.recent.succeeded + 1 };
    this.#isLastChance = false;
    this.#rest.succeeded();
    this.#breaker.succeeded();
  }

  /** An attempt, or what came of one that had succeeded, failed. */
  failed(cause: FailureCause, nowMs: number, wasOpen: boolean): void {
    const { rests, breaks, compares } = FAILURES[cause];
    this.counts.failed[cause]++;
    if (compares) this.recent = { ...this.recent, failed: this.recent.failed + 1 };
    if (rests) this.#rest.failed(nowMs);
    if (breaks) this.#breaker.failed(nowMs);
    if (!wasOpen) this.#endAttempt();
  }

  abandoned(): void {
    this.counts.abandoned++;
    this.#endAttempt();
  }

  /** Takes no new connections for a while, a longer one each time. */
  eject(nowMs: number, { ejectMs, ejectMsMax }: OutlierOptions): void {
    this.ejections++;
    this.ejectedUntilMs = nowMs + Math.min(ejectMs * this.ejections, ejectMsMax);
  }

  #endAttempt(): void {
    this.#isLastChance = false;
    this.#rest.abandoned();
    this.#breaker.abandoned();
  }

  /** Lets one attempt decide now, whatever the failures were. */
  relent(nowMs: number): void {
    this.#rest.relent(nowMs);
    this.#breaker.relent(nowMs);
  }
}

export const idOf = ({ id, host, port }: FoundPod): string =>
  id ?? (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
