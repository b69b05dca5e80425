import { connect, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ignore } from '../ignore.js';

/** What every wire is read into: as much as Node itself reads at once. Copied at once, so that all can share it. */
const READ_BUFFER = Buffer.allocUnsafeSlow(65_536);

type Take = (chunk: Buffer) => void;

/**
 * A connection whose bytes are handed over as they are read. Through a stream every read costs a buffer of 64 KiB, which is cut to its size
 * afterwards: a quarter of a relay's own time for a small message (ARCHITECTURE.md, "Both ends of a WebSocket are read without a stream").
 */
export interface Wire<S extends Duplex = Duplex> {
  /** All else: writing, pausing, and how it ends. */
  readonly socket: S;
  /**
   * Who gets what comes from now on, instead of who got it before. The bytes are theirs to keep. What came before there was anybody is kept up to
   * 64 KiB; with more the socket is paused.
   */
  readonly receive: (take: Take) => void;
}

/** Connects. */
export function dialWire(host: string, port: number): Wire<Socket> {
  const reader = new Reader();
  const socket = connect({ host, port, noDelay: true, onread: reader.onread });
  return reader.of(socket);
}

/**
 * Takes a connection over on which nothing waits to be read. Only the reading of one that came through a server can be had as a stream and in no
 * other way, so its handle is given to another socket, and the one that it had is destroyed without it. Where that cannot be, as with TLS, it is
 * read as the stream that it is.
 */
export function takeWire(socket: Duplex): Wire {
  const held = socket as unknown as { _handle?: Handle | null };
  const handle = held._handle;
  const isPlain = Object.getPrototypeOf(socket) === Socket.prototype;
  const reader = new Reader();
  if (!isPlain || typeof handle?.readStop !== 'function' || socket.readableLength > 0) {
    socket.on('data', (chunk: Buffer) => reader.read(chunk));
    return reader.of(socket);
  }
  handle.readStop();
  handle.reading = false;
  const fresh = new Socket({ handle, allowHalfOpen: true, manualStart: true, onread: reader.onread } as object);
  fresh.on('error', ignore);
  held._handle = null;
  socket.destroy();
  fresh.resume();
  return reader.of(fresh);
}

/** What Node has under a socket, as far as it is needed. */
interface Handle {
  reading: boolean;
  readStop(): void;
}

class Reader {
  #socket: Duplex | undefined;
  #take: Take | undefined;
  /** What came before there was somebody to take it. */
  #early: Buffer[] = [];
  #earlyBytes = 0;

  readonly onread = {
    buffer: READ_BUFFER,
    callback: (count: number, buffer: Uint8Array): boolean => {
      const chunk = Buffer.allocUnsafe(count);
      chunk.set(count === buffer.length ? buffer : buffer.subarray(0, count));
      this.read(chunk);
      // Whoever wants no more says so by pausing the socket.
      return true;
    },
  };

  of<S extends Duplex>(socket: S): Wire<S> {
    this.#socket = socket;
    return { socket, receive: (take) => this.#receive(take) };
  }

  read(chunk: Buffer): void {
    if (this.#take) return this.#take(chunk);
    // Within a bound, for as long as it reads on it also sees that the other side has gone.
    this.#early.push(chunk);
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes >= READ_BUFFER.length) this.#socket?.pause();
    return undefined;
  }

  #receive(take: Take): void {
    this.#take = take;
    const early = this.#early;
    if (early.length === 0) return;
    this.#early = [];
    // Behind what the caller still has to pass, and before anything else is read.
    process.nextTick(() => this.#take?.(Buffer.concat(early)));
  }
}
