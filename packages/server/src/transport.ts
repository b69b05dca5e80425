import type { Socket } from 'node:net';
import { WebSocket, type RawData } from 'ws';
import type { Clock } from './clock.js';

/** Above this much unwritten data a transport takes no more until half of it is gone. The rest waits in the log. */
const HIGH_WATER_BYTES = 262_144;

/** What a session needs of the connection that carries it. */
export interface Transport {
  readonly id: number;
  readonly open: boolean;
  readonly bufferedBytes: number;
  /** Takes no more for now; `onWritable` tells when it does again. */
  readonly full: boolean;
  /** When the write that has waited longest was begun; Infinity when none waits. */
  readonly stalledSinceMs: number;
  send(data: string | Uint8Array, binary: boolean): void;
  /** Everything sent between the two goes to the network together. */
  cork(): void;
  uncork(): void;
  close(code: number, reason: string): void;
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
  readonly #socket: Socket;
  readonly #clock: Clock;
  /** At most one write is watched at a time: if it does not end, none does. */
  #watchedMs = Infinity;

  constructor(ws: WebSocket, socket: Socket, clock: Clock) {
    this.#ws = ws;
    this.#socket = socket;
    this.#clock = clock;
    ws.on('message', (data: RawData, binary: boolean) => this.onData(bytesOf(data), binary));
    ws.on('close', (code, reason) => this.onLost(code, reason.toString()));
    // A close event follows every error, and says more.
    ws.on('error', ignore);
  }

  get open(): boolean {
    return this.#ws.readyState === WebSocket.OPEN;
  }

  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  get full(): boolean {
    return this.#ws.bufferedAmount > HIGH_WATER_BYTES;
  }

  get stalledSinceMs(): number {
    return this.#watchedMs;
  }

  send(data: string | Uint8Array, binary: boolean): void {
    if (this.#watchedMs !== Infinity) {
      this.#ws.send(data, { binary });
      return;
    }
    this.#watchedMs = this.#clock.monotonicMs();
    this.#ws.send(data, { binary }, this.#flushed);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  close(code: number, reason: string): void {
    this.onData = ignore;
    this.onLost = ignore;
    this.onWritable = ignore;
    // What is queued and the close frame are written if the network takes them; ws destroys the socket after its own limit.
    this.#ws.close(code, reason);
    if (this.#watchedMs !== Infinity && this.full) this.#ws.terminate();
  }

  terminate(): void {
    this.#ws.terminate();
  }

  #flushed = (error?: Error | null): void => {
    this.#watchedMs = Infinity;
    if (error) return;
    if (this.#ws.bufferedAmount > 0) {
      // More was written behind the one that was watched: watch on, by an empty write of the socket itself.
      this.#watchedMs = this.#clock.monotonicMs();
      this.#socket.write('', this.#flushed);
    }
    if (this.#ws.bufferedAmount <= HIGH_WATER_BYTES / 2) this.onWritable();
  };
}

export function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
