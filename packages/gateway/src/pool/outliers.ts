/** What became of the attempts at one pod within a window. */
export interface Sample {
  readonly succeeded: number;
  readonly failed: number;
}

export const NONE: Sample = { succeeded: 0, failed: 0 };

export interface OutlierOptions {
  /** How long attempts are counted before pods are compared. */
  readonly windowMs: number;
  /** Fewer attempts than this say nothing about a pod. */
  readonly attemptsMin: number;
  /** A pod fails at least this part of its attempts (0 to 1), */
  readonly failureShare: number;
  /** and so many times the median of the others. */
  readonly timesOthers: number;
  /** How long it is left out: this long the first time, twice the second, up to the most. */
  readonly ejectMs: number;
  readonly ejectMsMax: number;
  /** The largest part of all pods that may be left out at once (0 to 1), rounded down: with a third, one of three and none of two. */
  readonly ejectedShareMax: number;
}

/** The times are Envoy's defaults; the shares are coarser than its statistics, and can be worked out by hand. */
export const OUTLIERS: OutlierOptions = {
  windowMs: 10_000,
  attemptsMin: 10,
  failureShare: 0.3,
  timesOthers: 3,
  ejectMs: 30_000,
  ejectMsMax: 300_000,
  ejectedShareMax: 1 / 3,
};

/** What is compared. */
export interface Comparable {
  readonly id: string;
  readonly recent: Sample;
  readonly ejectedUntilMs: number | undefined;
}

/**
 * The pods that do so much worse than the others that they are better left out. When all do badly none is: then it is not the pod. The
 * worst come first, as far as the floor allows; pods that are left out already count towards it.
 */
export function findOutliers<C extends Comparable>(pods: readonly C[], options: OutlierOptions): Set<C> {
  const room = Math.floor(pods.length * options.ejectedShareMax) - pods.filter(isEjected).length;
  const judged = pods
    .filter((pod) => !isEjected(pod) && attemptsOf(pod) >= options.attemptsMin)
    .map((pod) => ({ pod, share: pod.recent.failed / attemptsOf(pod) }))
    .sort((a, b) => b.share - a.share || (a.pod.id < b.pod.id ? -1 : 1));
  const outliers = judged.filter(({ pod, share }) => {
    const others = judged.filter((other) => other.pod !== pod).map((other) => other.share);
    return others.length > 0 && share >= options.failureShare && share >= options.timesOthers * medianOf(others);
  });
  return new Set(outliers.slice(0, Math.max(0, room)).map(({ pod }) => pod));
}

const attemptsOf = ({ recent }: Comparable): number => recent.succeeded + recent.failed;
const isEjected = ({ ejectedUntilMs }: Comparable): boolean => ejectedUntilMs !== undefined;

/** The middle of a list that is sorted and not empty; of two, the higher. */
const medianOf = (sorted: readonly number[]): number => sorted[Math.floor((sorted.length - 1) / 2)] as number;
