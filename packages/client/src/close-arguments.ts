import { LIMITS, sizeOf } from '@holdfast/protocol';
import { wellFormed } from './payload.js';

/** How a connection is to be closed; code 1005 stands for none. */
export interface CloseArguments {
  readonly code: number;
  readonly reason: string;
}

/** Reads what `close` was called with, as the WHATWG standard says. A reason without a code goes with 1000. */
export function closeArguments(code?: number, reason?: string): CloseArguments {
  const status = code === undefined ? undefined : clamp(code);
  const text = reason === undefined ? '' : wellFormed(`${reason}`);
  if (status !== undefined && status !== 1000 && !(status >= 3000 && status <= 4999)) {
    throw new DOMException(`${code} is neither 1000 nor within 3000 to 4999.`, 'InvalidAccessError');
  }
  if (sizeOf(text) > LIMITS.reasonBytes) throw new DOMException('The reason is too long.', 'SyntaxError');
  return { code: status ?? (text ? 1000 : 1005), reason: text };
}

/** A number as Web IDL makes an `unsigned short` of it where it says `[Clamp]`. */
const clamp = (code: number): number => Math.round(Math.min(Math.max(Number(code), 0), 65_535)) || 0;
