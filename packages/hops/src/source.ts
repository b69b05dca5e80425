import { isUtf8 } from 'node:buffer';

/** A place in a text as a person counts it: both from 1, the column in UTF-16 units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A text with a name, which knows on what line each of its offsets is. */
export class Source {
  /** As it is shown in messages: a path, or `<stdin>`. */
  readonly path: string;
  readonly text: string;
  /** How the text was bytes; `latin1` for what is no UTF-8, so that every byte is kept. */
  readonly encoding: 'utf8' | 'latin1';
  #lineStarts: readonly number[] | undefined;

  constructor(path: string, text: string, encoding: 'utf8' | 'latin1' = 'utf8') {
    this.path = path;
    this.text = text;
    this.encoding = encoding;
  }

  static fromBytes(path: string, bytes: Buffer): Source {
    const encoding = isUtf8(bytes) ? 'utf8' : 'latin1';
    return new Source(path, bytes.toString(encoding), encoding);
  }

  /** Offsets beyond the text count as its end. */
  position(offset: number): Position {
    const starts = (this.#lineStarts ??= lineStarts(this.text));
    const inside = Math.max(0, Math.min(offset, this.text.length));
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= inside) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: inside - (starts[low] ?? 0) + 1 };
  }

  /** The offset at which a line begins, counted from 1; the end of the text for one beyond it. */
  lineStart(line: number): number {
    const starts = (this.#lineStarts ??= lineStarts(this.text));
    return starts[line - 1] ?? this.text.length;
  }

  /** A line without its end. */
  line(number: number): string {
    const line = this.text.slice(this.lineStart(number), this.lineStart(number + 1));
    return line.replace(/\r?\n$/, '');
  }
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}
