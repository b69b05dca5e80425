/** Opcodes of RFC 6455. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** The longest header: two bytes, a 64-bit length and a mask. */
export const HEADER_BYTES_MAX = 14;

/** The longest payload of a control frame. */
export const CONTROL_BYTES_MAX = 125;

/** What {@link FrameHeader.read} found. */
export type HeaderVerdict = 'whole' | 'partial' | 'invalid';

/**
 * The header of one frame, read in place: it says what {@link FrameHeader.read} last found. It remembers nothing of a connection, so
 * a reader that calls nobody while it walks shares one among all of its connections, and finds it in the processor's cache.
 */
export class FrameHeader {
  first = 0;
  headerBytes = 0;
  payloadBytes = 0;
  readonly #masked: boolean;

  /** `masked` as the frames of this direction must be: a client's are, a server's are not. */
  constructor(masked: boolean) {
    this.#masked = masked;
  }

  get opcode(): number {
    return this.first & 0x0f;
  }

  get isControl(): boolean {
    return (this.first & 0x08) !== 0;
  }

  get isFinal(): boolean {
    return (this.first & 0x80) !== 0;
  }

  /** Reads the header at `at`; `partial` when not all of it is there. */
  read(bytes: Buffer, at: number): HeaderVerdict {
    const available = bytes.length - at;
    if (available < 2) return 'partial';
    const first = bytes[at] as number;
    const second = bytes[at + 1] as number;
    const opcode = first & 0x0f;
    // The first test is the common case: a data frame, and of it nothing is unusual.
    if (opcode > 2 && !isValidControl(first, second)) return 'invalid';
    // Only the first extension bit has a meaning here: permessage-deflate, the one extension that is let through.
    if ((first & 0x30) !== 0 || second >= 0x80 !== this.#masked) return 'invalid';
    this.first = first;
    const mask = this.#masked ? 4 : 0;
    const short = second & 0x7f;
    if (short < 126) {
      this.headerBytes = 2 + mask;
      this.payloadBytes = short;
    } else if (short === 126) {
      this.headerBytes = 4 + mask;
      if (available < 4) return 'partial';
      this.payloadBytes = bytes.readUInt16BE(at + 2);
    } else {
      this.headerBytes = 10 + mask;
      if (available < 10) return 'partial';
      const high = bytes.readUInt32BE(at + 2);
      // 2^53 bytes and more are no message.
      if (high >= 0x20_0000) return 'invalid';
      this.payloadBytes = high * 0x1_0000_0000 + bytes.readUInt32BE(at + 6);
    }
    return available < this.headerBytes ? 'partial' : 'whole';
  }
}

const isValidControl = (first: number, second: number): boolean => {
  const opcode = first & 0x0f;
  return (
    opcode >= OPCODE.close && opcode <= OPCODE.pong && (first & 0xf0) === 0x80 && (second & 0x7f) <= CONTROL_BYTES_MAX
  );
};

/** How long the header of an unmasked frame with this payload is. */
export const headerBytesFor = (payloadBytes: number): number =>
  payloadBytes < 126 ? 2 : payloadBytes < 0x1_0000 ? 4 : 10;

/** Writes the header of an unmasked frame at `at`; returns where the payload begins. */
export function writeHeader(into: Buffer, at: number, first: number, payloadBytes: number): number {
  into[at] = first;
  if (payloadBytes < 126) {
    into[at + 1] = payloadBytes;
    return at + 2;
  }
  if (payloadBytes < 0x1_0000) {
    into[at + 1] = 126;
    return into.writeUInt16BE(payloadBytes, at + 2);
  }
  into[at + 1] = 127;
  into.writeUInt32BE(Math.floor(payloadBytes / 0x1_0000_0000), at + 2);
  return into.writeUInt32BE(payloadBytes % 0x1_0000_0000, at + 6);
}

/** Stands for a close frame without a code (RFC 6455, section 7.1.5). */
export const NO_CODE = 1005;

/** A close frame as a server sends it; for 1005 one without a code. The reason is cut to what a control frame holds, at a character. */
export function closeFrame(code: number, reason = ''): Buffer {
  if (code === NO_CODE) return Buffer.from([0x80 | OPCODE.close, 0]);
  let text = Buffer.from(reason);
  if (text.length > CONTROL_BYTES_MAX - 2) {
    let end = CONTROL_BYTES_MAX - 2;
    while (((text[end] as number) & 0xc0) === 0x80) end--;
    text = text.subarray(0, end);
  }
  const frame = Buffer.allocUnsafe(4 + text.length);
  const at = writeHeader(frame, 0, 0x80 | OPCODE.close, 2 + text.length);
  frame.writeUInt16BE(code, at);
  text.copy(frame, at + 2);
  return frame;
}

/** Whether a close frame with this code and so much payload may be sent (RFC 6455, sections 5.5.1 and 7.4). */
export function mayClose(code: number, payloadBytes: number): boolean {
  if (payloadBytes < 2) return payloadBytes === 0;
  return (code >= 1000 && code <= 1014 && !UNSENT.has(code)) || (code >= 3000 && code <= 4999);
}

const UNSENT = new Set([1004, NO_CODE, 1006]);

/** The code in the payload of a close frame at `at`; 1005 when there is none. `mask` is where the masking key is, if it is masked. */
export function closeCodeAt(bytes: Buffer, at: number, payloadBytes: number, mask?: number): number {
  if (payloadBytes < 2) return NO_CODE;
  const code = bytes.readUInt16BE(at);
  return mask === undefined ? code : code ^ bytes.readUInt16BE(mask);
}
