import { Holes } from './holes.js';

/** Bounds of a `DeliveryLedger`. */
export interface DeliveryLedgerOptions {
  /**
   * Holes (runs of numbers missing so far) remembered per stream. Beyond it the oldest is given up: its numbers stay lost, or
   * declared, and one of them that arrives after all counts as a duplicate. Default 10,000.
   */
  holesMax?: number;
  /** Streams in one ledger; one more throws. Default 100,000. */
  streamsMax?: number;
}

/** What a ledger found. Unless something arrived that was never sent, `sent` = `received` + `lost` + `declared`. */
export interface DeliveryReport {
  /** Messages handed to the sending side. */
  readonly sent: number;
  /** Different messages that arrived. */
  readonly received: number;
  /** Messages that never arrived and that no gap was declared for. */
  readonly lost: number;
  /** Arrivals beyond the first of the same message. */
  readonly duplicated: number;
  /** Messages that first arrived after a later one, or after a gap was declared over them. */
  readonly outOfOrder: number;
  /** Messages that never arrived, within declared gaps: lost, but not silently. */
  readonly declared: number;
  /** How far arrivals and gaps went beyond what was sent. */
  readonly unsent: number;
  /** The earliest problem in words; `undefined` when every message arrived once and in order, or was declared. */
  readonly firstProblem: string | undefined;
}

interface Problem {
  readonly at: number;
  readonly text: string;
}

/** The account of one stream. */
class StreamAccount {
  sent = 0;
  /** The highest number that arrived or was declared. */
  #high = 0;
  #received = 0;
  #duplicated = 0;
  #outOfOrder = 0;
  #givenUp = { lost: 0, declared: 0 };
  #problem: Problem | undefined;
  readonly #holes = new Holes();

  constructor(
    private readonly name: string,
    private readonly holesMax: number,
  ) {}

  received(number: number, at: number): void {
    if (number > this.#high) {
      this.#openHole(this.#high + 1, number - 1, false, at);
      this.#high = number;
      this.#received++;
    } else if (this.#holes.fill(number)) {
      this.#received++;
      this.#outOfOrder++;
      this.#note(at, `${number} arrived late, when ${this.#high} was the highest`);
    } else {
      this.#duplicated++;
      this.#note(at, `${number} arrived again, when ${this.#high} was the highest`);
    }
  }

  gap(from: number, to: number, at: number): void {
    this.#holes.declare(from, to);
    if (to <= this.#high) return;
    this.#openHole(this.#high + 1, from - 1, false, at);
    this.#openHole(Math.max(this.#high + 1, from), to, true, at);
    this.#high = to;
  }

  report(): Omit<DeliveryReport, 'firstProblem'> & { readonly problem: Problem | undefined } {
    return {
      sent: this.sent,
      received: this.#received,
      lost: this.#givenUp.lost + this.#holes.lost + Math.max(0, this.sent - this.#high),
      duplicated: this.#duplicated,
      outOfOrder: this.#outOfOrder,
      declared: this.#givenUp.declared + this.#holes.declared,
      unsent: Math.max(0, this.#high - this.sent),
      problem: this.#earliest(),
    };
  }

  #earliest(): Problem | undefined {
    const hole = this.#holes.firstLost;
    const never = hole && this.#inWords(hole.at, `${hole.from} to ${hole.to} never arrived`);
    const noted = this.#problem;
    if (never !== undefined || noted !== undefined) return !never || (noted && noted.at < never.at) ? noted : never;
    const { sent } = this;
    if (sent > this.#high) return this.#inWords(Infinity, `${this.#high + 1} to ${sent}, the last, never arrived`);
    if (sent < this.#high) return this.#inWords(Infinity, `${sent + 1} to ${this.#high} were never sent`);
    return undefined;
  }

  #inWords(at: number, what: string): Problem {
    return { at, text: `stream "${this.name}": ${what}` };
  }

  #note(at: number, what: string): void {
    this.#problem ??= this.#inWords(at, what);
  }

  #openHole(from: number, to: number, declared: boolean, at: number): void {
    this.#holes.open({ from, to, declared, at });
    if (this.#holes.count <= this.holesMax) return;
    const oldest = this.#holes.shift();
    if (oldest === undefined) return;
    this.#givenUp[oldest.declared ? 'declared' : 'lost'] += oldest.to - oldest.from + 1;
    if (!oldest.declared)
      this.#note(oldest.at, `${oldest.from} to ${oldest.to} did not arrive for ${this.holesMax} holes`);
  }
}

/**
 * Judges delivery, and knows neither what is delivered nor how. Every message of a stream has a number, contiguous from 1: tell the
 * ledger of each that is sent, each that arrives and each gap that is declared, then ask for the report. Memory grows with the
 * number of streams and holes, not with the number of messages.
 */
export class DeliveryLedger {
  readonly #accounts = new Map<string, StreamAccount>();
  readonly #holesMax: number;
  readonly #streamsMax: number;
  #events = 0;

  constructor(options: DeliveryLedgerOptions = {}) {
    this.#holesMax = options.holesMax ?? 10_000;
    this.#streamsMax = options.streamsMax ?? 100_000;
  }

  /** Message `number` of a stream is being sent. Call it before the send, so that no arrival comes first. */
  sent(streamName: string, number: number): void {
    const account = this.#account(streamName);
    if (number !== account.sent + 1) {
      throw new RangeError(
        `stream "${streamName}" sends ${number} after ${account.sent}: numbers are contiguous from 1`,
      );
    }
    account.sent = number;
  }

  /** Message `number` of a stream arrived. */
  received(streamName: string, number: number): void {
    if (!Number.isSafeInteger(number) || number < 1) {
      throw new RangeError(`stream "${streamName}" received ${number}: numbers are whole, from 1`);
    }
    this.#account(streamName).received(number, ++this.#events);
  }

  /** The receiver was told that it will not get `from` to `to` (both included): what does not arrive of it is not lost. */
  gap(streamName: string, from: number, to: number): void {
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from < 1 || to < from) {
      throw new RangeError(`stream "${streamName}" has no gap from ${from} to ${to}`);
    }
    this.#account(streamName).gap(from, to, ++this.#events);
  }

  /** The account of one stream, or without a name the sum of all. */
  report(streamName?: string): DeliveryReport {
    const accounts = streamName === undefined ? [...this.#accounts.values()] : [this.#account(streamName)];
    const sum = { sent: 0, received: 0, lost: 0, duplicated: 0, outOfOrder: 0, declared: 0, unsent: 0 };
    let first: Problem | undefined;
    for (const account of accounts) {
      const { problem, ...counts } = account.report();
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += counts[key];
      if (problem !== undefined && (first === undefined || problem.at < first.at)) first = problem;
    }
    return { ...sum, firstProblem: first?.text };
  }

  /** Returns the report of all streams; throws with all its counts when it has a problem. Declared gaps are none. */
  check(): DeliveryReport {
    const report = this.report();
    const { firstProblem, ...counts } = report;
    if (firstProblem === undefined) return report;
    const inWords = Object.entries(counts).map(([key, count]) => `${key} ${count}`);
    throw new Error(`delivery failed: ${firstProblem} (${inWords.join(', ')})`);
  }

  #account(name: string): StreamAccount {
    let account = this.#accounts.get(name);
    if (account === undefined) {
      if (this.#accounts.size === this.#streamsMax)
        throw new RangeError(`more than ${this.#streamsMax} streams (streamsMax)`);
      account = new StreamAccount(name, this.#holesMax);
      this.#accounts.set(name, account);
    }
    return account;
  }
}
