import { LIMITS } from '@holdfast/protocol';
import { closeCodeAt, FrameHeader, mayClose, OPCODE } from '../../websocket/frame-header.js';

/** What a {@link ClientStream} finds, in the order of the bytes. Buffers are good until the call returns. */
export interface ClientListener {
  /** For the pod that the client talks to. */
  pass(bytes: Buffer): void;
  /** What is said before the first frame that is awaited: for the pod before, if it is there. */
  stray(bytes: Buffer): void;
  /** The first frame that was awaited; from its beginning on all is passed. `text` is the whole message, unless it is too large for one. */
  first(text: string): void;
  /** An in-band ping among the strays. */
  ping(stamp: string): void;
}

/** The largest first frame that is read. */
const FIRST_BYTES = LIMITS.handshakeBytes + 16;

/**
 * Reads what a client of holdfast.v1 says. As a rule all of it is passed as it comes, and only counted; while a first frame is awaited,
 * what comes before that is told apart.
 */
export class ClientStream {
  messages = 0;
  /** The code of the client's close frame, once it has been seen. */
  closeCode: number | undefined;
  /** Why no more may be passed. */
  fault: 'not websocket' | 'too large' | undefined;
  readonly #listener: ClientListener;
  readonly #messageBytesMax: number;
  readonly #header = new FrameHeader(true);
  #isSifting = true;
  /** Nothing has come yet: whatever comes is for the pod. */
  #isFresh = true;
  #isInMessage = false;
  #messageBytes = 0;
  /** Payload still to come of a frame that has been handed on in part. */
  #restBytes = 0;
  /** The beginning of a frame, and how much of it has been handed on already. */
  #held: Buffer | undefined;
  #heldHandedBytes = 0;

  constructor(listener: ClientListener, messageBytesMax: number) {
    this.#listener = listener;
    this.#messageBytesMax = messageBytesMax;
  }

  /** From now on a first frame is awaited: `again` has been said. */
  sift(): void {
    this.#isSifting = true;
  }

  push(chunk: Buffer): void {
    if (this.fault !== undefined || this.closeCode !== undefined) return;
    let bytes = chunk;
    let begin = 0;
    if (this.#held !== undefined) {
      bytes = Buffer.concat([this.#held, chunk]);
      begin = this.#heldHandedBytes;
      this.#held = undefined;
    }
    const at = Math.min(this.#restBytes, bytes.length);
    this.#restBytes -= at;
    this.#walk(bytes, begin, at);
  }

  /** `begin` is what has not been handed on, `from` where a frame begins. */
  #walk(bytes: Buffer, begin: number, from: number): void {
    const header = this.#header;
    let handed = begin;
    let at = from;
    while (at < bytes.length) {
      const verdict = header.read(bytes, at);
      if (verdict === 'invalid' || (header.first & 0x70) !== 0) return void (this.fault = 'not websocket');
      const payload = at + header.headerBytes;
      const end = payload + header.payloadBytes;
      if (verdict === 'partial' || (end > bytes.length && this.#isToBeWhole)) return this.#hold(bytes, handed, at);
      if (header.opcode === OPCODE.close) {
        const code = closeCodeAt(bytes, payload, header.payloadBytes, payload - 4);
        if (!mayClose(code, header.payloadBytes)) return void (this.fault = 'not websocket');
        this.closeCode = code;
        return this.#hand(bytes, handed, end);
      }
      if (!header.isControl) {
        // What has gone to the pod before in part is not what the next one waits for.
        if (this.#isSifting && !this.#isInMessage && handed <= at && this.#isFirst(bytes, payload, end)) {
          this.#hand(bytes, handed, at);
          handed = at;
          this.#isSifting = false;
          this.#isFresh = false;
          this.#listener.first(unmasked(bytes, payload, Math.min(end, bytes.length)));
        }
        if (!this.#count()) return;
      }
      at = end;
    }
    if (at > bytes.length) this.#restBytes = at - bytes.length;
    this.#hand(bytes, handed, bytes.length);
  }

  /** Whether the frame whose header has been read is of no use in part. */
  get #isToBeWhole(): boolean {
    const { opcode, payloadBytes } = this.#header;
    if (opcode === OPCODE.close) return true;
    return this.#isSifting && !this.#isInMessage && opcode === OPCODE.text && payloadBytes <= FIRST_BYTES;
  }

  #isFirst(bytes: Buffer, payload: number, end: number): boolean {
    if (this.#isFresh) return true;
    if (this.#header.opcode !== OPCODE.text) return false;
    const text = unmasked(bytes, payload, Math.min(end, payload + PING_BYTES, bytes.length));
    if (FIRST.test(text)) return true;
    const ping = PING.exec(text);
    if (ping) this.#listener.ping(ping[1] as string);
    return false;
  }

  #count(): boolean {
    const { payloadBytes, isFinal } = this.#header;
    this.#messageBytes += payloadBytes;
    this.#isInMessage = !isFinal;
    if (this.#messageBytes > this.#messageBytesMax) {
      this.fault = 'too large';
      return false;
    }
    if (!isFinal) return true;
    this.messages++;
    this.#messageBytes = 0;
    return true;
  }

  #hand(bytes: Buffer, begin: number, end: number): void {
    if (end <= begin) return;
    const piece = begin === 0 && end === bytes.length ? bytes : bytes.subarray(begin, end);
    if (this.#isSifting) this.#listener.stray(piece);
    else this.#listener.pass(piece);
  }

  /** The frame at `at` is not all there. Unless it may be the one that is awaited, it is handed on all the same. */
  #hold(bytes: Buffer, handed: number, at: number): void {
    const until = this.#isSifting ? at : bytes.length;
    this.#hand(bytes, handed, until);
    this.#held = Buffer.from(bytes.subarray(at));
    this.#heldHandedBytes = Math.max(handed, until) - at;
  }
}

const FIRST = /^(?:hello|resume)\n/;
const PING = /^ping (\d{1,16}) \d{1,16}\n$/;
/** The longest `ping` there can be. */
const PING_BYTES = 40;

/** What a masked payload says; the key stands before it. */
function unmasked(bytes: Buffer, payload: number, end: number): string {
  const copy = Buffer.from(bytes.subarray(payload, end));
  for (let i = 0; i < copy.length; i++) copy[i] = (copy[i] as number) ^ (bytes[payload - 4 + (i & 3)] as number);
  return copy.toString();
}
