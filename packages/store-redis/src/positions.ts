import type { Lost, StreamKey, Tails } from '@holdfast/store';

/** Streams asked for in one script call: others wait for it some hundred microseconds. */
const SLICE = 500;
/** Ends that are remembered of streams that nobody follows, lest whoever follows one next is woken for what is known. */
const UNFOLLOWED_MAX = 10_000;

/** Where a stream is now: its end and, of a session's, who has the session under which epoch; end -1 where there is none. */
export interface Position {
  readonly end: number;
  readonly epoch: string;
  readonly owner?: { readonly pod: string; readonly epoch: number };
}

interface Told {
  readonly end: number;
  readonly epoch: string | undefined;
}

/**
 * Makes up for wake-ups that were lost: looks from time to time, and whenever a subscription has come about, whether the streams that are
 * followed have grown or begun anew, and whether their sessions have moved, beyond what the tails were told.
 */
export class Positions {
  readonly #tails: Tails;
  readonly #positionsOf: (streams: readonly StreamKey[]) => Promise<Position[]>;
  readonly #told = new Map<StreamKey, Told>();
  /** More than this many are not remembered before those that nobody follows are forgotten. */
  #roomy = UNFOLLOWED_MAX;
  #wanted: Set<StreamKey> | undefined;
  #checking: Promise<void> | undefined;

  constructor(tails: Tails, positionsOf: (streams: readonly StreamKey[]) => Promise<Position[]>) {
    this.#tails = tails;
    this.#positionsOf = positionsOf;
  }

  /** Who follows the stream knows, or is told now, that it has grown to here. Says whether that is new. */
  told(stream: StreamKey, end: number, epoch?: string): boolean {
    const known = this.#told.get(stream);
    const isAnew = epoch !== undefined && known?.epoch !== undefined && known.epoch !== epoch;
    if (!isAnew && known !== undefined && end <= known.end) {
      if (epoch !== undefined && known.epoch === undefined) this.#told.set(stream, { end: known.end, epoch });
      return false;
    }
    this.#told.set(stream, { end, epoch: epoch ?? known?.epoch });
    this.#forgetSome();
    return true;
  }

  /** How far a stream is known to reach, -1 when nothing is known of it. */
  endOf(stream: StreamKey): number {
    return this.#told.get(stream)?.end ?? -1;
  }

  /** Compares one stream, soon, together with others of this turn. */
  checkSoon(stream: StreamKey): void {
    if (this.#wanted === undefined) {
      const wanted = new Set<StreamKey>();
      this.#wanted = wanted;
      queueMicrotask(() => {
        this.#wanted = undefined;
        // One that fails, as when the store is closed meanwhile, is made up for by the next check of all.
        this.#compareAll([...wanted]).catch(() => undefined);
      });
    }
    this.#wanted.add(stream);
  }

  /** Compares all that are followed; one such comparison at a time. */
  check(): Promise<void> {
    this.#checking ??= this.#compareAll([...this.#tails.followed()]).finally(() => (this.#checking = undefined));
    return this.#checking;
  }

  async #compareAll(streams: readonly StreamKey[]): Promise<void> {
    for (let from = 0; from < streams.length; from += SLICE) {
      const slice = streams.slice(from, from + SLICE);
      const positions = await this.#positionsOf(slice);
      slice.forEach((stream, index) => this.#compare(stream, positions[index]!));
    }
  }

  #compare(stream: StreamKey, { end, epoch, owner }: Position): void {
    if (!this.#tails.follows(stream)) return;
    const isKnown = this.#told.has(stream);
    // A stream that is not there has nothing to tell, unless it was there before.
    const isNews = end >= 0 ? this.told(stream, end, epoch) : isKnown && this.told(stream, 0, epoch);
    if (isNews && (isKnown || end > 0)) this.#tails.grew(stream, Math.max(end, 0));
    if (!stream.startsWith('s:')) return;
    // Every epoch before that of the new owner is over, and every one at all of a session that has ended.
    const session = stream.slice(2);
    const over: Lost =
      owner === undefined
        ? { session, epoch: Number.MAX_SAFE_INTEGER, gone: true }
        : { session, epoch: owner.epoch - 1 };
    for (const pod of this.#tails.podsThatFollow(stream)) {
      if (pod !== owner?.pod) this.#tails.fence(pod, over);
    }
  }

  #forgetSome(): void {
    if (this.#told.size <= this.#roomy) return;
    for (const stream of this.#told.keys()) if (!this.#tails.follows(stream)) this.#told.delete(stream);
    this.#roomy = this.#told.size + UNFOLLOWED_MAX;
  }
}
