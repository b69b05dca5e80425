import { OPCODE } from '../websocket/frame-header.js';

/** A close frame as a client sends it. The mask is zero: there is nothing in it that somebody else has chosen. */
export function maskedCloseFrame(code: number): Buffer {
  const frame = Buffer.alloc(8);
  frame[0] = 0x80 | OPCODE.close;
  frame[1] = 0x80 | 2;
  frame.writeUInt16BE(code, 6);
  return frame;
}
