import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import type { Wire } from './wire.js';

/** How an answer is read that is no 101. */
export interface OtherAnswer {
  response(response: IncomingMessage): void;
  failed(error: NodeJS.ErrnoException): void;
}

/** Has Node's own parser read the answer of a pod, of which `bytes` have come. What that would send is thrown away: the request has gone out. */
export function readOtherAnswer(pod: Wire, bytes: Buffer, headerBytes: number, listener: OtherAnswer): void {
  const request = httpRequest({
    maxHeaderSize: headerBytes,
    insecureHTTPParser: false,
    // Without an agent, which would make a socket of its own.
    createConnection: () => new Heard(pod, bytes),
  });
  request.once('response', (response) => listener.response(response));
  // Of another HTTP: one of 1.1 would not have come here.
  request.once('upgrade', () => listener.failed(Object.assign(new Error('upgrade'), { code: 'HPE_INVALID_VERSION' })));
  request.on('error', (error) => listener.failed(error));
  request.end();
}

/** What a pod says, from the beginning of its answer. */
class Heard extends Duplex {
  readonly #pod: Wire;

  constructor(pod: Wire, bytes: Buffer) {
    super();
    this.#pod = pod;
    this.push(bytes);
    pod.receive((chunk) => {
      if (!this.push(chunk)) pod.socket.pause();
    });
    let isWhole = false;
    pod.socket.once('end', () => {
      isWhole = true;
      this.push(null);
    });
    // Behind a proper end there may still be something to read.
    pod.socket.once('close', () => {
      if (!isWhole) this.destroy();
    });
  }

  override _read(): void {
    this.#pod.socket.resume();
  }

  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    done();
  }

  /** The answer has been read to its end. */
  override _final(done: () => void): void {
    this.#pod.socket.destroy();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#pod.socket.destroy();
    done(error);
  }
}
