import { connect, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ignore } from '../ignore.js';

/** What every wire is read into: as much as Node itself reads at once. Copied at once, so that all can share it. */
const READ_BUFFER = Buffer.allocUnsafeSlow(65_536);

type Take = (chunk: Buffer) => void;

/**
 * A connection whose bytes are handed over as they are read. Through a stream every read costs a buffer of 64 KiB from the system, which is cut to
 * its size afterwards, and three calls more: a fifth of what a relay does for a small message besides the system's own calls.
 */
export interface Wire<S extends Duplex = Duplex> {
  /** All else: writing, pausing, and how it ends. It emits no `data`. */
  readonly socket: S;
  /** Who gets what comes from now on. The bytes are theirs to keep. */
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
  if (!isPlain || typeof handle?.readStop !== 'function' || socket.readableLength > 0) {
    return { socket, receive: (take) => void socket.on('data', take) };
  }
  handle.readStop();
  handle.reading = false;
  const reader = new Reader();
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
  #socket: Socket | undefined;
  #take: Take | undefined;
  /** What came before there was somebody to take it. */
  #early: Buffer[] = [];
  #earlyBytes = 0;

  readonly onread = {
    buffer: READ_BUFFER,
    callback: (count: number, buffer: Uint8Array): boolean => {
      const chunk = Buffer.allocUnsafe(count);
      chunk.set(count === buffer.length ? buffer : buffer.subarray(0, count));
      if (this.#take) this.#take(chunk);
      else this.#keep(chunk);
      // Whoever wants no more says so by pausing the socket.
      return true;
    },
  };

  of<S extends Socket>(socket: S): Wire<S> {
    this.#socket = socket;
    return { socket, receive: (take) => this.#receive(take) };
  }

  /** Within a bound, as long as it reads on it also sees that the other side has gone. */
  #keep(chunk: Buffer): void {
    this.#early.push(chunk);
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes >= READ_BUFFER.length) this.#socket?.pause();
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
