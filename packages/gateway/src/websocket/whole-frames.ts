import { closeCodeAt, FrameHeader, headerBytesFor, OPCODE, writeHeader } from './frame-header.js';

const header = new FrameHeader(false);
/** What {@link WholeFrames.push} returns. */
const pieces: Buffer[] = [];

/**
 * Passes the bytes of a server on so that after every piece the client is between two frames, and can be given a close frame at any
 * time. A chunk ends in the middle of a frame whenever a message is larger than what one read holds; the part that is there then
 * goes out as a fragment of its own, and the rest as continuations. Nothing waits for the end of a message and nothing is copied but
 * headers, and control frames that are cut (they may not be fragmented).
 */
export class WholeFrames {
  /** Messages that have been passed on whole. */
  messages = 0;
  /** The code of the server's close frame, once it has passed. */
  closeCode: number | undefined;
  /** What came is not WebSocket; nothing more is passed. */
  broken = false;
  /** Payload still to come of a frame that has been passed in part. */
  #restBytes = 0;
  #restIsFinal = false;
  /** The beginning of a frame that could not be passed yet: at most a control frame. */
  #held: Buffer | undefined;

  /** What is to be written now, in order: one piece as a rule, and none behind a close frame. The list is good until the next call of any. */
  push(chunk: Buffer): readonly Buffer[] {
    pieces.length = 0;
    if (!this.broken && this.closeCode === undefined) this.#read(chunk);
    return pieces;
  }

  #read(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#held !== undefined) {
      bytes = Buffer.concat([this.#held, chunk]);
      this.#held = undefined;
    }
    const begin = this.#restBytes > 0 ? this.#continue(bytes) : 0;
    if (begin < bytes.length) this.#pass(bytes, begin);
  }

  /** Passes what `bytes` has of the frame that is open, as a continuation. Returns where the next frame begins. */
  #continue(bytes: Buffer): number {
    const count = Math.min(this.#restBytes, bytes.length);
    this.#restBytes -= count;
    const isFinal = this.#restBytes === 0 && this.#restIsFinal;
    const own = Buffer.allocUnsafe(headerBytesFor(count));
    writeHeader(own, 0, isFinal ? 0x80 : 0, count);
    pieces.push(own);
    pieces.push(count === bytes.length ? bytes : bytes.subarray(0, count));
    if (isFinal) this.messages++;
    return count;
  }

  #pass(bytes: Buffer, begin: number): void {
    let at = begin;
    while (at < bytes.length) {
      const verdict = header.read(bytes, at);
      if (verdict === 'invalid') {
        this.broken = true;
        break;
      }
      const end = at + header.headerBytes + header.payloadBytes;
      if (verdict === 'partial' || end > bytes.length) return this.#cut(bytes, begin, at, verdict === 'partial');
      if (!header.isControl) {
        if (header.isFinal) this.messages++;
      } else if (header.opcode === OPCODE.close) {
        this.closeCode = closeCodeAt(bytes, at + header.headerBytes, header.payloadBytes);
        // Whatever follows a close frame is not for the client.
        at = end;
        break;
      }
      at = end;
    }
    if (at > begin) pieces.push(begin === 0 && at === bytes.length ? bytes : bytes.subarray(begin, at));
  }

  /** The frame at `at` ends behind the chunk. */
  #cut(bytes: Buffer, begin: number, at: number, headerIsPartial: boolean): void {
    const payload = at + header.headerBytes;
    const count = bytes.length - payload;
    if (headerIsPartial || header.isControl || count <= 0) {
      if (at > begin) pieces.push(bytes.subarray(begin, at));
      this.#held = Buffer.from(bytes.subarray(at));
      return;
    }
    this.#restBytes = header.payloadBytes - count;
    this.#restIsFinal = header.isFinal;
    // A shorter payload never needs a longer header, so it is written over the one that is there.
    const start = payload - headerBytesFor(count);
    writeHeader(bytes, start, header.first & 0x7f, count);
    if (start === at) return void pieces.push(begin === 0 ? bytes : bytes.subarray(begin));
    if (at > begin) pieces.push(bytes.subarray(begin, at));
    pieces.push(bytes.subarray(start));
  }
}
