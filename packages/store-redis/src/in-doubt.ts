import type { Batch } from '@holdfast/store';

/** So many batches later nobody comes back to one that has failed. Bounds what the server remembers. */
const KEPT = 256;

/**
 * Numbers the batches, so that the server knows one that it has applied. A batch whose answer was lost is given again, as the same object, and
 * gets the number that it had.
 */
export class InDoubt {
  readonly #numbers = new WeakMap<Batch, number>();
  /** Numbers that have no answer yet, in order. Those that have failed lie here with their batch, in case it is given again. */
  readonly #open = new Map<number, Batch>();
  readonly #failed = new Set<number>();
  #last = 0;

  /** The number of a batch, and the lowest one that may still be asked for. */
  begin(batch: Batch): { readonly id: number; readonly open: number } {
    const known = this.#numbers.get(batch);
    const id = known ?? ++this.#last;
    this.#numbers.set(batch, id);
    this.#failed.delete(id);
    if (known === undefined) this.#open.set(id, batch);
    this.#forgetOld();
    const [open = id] = this.#open.keys();
    return { id, open };
  }

  answered(id: number): void {
    const batch = this.#open.get(id);
    if (batch !== undefined) this.#numbers.delete(batch);
    this.#open.delete(id);
  }

  failed(id: number): void {
    this.#failed.add(id);
  }

  #forgetOld(): void {
    for (const id of this.#failed) {
      if (id > this.#last - KEPT) continue;
      this.#failed.delete(id);
      this.answered(id);
    }
  }
}
