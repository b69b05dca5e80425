/** A run of numbers that did not arrive, both ends included. */
export interface Hole {
  readonly from: number;
  readonly to: number;
  /** Whether a gap was declared over it. */
  readonly declared: boolean;
  /** When it was noticed, on the ledger's count of events. */
  readonly at: number;
}

const sizeOf = (hole: Hole): number => hole.to - hole.from + 1;

/** The numbers of a stream that are missing, as sorted, disjoint runs: memory grows with the holes, not with the numbers in them. */
export class Holes {
  #runs: Hole[] = [];
  #lost = 0;
  #declared = 0;

  /** How many runs are kept. */
  get count(): number {
    return this.#runs.length;
  }

  /** How many missing numbers no gap was declared for. */
  get lost(): number {
    return this.#lost;
  }

  /** How many missing numbers lie in declared gaps. */
  get declared(): number {
    return this.#declared;
  }

  /** The lowest run that no gap was declared for. */
  get firstLost(): Hole | undefined {
    return this.#lost === 0 ? undefined : this.#runs.find((hole) => !hole.declared);
  }

  /** Adds a hole above all others; an empty one (`to` below `from`) changes nothing. */
  open(hole: Hole): void {
    if (hole.to < hole.from) return;
    this.#runs.push(hole);
    this.#count(hole, 1);
  }

  /** Takes one number out; false when it was not missing. */
  fill(number: number): boolean {
    return this.#replace(number, number, () => []) > 0;
  }

  /** Marks what is missing of `from` to `to` as declared. */
  declare(from: number, to: number): void {
    this.#replace(from, to, (hole) => [{ ...hole, declared: true }]);
  }

  /** Takes the lowest run out. */
  shift(): Hole | undefined {
    const hole = this.#runs.shift();
    if (hole !== undefined) this.#count(hole, -1);
    return hole;
  }

  /** Puts others in the place of the parts of runs that lie within `from` to `to`; returns how many numbers those parts had. */
  #replace(from: number, to: number, others: (part: Hole) => Hole[]): number {
    const start = this.#firstReaching(from);
    const after: Hole[] = [];
    let replaced = 0;
    let end = start;
    for (let hole = this.#runs[end]; hole !== undefined && hole.from <= to; hole = this.#runs[++end]) {
      const part = { ...hole, from: Math.max(hole.from, from), to: Math.min(hole.to, to) };
      replaced += sizeOf(part);
      if (hole.from < from) after.push({ ...hole, to: from - 1 });
      after.push(...others(part));
      if (hole.to > to) after.push({ ...hole, from: to + 1 });
    }
    for (const hole of this.#runs.splice(start, end - start, ...after)) this.#count(hole, -1);
    for (const hole of after) this.#count(hole, 1);
    return replaced;
  }

  /** The place of the first run that ends at `number` or above. */
  #firstReaching(number: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#runs[middle] as Hole).to < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #count(hole: Hole, sign: 1 | -1): void {
    if (hole.declared) this.#declared += sign * sizeOf(hole);
    else this.#lost += sign * sizeOf(hole);
  }
}
