import { type Batch, errors, HoldfastError } from '@holdfast/store';

/** Counting takes as long as ten commits, so it is done once in so many, or when so much may have been added. */
const COUNT_EVERY = 256;
/** Of what was left at the last count. */
const COUNT_AT_SHARE = 0.5;
/** What a key and its share of a page take beside the payload, rounded up. */
const OVERHEAD_BYTES = 512;

/**
 * Keeps the store within its bound. LMDB's own bound is not used: lmdb-js raises it as needed, and a commit that meets it can no
 * longer free anything. Here only what adds is refused, so that acks and expiry make room again.
 */
export class Room {
  readonly #boundBytes: number;
  readonly #countUsed: () => number;
  #leftBytes = 0;
  #addedBytes = 0;
  #commits = COUNT_EVERY;

  constructor(boundBytes: number, countUsed: () => number) {
    this.#boundBytes = boundBytes;
    this.#countUsed = countUsed;
  }

  /** Throws when what this many bytes are added to is full. */
  check(addingBytes: number): void {
    this.#commits += 1;
    this.#addedBytes += addingBytes;
    if (addingBytes === 0) return;
    const isCountDue = this.#commits >= COUNT_EVERY || this.#addedBytes > this.#leftBytes * COUNT_AT_SHARE;
    if (!isCountDue) return;
    const used = this.#countUsed();
    this.#leftBytes = this.#boundBytes - used;
    this.#commits = 0;
    this.#addedBytes = addingBytes;
    if (addingBytes > this.#leftBytes) {
      throw new HoldfastError(errors.STORE_FULL, `${used} of ${this.#boundBytes} bytes are used`);
    }
  }
}

/** About how much a batch adds to the store. */
export function addedBy({ parts }: Batch): number {
  let bytes = 0;
  for (const { effects } of parts) {
    for (const effect of effects) {
      if (effect.type === 'send' || effect.type === 'publish') bytes += effect.data.byteLength + OVERHEAD_BYTES;
      else if (effect.type === 'data') bytes += effect.data.length + OVERHEAD_BYTES;
      else if (effect.type === 'subscribe') bytes += OVERHEAD_BYTES;
    }
  }
  return bytes;
}
