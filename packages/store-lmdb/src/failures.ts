import { errors, HoldfastError } from '@holdfast/store';

/**
 * MDB_MAP_FULL, and the errno of a full disk, a file size limit and a used-up quota. And EIO, by which LMDB reports that only a part of
 * several pages was written: that is how a full disk shows first, and again at each attempt.
 */
const FULL = new Set([-30792, 28, 27, 122, 5]);
/** MDB_PAGE_NOTFOUND, MDB_CORRUPTED, MDB_VERSION_MISMATCH, MDB_INVALID. */
const CORRUPT = new Set([-30797, -30796, -30794, -30793]);

/** Runs the body and gives what LMDB throws a code of ours. */
export function translated<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw translate(error);
  }
}

function translate(error: unknown): unknown {
  const code = (error as { code?: unknown } | undefined)?.code;
  if (error instanceof HoldfastError || typeof code !== 'number') return error;
  const kind = FULL.has(code) ? errors.STORE_FULL : CORRUPT.has(code) ? errors.STORE_CORRUPT : errors.STORE;
  return new HoldfastError(kind, (error as Error).message, { cause: error });
}
