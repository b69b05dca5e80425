import type { DrainOptions, DrainReport, PolicyOptions } from '@holdfast/server';
import type { StoreChoice } from '../values.js';

/** The variable with the token of `POST /drain`: a secret, which a command line would show to everybody on the machine. */
export const DRAIN_TOKEN = 'HOLDFAST_DRAIN_TOKEN';

/** All that a worker needs to know to serve. */
export interface WorkerSettings {
  /** What the name of the pod is made of: `${pod}-${run}`. */
  readonly pod: string;
  readonly run: string;
  readonly index: number;
  readonly workers: number;
  readonly modulePath: string;
  readonly port: number;
  readonly host: string;
  readonly url: string;
  readonly path: string | undefined;
  readonly store: StoreChoice;
  readonly allowOrigin: readonly string[] | undefined;
  readonly drainRequests: boolean;
  readonly maxAge: number | undefined;
  readonly ageJitter: number;
  /** What a policy says of the server, where there is one. */
  readonly server: PolicyOptions | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** How a worker is to be emptied. */
export type DrainOrder = Required<DrainOptions>;

/** From the primary to a worker. */
export type Order =
  | { readonly type: 'serve'; readonly settings: WorkerSettings }
  | ({ readonly type: 'drain' } & DrainOrder);

/** From a worker to the primary. */
export type Report =
  /** It listens to orders: what comes earlier is lost. */
  | { readonly type: 'started' }
  | { readonly type: 'ready' }
  /** It ends because it cannot serve. `text` is for a person at a terminal. */
  | { readonly type: 'failed'; readonly text: string }
  /** It ends because it is empty. */
  | { readonly type: 'drained'; readonly report: DrainReport }
  /** The module has called `pod.restartAll()`. */
  | { readonly type: 'restartAll' }
  /** It was asked by HTTP to drain, and with it all are meant. */
  | { readonly type: 'stopAll' };
