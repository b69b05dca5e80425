import type { Payload } from '@holdfast/protocol';

interface Waiting {
  readonly bytes: number;
  payload: Payload | undefined;
}

/** Messages that wait for a Blob to be read: the Blob itself, and all that was sent after it, so that the order is kept. */
export class BlobQueue {
  readonly #deliver: (payload: Payload) => void;
  readonly #failed: (cause: unknown) => void;
  readonly #waiting: Waiting[] = [];
  #bytes = 0;

  /** `deliver` gets each message in its turn; `failed` is told of a Blob that cannot be read, and the queue stands still. */
  constructor(deliver: (payload: Payload) => void, failed: (cause: unknown) => void) {
    this.#deliver = deliver;
    this.#failed = failed;
  }

  get length(): number {
    return this.#waiting.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(message: Payload | Blob, bytes: number): void {
    const waiting: Waiting = { bytes, payload: undefined };
    this.#waiting.push(waiting);
    this.#bytes += bytes;
    if ('binary' in message) {
      waiting.payload = message;
      return;
    }
    message.arrayBuffer().then(
      (buffer) => {
        waiting.payload = { data: new Uint8Array(buffer), binary: true };
        this.#flush();
      },
      (cause: unknown) => this.#failed(cause),
    );
  }

  #flush(): void {
    for (let first = this.#waiting[0]; first?.payload; first = this.#waiting[0]) {
      this.#waiting.shift();
      this.#bytes -= first.bytes;
      this.#deliver(first.payload);
    }
  }
}
