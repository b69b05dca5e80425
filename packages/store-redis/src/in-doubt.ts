import { type Batch, errors, HoldfastError } from '@holdfast/store';

/** So many batches later nobody comes back to one that has failed. Bounds what the server remembers. */
const KEPT = 256;
/** So many batches that are recorded and not applied everywhere, or so many since the oldest of them, and no more are taken. */
const RECORDED_MAX = 256;
const BEHIND_MAX = 10_000;

/**
 * Numbers the batches, so that the server knows one that it has applied. A batch whose answer was lost is given again, as the same object, and
 * gets the number that it had.
 */
export class InDoubt {
  readonly #numbers = new WeakMap<Batch, number>();
  /** Numbers that have no answer yet, in order. Those that have failed lie here with their batch, in case it is given again. */
  readonly #open = new Map<number, Batch>();
  readonly #failed = new Set<number>();
  /** In a cluster: those that may be recorded, and are therefore never forgotten before they are finished. */
  readonly #recorded = new Set<number>();
  #last = 0;

  /**
   * The number of a batch, the lowest one that may still be asked for, and whether the batch was given before.
   *
   * @throws HF_STORE when too many batches are not finished.
   */
  begin(batch: Batch): { readonly id: number; readonly open: number; readonly isAgain: boolean } {
    const known = this.#numbers.get(batch);
    if (known === undefined) this.#refuseTooMany();
    const id = known ?? ++this.#last;
    this.#numbers.set(batch, id);
    this.#failed.delete(id);
    if (known === undefined) this.#open.set(id, batch);
    this.#forgetOld();
    const [open = id] = this.#open.keys();
    return { id, open, isAgain: known !== undefined };
  }

  answered(id: number): void {
    const batch = this.#open.get(id);
    if (batch !== undefined) this.#numbers.delete(batch);
    this.#open.delete(id);
    this.#recorded.delete(id);
  }

  /** It may be recorded from now on, until it is finished. */
  recorded(id: number): void {
    this.#recorded.add(id);
  }

  /** Whether it was answered or not: it is applied everywhere, or will never be. */
  finished(id: number): void {
    this.#recorded.delete(id);
  }

  /** Those that failed when they may have been recorded, and that nobody is giving again just now. */
  unfinished(): number[] {
    return [...this.#recorded].filter((id) => this.#failed.has(id));
  }

  failed(id: number): void {
    this.#failed.add(id);
  }

  #forgetOld(): void {
    for (const id of this.#failed) {
      if (id > this.#last - KEPT || this.#recorded.has(id)) continue;
      this.#failed.delete(id);
      this.answered(id);
    }
  }

  #refuseTooMany(): void {
    const [oldest = this.#last] = this.#open.keys();
    if (this.#recorded.size < RECORDED_MAX && this.#last - oldest < BEHIND_MAX) return;
    throw new HoldfastError(errors.STORE, 'too many batches are not finished');
  }
}
