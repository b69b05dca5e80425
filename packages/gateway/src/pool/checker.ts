import type { Clock } from '../clock.js';
import type { Pod } from './member.js';
import type { Pool } from './pool.js';

/** What a pod answers to a check. `draining`: it serves what it has, and wants no more. */
export type Verdict = 'up' | 'draining' | 'down';

/** Asks a pod. Rejects or says `down` when it does not answer well; must end soon after `signal` is aborted. */
export type Probe = (pod: Pod, signal: AbortSignal) => Promise<Verdict>;

export interface CheckerOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** So many checks in a row must pass before a pod that was down is up. */
  readonly rise: number;
  /** So many in a row must fail before a pod that was up is down. */
  readonly fall: number;
}

/** While a pod is not plainly up it is asked this often at least, so that one that has restarted is back within seconds. */
const UNSETTLED_MS = 1_000;
/** How much an interval varies (part of it, to either side), so that gateways do not ask in step. */
const JITTER = 0.1;

/** What one pod has answered so far. */
interface Record {
  readonly pod: Pod;
  verdict: 'unknown' | 'up' | 'down';
  /** Answers in a row that contradict the verdict. */
  against: number;
  isDraining: boolean;
  timer: unknown;
  asking: AbortController | undefined;
}

/**
 * Asks every pod of a pool again and again, and tells the pool what it makes of the answers. The first answer of a new pod decides at once;
 * after that it takes `fall` failures to bring a pod down and `rise` successes to bring it up. A pod is asked once at a time.
 */
export class Checker {
  readonly #pool: Pool;
  readonly #probe: Probe;
  readonly #options: CheckerOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #records = new Map<Pod, Record>();
  readonly #unwatch: () => void;

  constructor(pool: Pool, probe: Probe, options: CheckerOptions, clock: Clock, random: () => number = Math.random) {
    this.#pool = pool;
    this.#probe = probe;
    this.#options = options;
    this.#clock = clock;
    this.#random = random;
    pool.awaitChecks();
    this.#unwatch = pool.watch(({ pod, to }) => (to === 'gone' ? this.#forget(pod) : this.#meet(pod)));
    for (const pod of pool.pods) this.#meet(pod);
  }

  close(): void {
    this.#unwatch();
    for (const pod of this.#records.keys()) this.#forget(pod);
  }

  #meet(pod: Pod): void {
    if (this.#records.has(pod)) return;
    const record: Record = {
      pod,
      verdict: 'unknown',
      against: 0,
      isDraining: false,
      timer: undefined,
      asking: undefined,
    };
    this.#records.set(pod, record);
    void this.#ask(record);
  }

  #forget(pod: Pod): void {
    const record = this.#records.get(pod);
    this.#records.delete(pod);
    this.#clock.clearTimeout(record?.timer);
    record?.asking?.abort();
  }

  async #ask(record: Record): Promise<void> {
    const asking = new AbortController();
    record.asking = asking;
    const late = this.#clock.setTimeout(() => asking.abort(), this.#options.timeoutMs);
    const verdict = await this.#probe(record.pod, asking.signal).catch(() => 'down' as const);
    this.#clock.clearTimeout(late);
    record.asking = undefined;
    if (this.#records.get(record.pod) !== record) return;
    this.#judge(record, asking.signal.aborted ? 'down' : verdict);
    record.timer = this.#clock.setTimeout(() => void this.#ask(record), this.#delayMs(record));
  }

  #judge(record: Record, verdict: Verdict): void {
    const { id } = record.pod;
    if (verdict === 'draining') this.#pool.drain(id, 'check');
    // A pod that does not answer any more may still be draining; only one that answers well takes it back.
    if (verdict === 'up') this.#pool.undrain(id, 'check');
    if (verdict !== 'down') record.isDraining = verdict === 'draining';
    const heard = verdict === 'down' ? 'down' : 'up';
    record.against = heard === record.verdict ? 0 : record.against + 1;
    const enough = { unknown: 1, down: this.#options.rise, up: this.#options.fall }[record.verdict];
    if (record.against < enough) return;
    record.verdict = heard;
    record.against = 0;
    this.#pool.checked(id, heard);
  }

  #delayMs({ verdict, against, isDraining }: Record): number {
    const isSettled = verdict === 'up' && against === 0 && !isDraining;
    const intervalMs = isSettled ? this.#options.intervalMs : Math.min(this.#options.intervalMs, UNSETTLED_MS);
    return intervalMs * (1 - JITTER + 2 * JITTER * this.#random());
  }
}
