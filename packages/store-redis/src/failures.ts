import { errors, HoldfastError } from '@holdfast/store';

/** What the server answers when it has no memory left, and while it takes no writes: a replica, one without enough replicas, a failed save. */
const FULL = /^OOM /;
const READ_ONLY = /^(?:READONLY|NOREPLICAS|MISCONF|MASTERDOWN) /;

/** An error of the client or the server as one of ours. Whether the operation was done is then not known, unless the server refused it. */
export function translate(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const said = error instanceof Error ? error.message : String(error);
  const kind = FULL.test(said) ? errors.STORE_FULL : READ_ONLY.test(said) ? errors.STORE_READ_ONLY : errors.STORE;
  return new HoldfastError(kind, said, { cause: error });
}
