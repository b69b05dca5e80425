/** Why an attempt at a pod, or a connection to it, failed. */
export type FailureCause = 'connect' | 'timeout' | 'protocol' | 'status' | 'lost';

export interface FailureRow {
  /** Counts towards `maxFails`. */
  readonly rests: boolean;
  /** Counts as a failure of the circuit breaker. */
  readonly breaks: boolean;
  /** Counts when pods are compared with each other. */
  readonly compares: boolean;
}

/** What each cause says about the pod. */
export const FAILURES: Readonly<Record<FailureCause, FailureRow>> = {
  /** Refused, unreachable, or reset before any answer. */
  connect: { rests: true, breaks: true, compares: true },
  /** No connection, or no answer, in time. */
  timeout: { rests: true, breaks: true, compares: true },
  /** An answer that is none: not HTTP, a wrong accept key. */
  protocol: { rests: true, breaks: true, compares: true },
  /** 502, 503 or 504 where another pod might have done better. It lives, so it does not rest after three of them. */
  status: { rests: false, breaks: true, compares: true },
  /** An open connection ended without a close. A pod that restarts loses thousands at once, and is as good as new after it. */
  lost: { rests: false, breaks: false, compares: false },
};
