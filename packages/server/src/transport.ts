import type { Duplex } from 'node:stream';
import { WebSocket, type RawData } from 'ws';
import type { Clock } from './clock.js';
import { FrameBatch } from './frame-batch.js';
import { WriteWatch } from './write-watch.js';

/** Above this much unwritten data a transport takes no more until half of it is gone. The rest waits in the log. */
const HIGH_WATER_BYTES = 262_144;

/** What a session needs of the connection that carries it. */
export interface Transport {
  readonly id: number;
  readonly open: boolean;
  readonly bufferedBytes: number;
  /** Takes no more for now; `onWritable` tells when it does again. */
  readonly full: boolean;
  /** Since when the network has taken nothing of what is written; Infinity when nothing is. */
  readonly stalledSinceMs: number;
  /** Takes the message; it goes to the network with the others at the next `flush`. */
  send(data: string | Uint8Array, binary: boolean): void;
  flush(): void;
  close(code: number, reason: string): void;
  /** Calls `exceeded` when more than so many bytes have come, in messages or not, and then reads no more. Returns how to stop. */
  limitBytes?(maxBytes: number, exceeded: () => void): () => void;
  onData: (data: Uint8Array, binary: boolean) => void;
  onLost: (code: number, reason: string) => void;
  onWritable: () => void;
}

const ignore = (): void => {};

let lastId = 0;

/** A `ws` socket as a transport. Closing never waits for the peer: a half-open connection would never answer. */
export class WsTransport implements Transport {
  readonly id = ++lastId;
  onData: (data: Uint8Array, binary: boolean) => void = ignore;
  onLost: (code: number, reason: string) => void = ignore;
  onWritable: () => void = ignore;
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #watch: WriteWatch;
  /** Where no extension has a say in it, the frames are our own. */
  readonly #batch: FrameBatch | undefined;

  constructor(ws: WebSocket, socket: Duplex, clock: Clock) {
    this.#ws = ws;
    this.#socket = socket;
    this.#watch = new WriteWatch(socket, clock);
    if (ws.extensions === '') this.#batch = new FrameBatch();
    ws.on('message', (data: RawData, binary: boolean) => this.onData(bytesOf(data), binary));
    ws.on('close', (code, reason) => this.onLost(code, reason.toString()));
    // A close event follows every error, and says more.
    ws.on('error', ignore);
  }

  get open(): boolean {
    return this.#ws.readyState === WebSocket.OPEN;
  }

  get bufferedBytes(): number {
    return this.#ws.bufferedAmount + (this.#batch?.bytes ?? 0);
  }

  get full(): boolean {
    return this.bufferedBytes > HIGH_WATER_BYTES;
  }

  get stalledSinceMs(): number {
    return this.#watch.sinceMs;
  }

  send(data: string | Uint8Array, binary: boolean): void {
    if (this.#batch) this.#batch.add(data, binary);
    else this.#ws.send(data, { binary }, this.#watched());
  }

  flush(): void {
    if (!this.#batch || this.#batch.bytes === 0) return;
    const chunks = this.#batch.take();
    if (!this.open) return;
    this.#socket.cork();
    for (const chunk of chunks) this.#socket.write(chunk, this.#watched());
    this.#socket.uncork();
  }

  close(code: number, reason: string): void {
    this.onData = ignore;
    this.onLost = ignore;
    this.onWritable = ignore;
    this.flush();
    // What is queued and the close frame are written if the network takes them; ws destroys the socket after its own limit.
    this.#ws.close(code, reason);
    if (this.#watch.active && this.full) this.#ws.terminate();
  }

  limitBytes(maxBytes: number, exceeded: () => void): () => void {
    let bytes = 0;
    const count = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes <= maxBytes) return;
      exceeded();
      this.#ws.pause();
    };
    this.#socket.on('data', count);
    return () => this.#socket.off('data', count);
  }

  /** The callback of a write, unless another one is watched. */
  #watched(): ((error?: Error | null) => void) | undefined {
    if (this.#watch.active) return undefined;
    this.#watch.begin();
    return this.#flushed;
  }

  #flushed = (error?: Error | null): void => {
    this.#watch.end();
    if (error) return;
    // More was written behind the one that was watched: watch on, by an empty write of the socket itself.
    if (this.#ws.bufferedAmount > 0 && this.#socket.writable) this.#socket.write('', this.#watched());
    if (this.bufferedBytes <= HIGH_WATER_BYTES / 2) this.onWritable();
  };
}

export function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
