/** Half of the values, 99 of 100, and all are at most this. */
export interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 };
}

/** The most moments that lie within any window of so many milliseconds. */
export function peakWithin(moments: readonly number[], windowMs: number): number {
  const sorted = [...moments].sort((a, b) => a - b);
  let [peak, from] = [0, 0];
  for (const [i, ms] of sorted.entries()) {
    while (ms - (sorted[from] ?? ms) >= windowMs) from++;
    peak = Math.max(peak, i - from + 1);
  }
  return peak;
}
