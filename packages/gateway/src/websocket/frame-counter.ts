import { closeCodeAt, FrameHeader, HEADER_BYTES_MAX, OPCODE } from './frame-header.js';

const header = new FrameHeader(true);

/** Reads along with what a client sends: counts messages, sees the close frame, and finds what must not be passed on. */
export class FrameCounter {
  messages = 0;
  /** The code of the client's close frame, once it has been seen. */
  closeCode: number | undefined;
  /** Why no more may be passed. */
  fault: 'not websocket' | 'too large' | undefined;
  readonly #messageBytesMax: number;
  /** Payload still to come of the frame that is being passed. */
  #restBytes = 0;
  #messageBytes = 0;
  /** The beginning of a header, or of a close frame. */
  #held: Buffer | undefined;

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax;
  }

  push(chunk: Buffer): void {
    if (this.fault !== undefined || this.closeCode !== undefined) return;
    let at = this.#restBytes;
    if (at >= chunk.length) {
      this.#restBytes -= chunk.length;
      return;
    }
    this.#restBytes = 0;
    let bytes = chunk;
    if (this.#held !== undefined) {
      bytes = Buffer.concat([this.#held, chunk]);
      this.#held = undefined;
      at = 0;
    }
    this.#walk(bytes, at);
  }

  #walk(bytes: Buffer, begin: number): void {
    let at = begin;
    while (at < bytes.length) {
      const verdict = header.read(bytes, at);
      if (verdict === 'invalid') return void (this.fault = 'not websocket');
      const payload = at + header.headerBytes;
      const isClose = verdict === 'whole' && header.opcode === OPCODE.close;
      if (verdict === 'partial' || (isClose && payload + Math.min(2, header.payloadBytes) > bytes.length)) {
        this.#held = Buffer.from(bytes.subarray(at, at + HEADER_BYTES_MAX + 2));
        return;
      }
      if (isClose) return void (this.closeCode = closeCodeAt(bytes, payload, header.payloadBytes, payload - 4));
      if (!header.isControl && !this.#count()) return;
      at = payload + header.payloadBytes;
    }
    this.#restBytes = at - bytes.length;
  }

  #count(): boolean {
    this.#messageBytes += header.payloadBytes;
    if (this.#messageBytes > this.#messageBytesMax) {
      this.fault = 'too large';
      return false;
    }
    if (header.isFinal) {
      this.messages++;
      this.#messageBytes = 0;
    }
    return true;
  }
}
