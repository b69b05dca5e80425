import { errors, HoldfastError, type ErrorKind } from '@holdfast/protocol';
import type { FoundPod } from '../pool/index.js';
import { PODS_MAX, type Finder } from './discovery.js';

/** Between a source and whoever listens: tells the same trouble only once in a row, bounds the pods, and is silent after `close`. */
export class Reporter {
  readonly #finder: Finder;
  readonly #source: string;
  #trouble = '';
  #isClosed = false;

  /** `source` is named in every trouble, as `dns web.example`. */
  constructor(finder: Finder, source: string) {
    this.#finder = finder;
    this.#source = source;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(): void {
    this.#isClosed = true;
  }

  found(pods: readonly FoundPod[]): void {
    if (this.#isClosed) return;
    if (pods.length > PODS_MAX) this.troubled(errors.POD_COUNT, `${pods.length} pods, the first ${PODS_MAX} are used`);
    else this.#trouble = '';
    this.#finder.found(pods.slice(0, PODS_MAX));
  }

  troubled(kind: ErrorKind, detail: string, cause?: unknown): void {
    if (this.#isClosed || this.#trouble === detail) return;
    this.#trouble = detail;
    this.#finder.troubled(new HoldfastError(kind, `${this.#source}: ${detail}`, { cause }));
  }
}

/** One line, whatever was thrown: libraries put whole answers into messages. */
export function messageOf(error: unknown): string {
  const { message } = Object(error) as { message?: unknown };
  const text = typeof message === 'string' ? message : String(error);
  return (text.split('\n', 1)[0] as string).slice(0, 200);
}
