/** Which end can mend an error: the program that called us, the peer, or neither (network, proxy, store, operator). */
export type ErrorSide = 'caller' | 'peer' | 'environment';

/** One entry of the error registry: what happened, whose it is, whether trying again can help, and what to do. */
export interface ErrorKind {
  readonly code: `HF_${string}`;
  readonly side: ErrorSide;
  readonly retryable: boolean;
  /** What happened, one sentence. */
  readonly what: string;
  /** What the reader should do, one sentence. */
  readonly fix: string;
  /** The code that carries it to the peer, where that is not 4500. */
  readonly closeCode?: number | undefined;
}

/** Shared by all copies of the package, so that `instanceof` holds when two of them are installed. */
const BRAND: unique symbol = Symbol.for('holdfast.error') as never;

/** The one error class of holdfast. `code` is stable and listed in docs/errors.md; `cause` keeps what lies beneath. */
export class HoldfastError extends Error {
  readonly code: ErrorKind['code'];
  readonly side: ErrorSide;
  readonly retryable: boolean;
  readonly fix: string;
  readonly [BRAND] = true;

  constructor(kind: ErrorKind, detail = '', options?: { cause?: unknown }) {
    super(`${kind.code}: ${kind.what}${detail && ` (${detail})`} ${kind.fix}`);
    this.name = 'HoldfastError';
    if (options && 'cause' in options) this.cause = options.cause;
    this.code = kind.code;
    this.side = kind.side;
    this.retryable = kind.retryable;
    this.fix = kind.fix;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && BRAND in value;
  }
}

/** What a peer did wrong, as a value: a peer's mistake is never thrown. */
export interface Fault {
  readonly fault: ErrorKind;
  readonly detail: string;
}

export const fault = (kind: ErrorKind, detail = ''): Fault => ({ fault: kind, detail });

export const isFault = (value: object): value is Fault => 'fault' in value;
