import {
  closeCodeOf,
  closeReason,
  decode,
  errors,
  isFault,
  LIMITS,
  sizeOf,
  type ErrorKind,
  type FrameOf,
} from '@holdfast/protocol';
import type { Clock } from './clock.js';
import type { Transport } from './transport.js';

/** What a stranger may send, whole or not. A message is gathered before it is looked at, and one of a session may be much larger. */
export const GREETING_BYTES = LIMITS.handshakeBytes + LIMITS.headerBytes + 1_024;

export type Greeting = FrameOf<'hello'> | FrameOf<'resume'>;

/**
 * Waits for the first frame of a transport, which must be a greeting, small, and in time. Undefined if it was none: then the
 * transport has been closed with the reason.
 */
export function greeting(transport: Transport, clock: Clock, handshakeMs: number): Promise<Greeting | undefined> {
  return new Promise((resolve) => {
    const over = (result: Greeting | undefined): void => {
      clock.clearTimeout(timer);
      unlimit?.();
      // Nothing more is due from the client until it is answered.
      transport.onData = () => refuse(transport, errors.STATE);
      resolve(result);
    };
    const fail = (error: ErrorKind): void => {
      refuse(transport, error);
      over(undefined);
    };
    const timer = clock.setTimeout(() => fail(errors.HANDSHAKE), handshakeMs);
    const unlimit = transport.limitBytes?.(GREETING_BYTES, () => fail(errors.TOO_LARGE));
    transport.onLost = () => over(undefined);
    transport.onData = (data, binary) => {
      if (sizeOf(data) > LIMITS.handshakeBytes + LIMITS.headerBytes) return fail(errors.TOO_LARGE);
      const frame = decode(data, binary);
      if (isFault(frame)) return fail(frame.fault);
      if (frame.type !== 'hello' && frame.type !== 'resume') return fail(errors.STATE);
      over(frame);
    };
  });
}

export function refuse(transport: Transport, error: ErrorKind, retryMs?: number): void {
  transport.close(closeCodeOf(error), closeReason(error, retryMs));
}
