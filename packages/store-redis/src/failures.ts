import { errors, HoldfastError } from '@holdfast/store';

/** What the server answers when it has no memory left, and while it takes no writes: a replica, one without enough replicas, a failed save. */
const FULL = /^OOM /;
const READ_ONLY = /^(?:READONLY|NOREPLICAS|MISCONF|MASTERDOWN) /;

/** Nobody is let in, or allowed more, by waiting. */
const DENIED = /^(?:WRONGPASS|NOAUTH) |\bNOPERM\b/;
/** The script failed, which it does before it writes: given the same, it fails again. */
const REJECTED = /^ERR user_script\b/;

/** An error of the client or the server as one of ours. Whether the operation was done is then not known, unless the server refused it. */
export function translate(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const said = error instanceof Error ? error.message : String(error);
  return new HoldfastError(kindOf(said), said, { cause: error });
}

function kindOf(said: string) {
  if (FULL.test(said)) return errors.STORE_FULL;
  if (READ_ONLY.test(said)) return errors.STORE_READ_ONLY;
  if (DENIED.test(said)) return errors.STORE_DENIED;
  return REJECTED.test(said) ? errors.STORE_REJECTED : errors.STORE;
}
