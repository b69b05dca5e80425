import type { HoldfastError } from '@holdfast/protocol';
import type { FoundPod } from '../pool/index.js';

/** Who is told of the pods. */
export interface Finder {
  /** All pods there are now. */
  found(pods: readonly FoundPod[]): void;
  /** They cannot be looked up, or not all of them can be used. Those that were found last are still good. */
  troubled(error: HoldfastError): void;
}

/** A look-out for pods that goes on until it is closed. */
export interface Lookout {
  /** Leaves no timer, socket or watcher. Nothing is told any more. */
  close(): void;
}

/** More pods than this are not taken from any source: a choice costs a hash of each. */
export const PODS_MAX = 1_000;
