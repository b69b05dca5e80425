import { timingSafeEqual } from 'node:crypto';
import { errors, HoldfastError } from '@holdfast/protocol';
import { DEFAULT_RETENTION, type Retention, type TokenHash } from './store.js';

/** The rules that every store shares. All of them are pure; those that need a time are given it. */

/** The hash of the newest resume token, and of the one before it until the client has shown that it holds the newest. */
export interface Tokens {
  readonly current: TokenHash;
  readonly previous?: TokenHash;
}

/**
 * The tokens after an attach, or undefined where the presented one is not good. The presented token stays good beside the new
 * one, whichever of the two it was: the answer that carries the new one may be cut off once more.
 */
export function rotateTokens(tokens: Tokens, presented: TokenHash, next: TokenHash): Tokens | undefined {
  // Both are compared, always, so that the time taken does not tell which of them was close.
  const isCurrent = sameHash(tokens.current, presented);
  const isPrevious = tokens.previous !== undefined && sameHash(tokens.previous, presented);
  return isCurrent || isPrevious ? { current: next, previous: presented } : undefined;
}

/** The client holds the newest token: the one before is dead. */
export function confirmTokens({ current }: Tokens): Tokens {
  return { current };
}

function sameHash(one: TokenHash, other: TokenHash): boolean {
  const a = Buffer.from(one);
  const b = Buffer.from(other);
  return a.length === b.length && timingSafeEqual(a, b);
}

/** How long a pod has said that it lives. */
export interface Lease {
  readonly untilMs: number;
  /** The latest time that any lease of this pod ran to: ending one early shortens nobody's life. */
  readonly latestMs: number;
}

export function renewLease(lease: Lease | undefined, untilMs: number): Lease {
  return { untilMs, latestMs: Math.max(untilMs, lease?.latestMs ?? 0) };
}

/** Whether the pod's sessions are free to be adopted. A pod that never took a lease has none that could lapse. */
export function hasLapsed(lease: Lease | undefined, nowMs: number): boolean {
  return lease !== undefined && lease.untilMs < nowMs;
}

export interface Lifetime {
  readonly lifeMs: number;
  /** When the transport was lost; null while there is one. */
  readonly detachedMs: number | null;
  /** When it was last attached, or made. */
  readonly attachedMs: number;
}

/**
 * The last millisecond of a session's life. Without a transport its life runs from when that was lost. With one it runs from the
 * end of its pod's lease, so it never ends while the pod lives; a pod that never took a lease counts from the attach.
 */
export function expiryOf({ lifeMs, detachedMs, attachedMs }: Lifetime, lease: Lease | undefined): number {
  return (detachedMs ?? Math.max(attachedMs, lease?.latestMs ?? 0)) + lifeMs;
}

/** The counts of a stream that retention looks at. */
export interface Extent {
  /** Oldest offset that is kept; `end + 1` when none is. */
  readonly first: number;
  readonly end: number;
  /** Payload bytes that are kept. */
  readonly bytes: number;
}

/** Whether the oldest entry must go to make room. The newest never does: a bound smaller than one message would lose them all. */
export function overflows({ first, end, bytes }: Extent, retention: Retention): boolean {
  const count = end - first + 1;
  return count > 1 && (count > retention.entries || bytes > retention.bytes);
}

/** Entries written before this time are too old to keep. */
export function ageLimit(nowMs: number, retention: Retention): number {
  return nowMs - retention.ageMs;
}

/** The retention of a store, from what its options say. */
/** Refuses options that nobody knows: one with a slip in its name would be ignored without a word. Throws HF_OPTION. */
export function checkNames(what: string, given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new HoldfastError(errors.OPTION, `${what} has no ${unknown}, only ${known.join(', ')}`);
}

export function retentionOf(options: Partial<Retention> = {}): Retention {
  checkNames('retention', options, Object.keys(DEFAULT_RETENTION));
  const retention = { ...DEFAULT_RETENTION, ...options };
  for (const [name, value] of Object.entries(retention)) {
    if (!(value > 0)) throw new HoldfastError(errors.OPTION, `retention.${name} is ${value}, not above 0`);
  }
  return retention;
}
