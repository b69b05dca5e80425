import type { HopUse } from './policy.js';

/**
 * What a hop does to a connection, told as clocks. One hop has several, and what resets one of them does nothing to another.
 *
 * - `idle-either`: bytes in either direction reset it;
 * - `idle-each-direction`: each direction has one, reset by its own bytes alone;
 * - `lifetime`: nothing resets it;
 * - `cohort`: a reload, a deployment or a stop ends all connections of one process together;
 * - `silent-l4`: any packet resets it, and at its end nobody is told;
 * - `backpressure`: runs while a peer takes no bytes, however much is said otherwise;
 * - `connect`: until a connection to what lies behind is there;
 * - `affinity`: ends no connection, but forgets where the next one belongs.
 */
export const CLOCK_KINDS = [
  'idle-either',
  'idle-each-direction',
  'lifetime',
  'cohort',
  'silent-l4',
  'backpressure',
  'connect',
  'affinity',
] as const;
export type ClockKind = (typeof CLOCK_KINDS)[number];

/** How a fact is known. */
export type Evidence =
  /** Read in the source of the program. */
  | 'source'
  /** Measured on one machine, with the program itself. */
  | 'measured'
  /** The vendor says so. */
  | 'documentation'
  /** Reports of incidents. */
  | 'incident'
  /** Somebody quotes the vendor. */
  | 'secondhand'
  /** Common knowledge that nobody here has checked. */
  | 'unverified';

/** The value of a policy that a configuration made from it gives to a clock. */
export type SetBy = 'read' | 'send' | 'connect' | 'drain' | 'request' | 'clientIp';

export interface Clock {
  /** As a policy names it: `read`. */
  readonly name: string;
  /** As the vendor names it: `proxy_read_timeout`. */
  readonly title: string;
  readonly kind: ClockKind;
  /** Undefined: there is none unless it is set. */
  readonly defaultMs: number | undefined;
  /** The most and the least that the vendor allows. */
  readonly maxMs?: number;
  readonly minMs?: number;
  readonly resetBy: string;
  readonly clientSees: string;
  /** How it is changed; undefined where it cannot be. */
  readonly raise: string | undefined;
  readonly setBy?: SetBy;
  /** An option of the hop that makes another kind of it. */
  readonly becomes?: { readonly kind: ClockKind; readonly option: string };
  /** It must be no shorter than this part of the stopping of a pod, or cuts what is still being moved. */
  readonly covers?: 'drain' | 'preStop and drain';
  /** What of the hop's own starts it too, such as a `reload`; without it only the end of a pod does. */
  readonly after?: 'reload' | 'restart';
  /** It kills the pod itself: what Kubernetes knows as the grace period, without a `preStop`. */
  readonly kills?: 'pod';
  /** A clock of the same hop, by its name, that it must be longer than: a proxy that is killed first takes the connections with it. */
  readonly outlasts?: string;
  readonly known: readonly Evidence[];
}

/** One kind of hop and all of its clocks. */
export interface Hop {
  readonly kind: string;
  readonly title: string;
  /** What it is, and what has to be known of it beside its clocks. */
  readonly what: string;
  readonly clocks: readonly Clock[];
  readonly notes: readonly string[];
  /** Documents and commits in which it can be read again. */
  readonly sources: readonly string[];
}

/** A hop of an environment, with what is known of its kind. */
export interface Link {
  readonly use: HopUse;
  readonly hop: Hop;
}
