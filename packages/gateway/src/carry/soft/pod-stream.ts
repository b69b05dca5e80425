import {
  closeCodeAt,
  FrameHeader,
  headerBytesFor,
  mayClose,
  OPCODE,
  writeHeader,
} from '../../websocket/frame-header.js';

/** What a {@link PodStream} finds, in the order of the bytes. Buffers are good until the call returns. */
export interface PodListener {
  /** For the client: frames, whole. */
  pass(bytes: Buffer): void;
  /** The pod has answered a first frame; the answer is passed next. */
  attached(): void;
  /** It wants to be left. Not passed. */
  drain(afterMs: number, withinMs: number): void;
  /** It closes, with this frame. Not passed; nothing follows. */
  close(code: number, frame: Buffer): void;
  /** Pings and pongs. Without such a listener they are passed. */
  control?: ((opcode: number, payload: Buffer) => void) | undefined;
}

/**
 * Messages of up to so many bytes are passed on only when all of them is there: a pod that dies in the middle has then said nothing of it.
 * What is larger goes out as it comes.
 */
const WHOLE_BYTES = 65_536;

/**
 * Reads what a pod says to a session of holdfast.v1, no more of it than must be known to lead the client elsewhere: the headers of
 * frames, and of messages how they begin. There is no compression on such a connection, or it could not.
 */
export class PodStream {
  messages = 0;
  /** What came is not WebSocket; nothing more is passed. */
  broken = false;
  /** The pod does not speak holdfast.v1: nothing that it says is for us. */
  isPlain = false;
  readonly #listener: PodListener;
  readonly #header = new FrameHeader(false);
  /** A message has been passed in part. */
  #isInMessage = false;
  #isOver = false;
  /** Payload still to come of a frame that has been passed in part. */
  #restBytes = 0;
  #restIsFinal = false;
  /** The beginning of a frame that could not be passed yet. */
  #held: Buffer | undefined;

  constructor(listener: PodListener) {
    this.#listener = listener;
  }

  /** Whether what has been passed ends between two messages. */
  get isBetween(): boolean {
    return !this.#isInMessage;
  }

  push(chunk: Buffer): void {
    if (this.broken || this.#isOver) return;
    let bytes = chunk;
    if (this.#held !== undefined) {
      bytes = Buffer.concat([this.#held, chunk]);
      this.#held = undefined;
    }
    const begin = this.#restBytes > 0 ? this.#continue(bytes) : 0;
    if (begin < bytes.length) this.#walk(bytes, begin);
  }

  #walk(bytes: Buffer, from: number): void {
    const header = this.#header;
    /** What lies from here to `at` is for the client. */
    let begin = from;
    let at = from;
    while (at < bytes.length) {
      const verdict = header.read(bytes, at);
      // No extension was agreed to.
      if (verdict === 'invalid' || (header.first & 0x70) !== 0) {
        this.broken = true;
        break;
      }
      const payload = at + header.headerBytes;
      const end = payload + header.payloadBytes;
      if (verdict === 'partial' || end > bytes.length) {
        this.#pass(bytes, begin, at);
        return this.#cut(bytes, at, verdict === 'partial');
      }
      if (header.isControl) {
        if (header.opcode === OPCODE.close) {
          const code = closeCodeAt(bytes, payload, header.payloadBytes);
          if (!mayClose(code, header.payloadBytes)) {
            this.broken = true;
            break;
          }
          this.#pass(bytes, begin, at);
          this.#isOver = true;
          return this.#listener.close(code, bytes.subarray(at, end));
        }
        if (this.#listener.control) {
          this.#pass(bytes, begin, at);
          begin = end;
          this.#listener.control(header.opcode, bytes.subarray(payload, end));
        }
      } else {
        const isFirst = !this.#isInMessage;
        this.#isInMessage = !header.isFinal;
        if (header.isFinal) this.messages++;
        if (isFirst && header.first === WHOLE_TEXT && !this.isPlain && SPECIAL[bytes[payload] as number] === true) {
          this.#pass(bytes, begin, at);
          begin = this.#special(bytes, payload, end) ? end : at;
        }
      }
      at = end;
    }
    this.#pass(bytes, begin, at);
  }

  #pass(bytes: Buffer, begin: number, end: number): void {
    if (end <= begin) return;
    this.#listener.pass(begin === 0 && end === bytes.length ? bytes : bytes.subarray(begin, end));
  }

  /** Looks closer at a message. Returns whether it has been taken. */
  #special(bytes: Buffer, payload: number, end: number): boolean {
    const text = bytes.toString('latin1', payload, Math.min(end, payload + SPECIAL_BYTES));
    const drain = DRAIN.exec(text);
    if (drain) this.#listener.drain(Number(drain[1]), Number(drain[2]));
    else if (ANSWER.test(text)) this.#listener.attached();
    return drain !== null;
  }

  /** The frame at `at` ends behind the chunk. */
  #cut(bytes: Buffer, at: number, isPartial: boolean): void {
    const header = this.#header;
    const payload = at + header.headerBytes;
    const count = bytes.length - payload;
    if (isPartial || header.isControl || header.payloadBytes <= WHOLE_BYTES || count <= 0) {
      this.#held = Buffer.from(bytes.subarray(at));
      return;
    }
    // As a fragment, so that the client is between two frames and can be given a close at any time.
    this.#isInMessage = true;
    this.#restBytes = header.payloadBytes - count;
    this.#restIsFinal = header.isFinal;
    this.#fragment(header.first & 0x0f, bytes.subarray(payload));
  }

  /** Passes what there is of the frame that is open. Returns where the next begins. */
  #continue(bytes: Buffer): number {
    const count = Math.min(this.#restBytes, bytes.length);
    this.#restBytes -= count;
    const isFinal = this.#restBytes === 0 && this.#restIsFinal;
    if (isFinal) this.messages++;
    this.#fragment(isFinal ? 0x80 : 0, bytes.subarray(0, count));
    return count;
  }

  #fragment(first: number, payload: Buffer): void {
    const header = Buffer.allocUnsafe(headerBytesFor(payload.length));
    writeHeader(header, 0, first, payload.length);
    this.#listener.pass(header);
    // Not before: whoever looks at it behind a header must not speak there.
    if ((first & 0x80) !== 0) this.#isInMessage = false;
    this.#listener.pass(payload);
  }
}

const WHOLE_TEXT = 0x80 | OPCODE.text;

const DRAIN = /^drain (\d{1,16}) (\d{1,16})\n$/;
const ANSWER = /^(?:welcome|resumed)\n/;
/** The longest `drain` there can be. */
const SPECIAL_BYTES = 40;
/** How what matters here begins; messages of the application begin with `m`, `t` and `v`. */
const SPECIAL: readonly boolean[] = Array.from({ length: 256 }, (_, byte) => 'dwr'.includes(String.fromCharCode(byte)));
