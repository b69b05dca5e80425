import { errors, type ErrorKind } from '@holdfast/protocol';

/** Why a request is not served: as a status, and as a coded error. */
export interface Refusal {
  readonly status: number;
  readonly error: ErrorKind;
  /** What exactly, for who mends it. Never anything secret: it goes to the client. */
  readonly detail?: string;
  /** When to come back. */
  readonly retryMs?: number;
  /** What a status demands, such as `Allow`. */
  readonly headers?: Readonly<Record<string, string>>;
}

export const refusal = (
  status: number,
  error: ErrorKind,
  detail?: string,
  headers?: Readonly<Record<string, string>>,
): Refusal => ({ status, error, ...(detail !== undefined && { detail }), ...(headers && { headers }) });

/** After how long somebody should try again for whom there is no pod: one or two rounds of health checks. */
const NO_POD_RETRY_MS = 2_000;

export const noPod = (): Refusal => ({ status: 503, error: errors.POD_NONE, retryMs: NO_POD_RETRY_MS });
