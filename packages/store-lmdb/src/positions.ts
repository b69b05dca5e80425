import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Lost, StreamKey, Tails } from '@holdfast/store';

/** How many streams are looked at before others may run: some two milliseconds. */
const SLICE = 500;
/** How many one check looks at: under one percent of the time at the default of one check a second. The next goes on from there. */
const STREAMS_PER_CHECK = 2000;

/** Where a stream is now: its end and, of a session's, who has the session under which epoch. */
export interface Position {
  readonly end: number;
  readonly owner?: { readonly pod: string; readonly epoch: number };
}

/** What the positions are read from. */
export interface PositionSource {
  /** The number of the last commit: while it stays, no position can have changed. */
  lastCommit(): number;
  /** The positions of these streams, in order; undefined for the stream of a session that is not there. */
  positionsOf(streams: readonly StreamKey[]): (Position | undefined)[];
}

/**
 * Makes up for rings of the doorbell that were lost: looks from time to time whether the streams that are followed have grown, and whether
 * their sessions have moved, beyond what the tails were told.
 */
export class Positions {
  readonly #tails: Tails;
  readonly #source: PositionSource;
  readonly #told = new Map<StreamKey, number>();
  #checkedCommit: number | undefined;
  /** What is left of a pass over all streams, and the commit up to which it looks. */
  #left: StreamKey[] = [];
  #passCommit = 0;
  #checking: Promise<void> | undefined;

  constructor(tails: Tails, source: PositionSource) {
    this.#tails = tails;
    this.#source = source;
  }

  /** Somebody follows the stream from here on. */
  follow(stream: StreamKey): void {
    if (!this.#told.has(stream)) this.#told.set(stream, this.#source.positionsOf([stream])[0]?.end ?? 0);
  }

  /** The tails have been told that the stream ends here. */
  told(stream: StreamKey, end: number): void {
    if (this.#told.has(stream)) this.#told.set(stream, end);
  }

  /** Compares some streams, and in a few calls all of them. */
  check(): Promise<void> {
    this.#checking ??= this.#check(STREAMS_PER_CHECK).finally(() => (this.#checking = undefined));
    return this.#checking;
  }

  /** Compares all streams. */
  async checkAll(): Promise<void> {
    await this.#checking;
    this.#left = [];
    this.#checking = this.#check(Infinity).finally(() => (this.#checking = undefined));
    await this.#checking;
  }

  async #check(limit: number): Promise<void> {
    if (this.#left.length === 0) {
      this.#passCommit = this.#source.lastCommit();
      if (this.#passCommit === this.#checkedCommit) return;
      for (const stream of this.#told.keys()) if (!this.#tails.follows(stream)) this.#told.delete(stream);
      this.#left = [...this.#told.keys()];
    }
    for (let looked = 0; this.#left.length > 0 && looked < limit; looked += SLICE) {
      if (looked > 0) await nextTurn();
      const slice = this.#left.splice(-SLICE);
      const positions = this.#source.positionsOf(slice);
      slice.forEach((stream, index) => this.#compare(stream, positions[index]));
    }
    if (this.#left.length === 0) this.#checkedCommit = this.#passCommit;
  }

  #compare(stream: StreamKey, position: Position | undefined): void {
    if (position !== undefined && position.end > (this.#told.get(stream) ?? 0)) {
      this.#told.set(stream, position.end);
      this.#tails.grew(stream, position.end);
    }
    if (!stream.startsWith('s:')) return;
    // Every epoch before that of the new owner is over, and every one at all of a session that has ended.
    const session = stream.slice(2);
    const over: Lost =
      position?.owner === undefined
        ? { session, epoch: Number.MAX_SAFE_INTEGER, gone: true }
        : { session, epoch: position.owner.epoch - 1 };
    for (const pod of this.#tails.podsThatFollow(stream)) {
      if (pod !== position?.owner?.pod) this.#tails.fence(pod, over);
    }
  }
}
