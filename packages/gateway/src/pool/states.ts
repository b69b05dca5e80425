/** What is known of a pod, from discovery, from checks, from its connections and from people. */
export interface Conditions {
  /** Discovery, or whoever added it, has taken it away. */
  readonly gone: boolean;
  /** It says so itself, or discovery does, or somebody has asked for it. */
  readonly draining: boolean;
  /** The verdict of the active checks; `off` when there are none. */
  readonly check: 'off' | 'unknown' | 'up' | 'down';
  /** Much worse than its siblings. */
  readonly ejected: boolean;
  /** Too many failures lately. */
  readonly resting: boolean;
  /** Not long here, or not long back. */
  readonly warming: boolean;
}

export type PodState = 'gone' | 'draining' | 'down' | 'checking' | 'ejected' | 'resting' | 'warming' | 'ready';

export interface StateRow {
  readonly when: (conditions: Conditions) => boolean;
  /** Whether new connections go to it. */
  readonly takes: boolean;
  /** Whether the connections that it has should go elsewhere. Whoever cannot move them leaves them until they end. */
  readonly leaves: boolean;
}

/** The states of a pod. The first row whose condition holds is the one it is in. */
export const POD_STATES: Readonly<Record<PodState, StateRow>> = {
  gone: { when: ({ gone }) => gone, takes: false, leaves: true },
  draining: { when: ({ draining }) => draining, takes: false, leaves: true },
  // A pod that fails its checks may well serve what it has: a check is one request, the connections are many.
  down: { when: ({ check }) => check === 'down', takes: false, leaves: false },
  checking: { when: ({ check }) => check === 'unknown', takes: false, leaves: false },
  ejected: { when: ({ ejected }) => ejected, takes: false, leaves: false },
  resting: { when: ({ resting }) => resting, takes: false, leaves: false },
  warming: { when: ({ warming }) => warming, takes: true, leaves: false },
  ready: { when: () => true, takes: true, leaves: false },
};

const ROWS = Object.entries(POD_STATES) as [PodState, StateRow][];

export function stateOf(conditions: Conditions): PodState {
  return (ROWS.find(([, row]) => row.when(conditions)) as [PodState, StateRow])[0];
}
