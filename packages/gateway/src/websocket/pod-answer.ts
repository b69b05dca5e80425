/** The headers of a 101, as far as they are asked for: those that come twice are joined. */
export interface SwitchHeaders {
  /** Name, value, name, value, in the order and the spelling in which they came. */
  readonly rawHeaders: readonly string[];
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** What a pod has answered to a handshake so far. */
export type PodAnswer =
  | { readonly kind: 'more' }
  /** A 101; `rest` is what came behind it. */
  | { readonly kind: 'switched'; readonly head: SwitchHeaders; readonly rest: Buffer }
  /** Another status, or something else altogether, beginning with `bytes`. */
  | { readonly kind: 'other'; readonly bytes: Buffer }
  | { readonly kind: 'invalid' };

const STATUS = /^HTTP\/1\.1 1\d\d(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const SWITCHING = /^HTTP\/1\.1 101(?: |$)/;
/** As many characters as tell an answer that begins with 1 from any other. */
const INFORMATIONAL = 'HTTP/1.1 1';
/** Spaces around the value are left to {@link trimmed}: to match them here would take a time that grows with their square. */
const HEADER = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)$/;
const END = '\r\n\r\n';

/**
 * Reads a pod's 101, which every WebSocket needs; any other answer is left to Node's own parser, with which a new connection would cost half as much
 * again. Answers that only inform (100, 103) are passed over.
 */
export class PodAnswerReader {
  readonly #headerBytesMax: number;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(headerBytesMax: number) {
    this.#headerBytesMax = headerBytesMax;
  }

  push(chunk: Buffer): PodAnswer {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    for (;;) {
      const bytes = this.#bytes;
      const begin = bytes.toString('latin1', 0, INFORMATIONAL.length);
      if (!INFORMATIONAL.startsWith(begin)) return { kind: 'other', bytes };
      const end = bytes.indexOf(END, 0, 'latin1');
      if ((end < 0 ? bytes.length : end) > this.#headerBytesMax) return { kind: 'invalid' };
      if (end < 0) return { kind: 'more' };
      const [status = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
      if (!STATUS.test(status)) return { kind: 'invalid' };
      const rest = bytes.subarray(end + END.length);
      if (SWITCHING.test(status)) {
        const head = headersOf(lines);
        return head ? { kind: 'switched', head, rest } : { kind: 'invalid' };
      }
      this.#bytes = rest;
    }
  }
}

/** Nothing when a line is no header: the folded lines of old, spaces before the colon, control characters. */
function headersOf(lines: readonly string[]): SwitchHeaders | undefined {
  const rawHeaders: string[] = [];
  // Without a prototype: any name may come.
  const headers = Object.create(null) as Record<string, string | undefined>;
  for (const line of lines) {
    const found = HEADER.exec(line);
    if (!found) return undefined;
    const [, name = ''] = found;
    const value = trimmed(found[2] ?? '');
    rawHeaders.push(name, value);
    const lower = name.toLowerCase();
    const before = headers[lower];
    headers[lower] = before === undefined ? value : `${before}, ${value}`;
  }
  return { rawHeaders, headers };
}

/** Without the spaces and tabs around it; `trim` would take more, such as a byte that is part of a character. */
function trimmed(value: string): string {
  let begin = 0;
  let end = value.length;
  while (begin < end && isSpace(value, begin)) begin++;
  while (end > begin && isSpace(value, end - 1)) end--;
  return value.slice(begin, end);
}

const isSpace = (value: string, at: number): boolean => value[at] === ' ' || value[at] === '\t';
