import { closeCodeAt, FrameHeader, HEADER_BYTES_MAX, mayClose, OPCODE } from '../../websocket/frame-header.js';

/** What a {@link ClientMessages} finds. Buffers may be parts of a larger one. */
export interface MessageListener {
  /** A whole message, as its frames came. `text` reads it, if it is text. */
  message(frames: Buffer, text: (() => string) | undefined): void;
  ping(payload: Buffer): void;
  pong(): void;
  /** The client closes, with this frame; nothing follows. */
  close(code: number, frame: Buffer): void;
}

/** Cuts what a client sends into messages, masked as they came. Half a message is of no use to any pod, so none is handed on. */
export class ClientMessages {
  /** Why no more is taken. */
  fault: 'not websocket' | 'too large' | undefined;
  readonly #listener: MessageListener;
  readonly #header = new FrameHeader(true);
  readonly #messageBytesMax: number;
  #isOver = false;
  /** The frames before of a message in several; its payloads so far. */
  #parts: Buffer[] = [];
  #partsBytes = 0;
  #isText = false;
  /** What has come of a frame. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** How much has to be there before it is worth another look. */
  #neededBytes = 0;

  constructor(listener: MessageListener, messageBytesMax: number) {
    this.#listener = listener;
    this.#messageBytesMax = messageBytesMax;
  }

  push(chunk: Buffer): void {
    if (this.fault !== undefined || this.#isOver) return;
    if (this.#heldBytes === 0) return this.#walk(chunk);
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes < this.#neededBytes) return;
    const bytes = Buffer.concat(this.#held, this.#heldBytes);
    this.#held = [];
    this.#heldBytes = 0;
    this.#walk(bytes);
  }

  #walk(bytes: Buffer): void {
    const header = this.#header;
    let at = 0;
    while (at < bytes.length && !this.#isOver) {
      const verdict = header.read(bytes, at);
      // No extension was agreed to.
      if (verdict === 'invalid' || (header.first & 0x70) !== 0) return void (this.fault = 'not websocket');
      if (verdict === 'partial') return this.#hold(bytes, at, at + HEADER_BYTES_MAX);
      const payload = at + header.headerBytes;
      const end = payload + header.payloadBytes;
      if (this.#partsBytes + header.payloadBytes > this.#messageBytesMax) return void (this.fault = 'too large');
      if (end > bytes.length) return this.#hold(bytes, at, end);
      const frame = bytes.subarray(at, end);
      if (header.isControl) this.#control(frame, header.headerBytes);
      else if (!this.#data(frame, header.headerBytes)) return void (this.fault = 'not websocket');
      at = end;
    }
  }

  /** The header may be shorter than the longest, so for one that is not whole every chunk is worth a look. */
  #hold(bytes: Buffer, at: number, end: number): void {
    this.#held = [Buffer.from(bytes.subarray(at))];
    this.#heldBytes = bytes.length - at;
    this.#neededBytes = end - at > HEADER_BYTES_MAX ? end - at : 0;
  }

  #control(frame: Buffer, headerBytes: number): void {
    const { opcode, payloadBytes } = this.#header;
    if (opcode === OPCODE.pong) return this.#listener.pong();
    if (opcode === OPCODE.ping) return this.#listener.ping(unmasked(frame, headerBytes));
    this.#isOver = true;
    const code = closeCodeAt(frame, headerBytes, payloadBytes, headerBytes - 4);
    if (!mayClose(code, payloadBytes)) return void (this.fault = 'not websocket');
    return this.#listener.close(code, frame);
  }

  /** False where a message begins in another, or goes on where none has begun. */
  #data(frame: Buffer, headerBytes: number): boolean {
    const { opcode, isFinal, payloadBytes } = this.#header;
    if ((opcode === OPCODE.continuation) !== this.#parts.length > 0) return false;
    if (opcode !== OPCODE.continuation) this.#isText = opcode === OPCODE.text;
    if (isFinal && this.#parts.length === 0) {
      this.#listener.message(frame, this.#isText ? () => unmasked(frame, headerBytes).toString() : undefined);
      return true;
    }
    this.#parts.push(Buffer.from(frame));
    this.#partsBytes += payloadBytes;
    // Each frame costs memory, however empty.
    if (this.#parts.length > FRAMES_MAX) return false;
    if (!isFinal) return true;
    const parts = this.#parts;
    this.#parts = [];
    this.#partsBytes = 0;
    const text = (): string => Buffer.concat(parts.map((part) => unmasked(part, headerLength(part)))).toString();
    this.#listener.message(Buffer.concat(parts), this.#isText ? text : undefined);
    return true;
  }
}

/** Frames of one message at most. */
const FRAMES_MAX = 65_536;

const headerLength = (frame: Buffer): number => {
  const header = new FrameHeader(true);
  header.read(frame, 0);
  return header.headerBytes;
};

function unmasked(frame: Buffer, headerBytes: number): Buffer {
  const payload = Buffer.from(frame.subarray(headerBytes));
  for (let i = 0; i < payload.length; i++) {
    payload[i] = (payload[i] as number) ^ (frame[headerBytes - 4 + (i & 3)] as number);
  }
  return payload;
}
