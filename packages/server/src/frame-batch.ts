/** A payload of this size or more is written as it is; smaller ones are copied behind each other. */
const LARGE_BYTES = 32_768;

const FIN = 0x80;
const TEXT = 1;
const BINARY = 2;

interface Message {
  readonly data: string | Uint8Array;
  readonly opcode: number;
  readonly bytes: number;
}

/**
 * Gathers the messages of one turn into one write. A server's frames are unmasked and, without an extension, whole (RFC 6455,
 * section 5.2), so that a frame is two to ten bytes before the payload. One write for all of them, instead of two for each, is
 * most of what sending costs.
 */
export class FrameBatch {
  #messages: Message[] = [];
  #bytes = 0;

  /** Bytes gathered, with the frames' own. */
  get bytes(): number {
    return this.#bytes;
  }

  add(data: string | Uint8Array, binary: boolean): void {
    const bytes = typeof data === 'string' ? Buffer.byteLength(data) : data.length;
    this.#messages.push({ data, opcode: binary ? BINARY : TEXT, bytes });
    this.#bytes += headerLength(bytes) + bytes;
  }

  /** What is to be written, in order. The batch is empty then. */
  take(): Buffer[] {
    const messages = this.#messages;
    const large = messages.filter(({ bytes }) => bytes >= LARGE_BYTES);
    const chunks: Buffer[] = [];
    let chunk = Buffer.allocUnsafe(this.#bytes - large.reduce((sum, { bytes }) => sum + bytes, 0));
    let at = 0;
    for (const { data, opcode, bytes } of messages) {
      at = writeHeader(chunk, at, opcode, bytes);
      if (bytes < LARGE_BYTES) {
        at = writePayload(chunk, at, data);
        continue;
      }
      chunks.push(chunk.subarray(0, at), typeof data === 'string' ? Buffer.from(data) : asBuffer(data));
      chunk = chunk.subarray(at);
      at = 0;
    }
    if (at > 0) chunks.push(chunk);
    this.#messages = [];
    this.#bytes = 0;
    return chunks;
  }
}

const headerLength = (bytes: number): number => (bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10);

function writeHeader(chunk: Buffer, start: number, opcode: number, bytes: number): number {
  let at = start;
  chunk[at++] = FIN | opcode;
  if (bytes < 126) {
    chunk[at++] = bytes;
    return at;
  }
  if (bytes < 65_536) {
    chunk[at++] = 126;
    return chunk.writeUInt16BE(bytes, at);
  }
  chunk[at++] = 127;
  return chunk.writeBigUInt64BE(BigInt(bytes), at);
}

function writePayload(chunk: Buffer, at: number, data: string | Uint8Array): number {
  if (typeof data === 'string') return at + chunk.write(data, at);
  chunk.set(data, at);
  return at + data.length;
}

const asBuffer = (data: Uint8Array): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
