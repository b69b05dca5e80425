import { NO_CODE, OPCODE } from '../websocket/frame-header.js';

/** A control frame as a client sends it. The mask is zero: there is nothing in it that somebody else has chosen. */
export function maskedControl(opcode: number, payload: Buffer): Buffer {
  const frame = Buffer.alloc(6 + payload.length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | payload.length;
  payload.copy(frame, 6);
  return frame;
}

/** For 1005 one without a code. */
export function maskedClose(code: number): Buffer {
  if (code === NO_CODE) return maskedControl(OPCODE.close, Buffer.alloc(0));
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return maskedControl(OPCODE.close, payload);
}
