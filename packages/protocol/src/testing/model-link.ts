import type { Random } from '../backoff.js';
import { sizeOf, textOf } from '../utf8.js';
import type { Timeline } from './timeline.js';

export type Side = 'client' | 'server';
const SIDES: readonly Side[] = ['client', 'server'];

const otherSide = (side: Side): Side => (side === 'client' ? 'server' : 'client');

/** What is at an end of a link. */
export interface LinkEnd {
  readonly data: (data: string | Uint8Array, binary: boolean) => void;
  readonly lost: (code: number, reason: string) => void;
}

export interface LinkOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  /** The shortest and the longest way of a message. */
  readonly latencyMs: readonly [number, number];
  /** Is given a line for everything that is said on the link and that becomes of it. */
  readonly trace?: (line: string) => void;
}

interface Way {
  /** When the last message arrives: none overtakes another. */
  busyUntilMs: number;
  /** How many more bytes pass before the connection is cut; Infinity for all. */
  budgetBytes: number;
  /** Whether what is sent vanishes. */
  isBlackHole: boolean;
}

/**
 * One WebSocket as the network carries it: ordered, delayed, and cut at any byte. A message is delivered only if all its bytes
 * have passed. An end learns of a loss unless the way to it is a black hole.
 */
export class ModelLink {
  readonly #options: LinkOptions;
  readonly #ends = new Map<Side, LinkEnd>();
  readonly #ways: Record<Side, Way> = { client: newWay(), server: newWay() };
  #isUp = true;
  /** Bytes that each end has sent. */
  readonly sentBytes: Record<Side, number> = { client: 0, server: 0 };

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  join(side: Side, end: LinkEnd): void {
    this.#ends.set(side, end);
  }

  send(from: Side, data: string | Uint8Array, binary: boolean): void {
    const bytes = wireBytes(sizeOf(data));
    this.sentBytes[from] += bytes;
    this.#trace(`${from} says ${(textOf(data) ?? '').replace('\n', ' | ')}`);
    const way = this.#ways[from];
    if (way.budgetBytes < bytes) {
      way.budgetBytes = 0;
      this.#arrive(from, () => this.cut());
      return;
    }
    way.budgetBytes -= bytes;
    const copy = typeof data === 'string' ? data : data.slice();
    this.#arrive(from, () => this.#ends.get(otherSide(from))?.data(copy, binary));
  }

  /** One end closes, and forgets the link at once; the other learns of it behind what was sent before. */
  close(from: Side, code: number, reason: string): void {
    this.#ends.delete(from);
    this.#trace(`${from} closes ${code} ${reason}`);
    this.#arrive(from, () => this.#lose(otherSide(from), code, reason));
  }

  /** The connection breaks here and now; what is on its way is lost. `unaware` ends do not notice. */
  cut(unaware: readonly Side[] = []): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#trace('is cut');
    for (const side of SIDES) {
      if (unaware.includes(side) || this.#ways[otherSide(side)].isBlackHole) continue;
      this.#options.timeline.after(this.#latencyMs(), () => this.#lose(side, 1006, ''));
    }
  }

  /** Breaks when so many more bytes have come from one end. */
  cutAfter(from: Side, bytes: number): void {
    this.#ways[from].budgetBytes = bytes;
  }

  /** From now on what these ends send vanishes, and nobody is told. */
  blackHole(...from: Side[]): void {
    for (const side of from) this.#ways[side].isBlackHole = true;
  }

  #arrive(from: Side, event: () => void): void {
    const { timeline } = this.#options;
    const way = this.#ways[from];
    if (!this.#isUp || way.isBlackHole) return;
    way.busyUntilMs = Math.max(way.busyUntilMs, timeline.nowMs + this.#latencyMs());
    timeline.at(way.busyUntilMs, () => {
      if (this.#isUp && !way.isBlackHole) event();
    });
  }

  #lose(side: Side, code: number, reason: string): void {
    const end = this.#ends.get(side);
    if (end) this.#trace(`${side} loses ${code} ${reason}`);
    this.#ends.delete(side);
    end?.lost(code, reason);
    if (this.#ends.size === 0) this.#isUp = false;
  }

  #trace(line: string): void {
    const { timeline, trace } = this.#options;
    trace?.(`${timeline.nowMs.toFixed(1)} ${line}`);
  }

  #latencyMs(): number {
    const [least, most] = this.#options.latencyMs;
    return least + this.#options.random() * (most - least);
  }
}

const newWay = (): Way => ({ busyUntilMs: 0, budgetBytes: Infinity, isBlackHole: false });

/** A payload and the header of its WebSocket frame (RFC 6455, section 5.2), the mask left out. */
const wireBytes = (payloadBytes: number): number =>
  payloadBytes + (payloadBytes < 126 ? 2 : payloadBytes < 65_536 ? 4 : 10);
