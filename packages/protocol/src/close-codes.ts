import type { ErrorKind } from './error.js';

/**
 * What a client does after a close: attach again at once (`resume`), attach again after a time (`later`), give the session
 * up because a new one can be opened (`anew`), or give up because trying again cannot help (`never`).
 */
export type Verdict = 'resume' | 'later' | 'anew' | 'never';

/** The close codes of holdfast.v1. An application's own codes (3000-4499) travel in `bye`, never here. */
export const CLOSE = {
  normal: 1000,
  restart: 1012,
  later: 1013,
  tooLarge: 1009,
  internal: 1011,
  protocol: 4500,
  fenced: 4501,
  expired: 4502,
  unauthorized: 4503,
  handshake: 4504,
  silent: 4505,
  slowWrite: 4506,
  moved: 4507,
  store: 4508,
} as const;

/** The verdict of every code that means something; what is not listed is a lost network and is resumed. */
export const VERDICTS: ReadonlyMap<number, Verdict> = new Map([
  [1002, 'never'],
  [1003, 'never'],
  [1007, 'never'],
  [1008, 'never'],
  [CLOSE.tooLarge, 'never'],
  [1010, 'never'],
  [CLOSE.internal, 'later'],
  [CLOSE.restart, 'resume'],
  [CLOSE.later, 'later'],
  [CLOSE.protocol, 'never'],
  // Or a pod has taken over a session whose pod seemed dead: who still holds the token finds out by trying.
  [CLOSE.fenced, 'resume'],
  [CLOSE.expired, 'anew'],
  [CLOSE.unauthorized, 'never'],
  [CLOSE.handshake, 'resume'],
  [CLOSE.silent, 'resume'],
  [CLOSE.slowWrite, 'resume'],
  [CLOSE.moved, 'resume'],
  [CLOSE.store, 'later'],
]);

export const verdictOf = (code: number): Verdict => VERDICTS.get(code) ?? 'resume';

/** The code that carries an error to the peer. */
export const closeCodeOf = (kind: ErrorKind): number => kind.closeCode ?? CLOSE.protocol;

/** The reason of a close: the coded error, and after how many milliseconds to come back where that is known. */
export const closeReason = (kind: ErrorKind, retryMs?: number): string =>
  retryMs === undefined ? kind.code : `${kind.code} retry=${Math.ceil(retryMs)}`;

/** Reads the hint that {@link closeReason} wrote, at most one day. */
export function retryHint(reason: string): number | undefined {
  const found = /(?:^| )retry=(\d{1,8})$/.exec(reason);
  return found ? Math.min(Number(found[1]), 86_400_000) : undefined;
}
