import { CLOSE } from '@holdfast/protocol';
import { maskedClose } from '../masked.js';
import type { Opened } from '../../websocket/dial.js';
import { PodStream } from './pod-stream.js';

export interface UpstreamListener {
  pass(bytes: Buffer, from: Upstream): void;
  attached(from: Upstream): void;
  drain(afterMs: number, withinMs: number, from: Upstream): void;
  close(code: number, frame: Buffer, from: Upstream): void;
  /** The connection is over, in whatever way, and was not ended by us. */
  lost(from: Upstream): void;
  /** It takes more. */
  drained(from: Upstream): void;
  /** Pings and pongs; without it they are passed. */
  control?(opcode: number, payload: Buffer, from: Upstream): void;
}

/** One pod's end of a session while the gateway holds it. */
export class Upstream {
  readonly open: Opened;
  readonly stream: PodStream;
  /** It has been told to close, or has closed; nothing of it matters any more. */
  isOver = false;
  readonly #listener: UpstreamListener;
  readonly #closeMs: number;
  #isMuted = false;

  constructor(open: Opened, closeMs: number, listener: UpstreamListener) {
    this.open = open;
    this.#closeMs = closeMs;
    this.#listener = listener;
    this.stream = new PodStream({
      pass: (bytes) => listener.pass(bytes, this),
      attached: () => listener.attached(this),
      drain: (afterMs, withinMs) => listener.drain(afterMs, withinMs, this),
      close: (code, frame) => listener.close(code, frame, this),
      control: listener.control && ((opcode, payload) => listener.control?.(opcode, payload, this)),
    });
    const lost = (): void => {
      if (this.isOver) return;
      this.isOver = true;
      open.socket.destroy();
      listener.lost(this);
    };
    open.socket.on('end', lost);
    open.socket.once('close', lost);
  }

  /** Begins to read. */
  start(): void {
    const { receive, socket, head } = this.open;
    receive((chunk) => this.#read(chunk));
    socket.on('drain', () => this.#listener.drained(this));
    if (head.length > 0) this.#read(head);
    socket.resume();
  }

  #read(chunk: Buffer): void {
    if (!this.#isMuted && !this.isOver) this.stream.push(chunk);
  }

  /** Nothing that it says from now on is for the client. */
  mute(): void {
    this.#isMuted = true;
    this.open.socket.resume();
  }

  write(bytes: Buffer): boolean {
    return this.isOver || this.open.socket.writableEnded || this.open.socket.write(bytes);
  }

  /** Another pod has the session. */
  dismiss(): void {
    this.write(maskedClose(CLOSE.moved));
    this.end();
  }

  /** Ends the connection once what was written has gone out, or after a time. */
  end(): void {
    const { socket } = this.open;
    this.isOver = true;
    socket.end();
    socket.resume();
    socket.setTimeout(this.#closeMs, () => socket.destroy());
  }

  destroy(): void {
    this.isOver = true;
    this.open.socket.destroy();
  }
}
