import { systemClock, type Clock } from '../clock.js';
import { Lease, type Pick } from './lease.js';
import { idOf, Member, type Counts, type Drainer, type FoundPod, type MemberOptions, type Pod } from './member.js';
import { FAILURES } from './failures.js';
import { findOutliers, NONE, OUTLIERS, type OutlierOptions } from './outliers.js';
import { orderOf, type Affinity } from './order.js';
import { rank } from './rendezvous.js';
import { POD_STATES, type Conditions, type PodState } from './states.js';

export interface PoolOptions extends MemberOptions {
  /** When a pod is so much worse than the others that it is left out for a while. Default: {@link OUTLIERS}; false for never. */
  readonly outliers?: OutlierOptions | false;
  readonly clock?: Clock;
}

/** A pod has changed its state. */
export interface PodChange {
  readonly pod: Pod;
  readonly from: PodState;
  readonly to: PodState;
}

export interface PodReport {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly state: PodState;
  readonly weight: number;
  readonly backup: boolean;
  /** Connections open or being opened. */
  readonly load: number;
  readonly drainedBy: readonly Drainer[];
  /** What the active checks say. */
  readonly check: Conditions['check'];
  readonly ejections: number;
  readonly counts: Counts;
}

/** The pods that a route goes to, and all that decides which of them a connection gets. */
export class Pool {
  readonly #options: PoolOptions;
  readonly #clock: Clock;
  readonly #members = new Map<string, Member>();
  readonly #listeners = new Set<(change: PodChange) => void>();
  #timer: unknown;
  #timerMs = Infinity;
  #comparing: unknown;
  #isClosed = false;
  #areChecked = false;
  /** Those that were there from the beginning, and have not been used yet: nobody was there before them, so they need no slow start. */
  readonly #first = new WeakSet<Member>();
  #hasBegun = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** All pods there are now, known before or not. The first ones take their full share at once. */
  found(pods: readonly FoundPod[]): void {
    const found = new Map(pods.map((pod) => [idOf(pod), pod]));
    for (const member of this.#members.values()) if (!isSame(member, found.get(member.id))) this.#take(member);
    for (const [id, pod] of found) this.#put(id, pod);
    this.#hasBegun = true;
  }

  /**
   * The pod for a new connection, on lease; `undefined` when none takes any now. `exclude` has the ids of pods that this connection has
   * tried already. Among pods that rest, when there are no others, one attempt at a time is let through.
   */
  choose(affinity: Affinity, { exclude }: { exclude?: ReadonlySet<string> } = {}): Pick | undefined {
    const nowMs = this.#clock.now();
    const members = [...this.#members.values()].filter(({ id }) => exclude?.has(id) !== true);
    const taking = members.filter(({ state }) => POD_STATES[state].takes);
    // A pod that no check has asked yet is better than none: so a gateway that has just started turns nobody away.
    const unasked = members.filter(({ state }) => state === 'checking');
    const tiers = [taking.filter(({ backup }) => !backup), taking.filter(({ backup }) => backup), unasked];
    for (const tier of tiers) {
      for (const member of tier) member.setShare(nowMs);
      for (const member of orderOf(tier, affinity)) if (member.admits(nowMs)) return this.#lease(member);
    }
    const last = rank(affinity.key ?? '', members).find((member) => member.admitsLast(nowMs));
    return last && this.#lease(last);
  }

  /**
   * Tells of pods that come, go, drain, fail or are back; the returned function ends it. A carrier compares `change.pod` with `pick.pod`
   * itself, not by id: a pod that is gone and back is another one.
   */
  watch(listener: (change: PodChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether a new connection would find a pod. */
  get isReady(): boolean {
    return [...this.#members.values()].some(({ state }) => POD_STATES[state].takes);
  }

  get pods(): Iterable<Pod> {
    return this.#members.values();
  }

  /** Takes no new connections to this pod, and tells its carriers to leave it. False if there is no such pod. */
  drain(id: string, by: Drainer = 'admin'): boolean {
    return this.#change(id, (member) => member.drain(by, this.#clock.now()));
  }

  undrain(id: string, by: Drainer = 'admin'): boolean {
    return this.#change(id, (member) => member.undrain(by));
  }

  /**
   * From now on a pod takes connections before {@link checked} has been told that it is up only if no other does. What is known of a pod
   * stays known.
   */
  awaitChecks(): void {
    this.#areChecked = true;
    for (const member of this.#members.values()) {
      if (member.check === 'off') this.#after(member, () => (member.check = 'unknown'));
    }
  }

  /** Nobody checks any more: what the checks said is forgotten. */
  endChecks(): void {
    this.#areChecked = false;
    for (const member of this.#members.values()) {
      this.#after(member, () => {
        member.check = 'off';
        member.undrain('check');
      });
    }
  }

  /** The verdict of the active checks on a pod. One that is up again need not sit out what it did before. */
  checked(id: string, verdict: 'up' | 'down'): boolean {
    return this.#change(id, (member) => {
      if (verdict === 'up') member.relent(this.#clock.now());
      member.check = verdict;
    });
  }

  report(): PodReport[] {
    return Array.from(this.#members.values(), (member) => ({
      id: member.id,
      host: member.host,
      port: member.port,
      state: member.state,
      weight: member.weight,
      backup: member.backup,
      load: member.load,
      drainedBy: member.drainedBy,
      check: member.check,
      ejections: member.ejections,
      counts: member.counts,
    }));
  }

  close(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#clock.clearTimeout(this.#comparing);
    this.#isClosed = true;
    this.#listeners.clear();
  }

  #lease(member: Member): Pick {
    member.load++;
    member.counts.chosen++;
    return new Lease(member, {
      established: () => this.#after(member, () => member.succeeded()),
      failed: (cause, wasOpen) => {
        if (FAILURES[cause].compares) this.#compareLater();
        this.#after(member, () => member.failed(cause, this.#clock.now(), wasOpen));
      },
      abandoned: () => this.#after(member, () => member.abandoned()),
      ended: () => void member.load--,
    });
  }

  #put(id: string, pod: FoundPod): void {
    let member = this.#members.get(id);
    if (member === undefined) {
      member = new Member(pod, this.#options);
      // So that whoever watches is told of it.
      member.state = 'gone';
      if (this.#areChecked) member.check = 'unknown';
      if (!this.#hasBegun) this.#first.add(member);
      this.#members.set(id, member);
    }
    member.found = pod;
    if (pod.draining === true) member.drain('discovery', this.#clock.now());
    else member.undrain('discovery');
    this.#judge(member);
  }

  #take(member: Member): void {
    member.gone = true;
    this.#members.delete(member.id);
    this.#judge(member);
  }

  #change(id: string, change: (member: Member) => void): boolean {
    const member = this.#members.get(id);
    if (member === undefined) return false;
    this.#after(member, () => change(member));
    return true;
  }

  #after(member: Member, change: () => void): void {
    change();
    this.#judge(member);
  }

  #judge(member: Member): void {
    const nowMs = this.#clock.now();
    const from = member.state;
    let to = member.judge(nowMs);
    const isFirst = from === 'checking' && to !== 'checking' && this.#first.delete(member);
    if (this.#hasBegun && !isFirst && POD_STATES[to].takes && !POD_STATES[from].takes) {
      member.warmUp(nowMs);
      to = member.judge(nowMs);
    }
    member.state = to;
    this.#arm(nowMs);
    if (from !== to) for (const listener of Array.from(this.#listeners)) listener({ pod: member, from, to });
  }

  /** One timer for the earliest of all that changes by time alone. */
  #arm(nowMs: number): void {
    const nextMs = Math.min(...Array.from(this.#members.values(), (member) => member.nextMs(nowMs)));
    if (this.#isClosed || nextMs === this.#timerMs) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timerMs = nextMs;
    if (nextMs < Infinity)
      this.#timer = this.#clock.setTimeout(() => this.#judgeAll(), Math.min(nextMs - nowMs, TIMER_MS_MAX));
  }

  /** Pods are compared a window after the first failure, so that a pool in which nothing fails has no timer. */
  #compareLater(): void {
    const { outliers = OUTLIERS } = this.#options;
    if (outliers === false || this.#comparing !== undefined || this.#isClosed) return;
    for (const member of this.#members.values()) member.recent = NONE;
    this.#comparing = this.#clock.setTimeout(() => {
      this.#comparing = undefined;
      this.#compare(outliers);
    }, outliers.windowMs);
  }

  #compare(outliers: OutlierOptions): void {
    const nowMs = this.#clock.now();
    const found = findOutliers([...this.#members.values()], outliers);
    for (const member of this.#members.values()) {
      if (found.has(member)) member.eject(nowMs, outliers);
      else if (member.ejectedUntilMs === undefined) member.ejections = Math.max(0, member.ejections - 1);
      this.#judge(member);
    }
  }

  #judgeAll(): void {
    this.#timerMs = Infinity;
    for (const member of this.#members.values()) this.#judge(member);
  }
}

/** What is further off is looked at again then: a longer timer of Node fires at once. */
const TIMER_MS_MAX = 2_147_483_647;

/** A pod that is back under another address is another one: what was known of the old one says nothing of it. */
const isSame = (member: Member, found: FoundPod | undefined): boolean =>
  found !== undefined && found.host === member.host && found.port === member.port;
