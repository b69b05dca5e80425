/** Something that must never be. `kind` is what a smaller run must show again to be the same failure. */
export interface Violation {
  readonly kind: string;
  readonly detail: string;
}

/** What the checkers of a run have found: the first violation ends it. */
export class Verdict {
  violation: Violation | undefined;

  blame(kind: string, detail: string): void {
    this.violation ??= { kind, detail };
  }
}
