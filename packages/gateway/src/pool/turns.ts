/** What takes turns. */
export interface Turn {
  /** Its part of all turns, in proportion to the others'. Above 0. */
  readonly share: number;
  /** What it is ahead of its share; kept by {@link inTurn}. Starts at 0. */
  credit: number;
}

/**
 * Whose turn it is: smooth weighted round robin, as nginx does it. With shares 5, 1, 1 the order is a a b a c a a and not five times a
 * in a row. Whoever is left out of `turns` for a while keeps its credit.
 */
export function inTurn<T extends Turn>(turns: readonly T[]): T | undefined {
  let total = 0;
  let best: T | undefined;
  for (const turn of turns) {
    turn.credit += turn.share;
    total += turn.share;
    if (best === undefined || turn.credit > best.credit) best = turn;
  }
  if (best !== undefined) best.credit -= total;
  return best;
}

/** Those with the fewest connections for their share. */
export function leastLoaded<T extends { readonly share: number; readonly load: number }>(
  candidates: readonly T[],
): T[] {
  let least = Infinity;
  let found: T[] = [];
  for (const candidate of candidates) {
    const fullness = candidate.load / candidate.share;
    if (fullness < least) [least, found] = [fullness, []];
    if (fullness === least) found.push(candidate);
  }
  return found;
}
