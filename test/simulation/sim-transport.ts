import type { ModelLink } from '@holdfast/protocol/testing';
import type { Transport } from '../../packages/server/src/transport.js';
import type { Host } from './host.js';
import type { Verdict } from './verdict.js';

const ignore = (): void => {};

/** Codes that say that the client has broken the protocol, which it never does. */
const ACCUSATIONS: readonly number[] = [1002, 1007, 1009, 4500];

let lastId = 0;

/** The server's end of a model link, as a pod sees it. */
export class SimTransport implements Transport {
  readonly id = ++lastId;
  onData: (data: Uint8Array, binary: boolean) => void = ignore;
  onLost: (code: number, reason: string) => void = ignore;
  onWritable: () => void = ignore;
  stalledSinceMs = Infinity;
  readonly #link: ModelLink;
  readonly #host: Host;
  readonly #maxWaitingBytes: number;
  readonly #verdict: Verdict;
  #open = true;
  #waiting: { readonly data: string | Uint8Array; readonly binary: boolean }[] = [];

  constructor(link: ModelLink, host: Host, maxWaitingBytes: number, verdict: Verdict) {
    this.#verdict = verdict;
    this.#link = link;
    this.#host = host;
    this.#maxWaitingBytes = maxWaitingBytes;
    link.join('server', {
      data: (data, binary) => host.run(() => this.#open && this.onData(data as Uint8Array, binary)),
      lost: (code, reason) =>
        host.run(() => {
          if (!this.#open) return;
          this.#open = false;
          this.onLost(code, reason);
        }),
    });
  }

  get open(): boolean {
    return this.#open;
  }

  get bufferedBytes(): number {
    return this.#waiting.reduce((sum, { data }) => sum + data.length, 0);
  }

  get full(): boolean {
    return this.stalledSinceMs < Infinity;
  }

  send(data: string | Uint8Array, binary: boolean): void {
    this.#waiting.push({ data, binary });
    if (this.bufferedBytes > this.#maxWaitingBytes) {
      this.#verdict.blame('memory', `${this.bufferedBytes} bytes wait in a transport`);
    }
  }

  flush(): void {
    if (this.full || this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (!this.#open || !this.#host.isAlive) return;
    for (const { data, binary } of waiting) this.#link.send('server', data, binary);
  }

  close(code: number, reason: string): void {
    if (!this.#open) return;
    if (ACCUSATIONS.includes(code) && this.#host.isAlive) this.#verdict.blame('accused by a pod', `${code} ${reason}`);
    this.flush();
    this.#open = false;
    this.onData = ignore;
    this.onLost = ignore;
    this.onWritable = ignore;
    if (this.#host.isAlive) this.#link.close('server', code, reason);
  }

  /** The network takes nothing of what is written. */
  stall(nowMs: number): void {
    if (!this.full) this.stalledSinceMs = nowMs;
  }

  unstall(): void {
    if (!this.full) return;
    this.stalledSinceMs = Infinity;
    this.flush();
    this.onWritable();
  }
}
