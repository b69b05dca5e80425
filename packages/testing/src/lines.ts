import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** How much of a stream's text is kept. */
export interface LinesOptions {
  /** The newest lines kept; older ones are dropped and counted. Default 1,000. */
  linesMax?: number;
  /** Characters kept of one line; the rest of it is dropped and "…" ends it. Default 16,384. */
  lineCharsMax?: number;
}

/** The newest lines of a readable stream, in bounded memory. */
export class Lines {
  /** The newest lines, oldest first, without their line ends. */
  readonly kept: string[] = [];
  /** How many lines were seen, with those dropped since. */
  seen = 0;
  #partial = '';
  readonly #linesMax: number;
  readonly #lineCharsMax: number;
  readonly #listeners = new Set<(line: string) => void>();

  constructor(stream: Readable, options: LinesOptions = {}) {
    this.#linesMax = options.linesMax ?? 1000;
    this.#lineCharsMax = options.lineCharsMax ?? 16_384;
    const decoder = new StringDecoder('utf8');
    stream.on('data', (chunk: Buffer) => this.#take(decoder.write(chunk)));
    stream.on('end', () => {
      this.#take(decoder.end());
      if (this.#partial !== '') this.#finishLine();
    });
  }

  /** Calls back with every line from now on; returns the function that ends it. */
  listen(listener: (line: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The kept lines as one text, for a failure's message. */
  toString(): string {
    const dropped = this.seen - this.kept.length;
    return [...(dropped > 0 ? [`(${dropped} earlier lines dropped)`] : []), ...this.kept].join('\n');
  }

  #take(text: string): void {
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.#append(text.slice(start, end));
      this.#finishLine();
      start = end + 1;
    }
    this.#append(text.slice(start));
  }

  #append(text: string): void {
    // One character beyond the bound is kept, as the sign that the line was too long.
    this.#partial += text.slice(0, this.#lineCharsMax + 1 - this.#partial.length);
  }

  #finishLine(): void {
    const whole = this.#partial.endsWith('\r') ? this.#partial.slice(0, -1) : this.#partial;
    const line = whole.length > this.#lineCharsMax ? `${whole.slice(0, this.#lineCharsMax)}…` : whole;
    this.#partial = '';
    this.seen++;
    this.kept.push(line);
    if (this.kept.length > this.#linesMax) this.kept.shift();
    for (const listener of this.#listeners) listener(line);
  }
}
