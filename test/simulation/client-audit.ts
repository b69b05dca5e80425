import type { LogAudit } from './log-audit.js';
import type { Verdict } from './verdict.js';

interface Place {
  /** Behind which offset each stay in the stream began, newest last. */
  readonly starts: number[];
  at: number;
  isFollowed: boolean;
}

/**
 * Watches what one client's application says and hears. Against the log of the store it judges that nothing is missing without a
 * gap that says so, nothing comes twice, nothing out of order.
 */
export class ClientAudit {
  readonly name: string;
  /** Whether its messages go to an asynchronous handler, whose only effects are those of its transaction. */
  readonly isAsync: boolean;
  /** What was accepted for sending, by number; there is none with number 0. */
  readonly commands: string[] = [''];
  readonly #log: LogAudit;
  readonly #places = new Map<string, Place>();
  readonly #counts: number[] = [0];
  #own = '';
  readonly #retained: number;
  readonly #verdict: Verdict;

  constructor(name: string, isAsync: boolean, log: LogAudit, retained: number, verdict: Verdict) {
    this.#verdict = verdict;
    this.name = name;
    this.isAsync = isAsync;
    this.#log = log;
    this.#retained = retained;
  }

  get sent(): number {
    return this.commands.length - 1;
  }

  said(command: string): void {
    this.#counts.push((this.#counts.at(-1) ?? 0) + (command === 'x' ? 0 : 1));
    this.commands.push(command);
  }

  /** How many of the messages up to this one the application counts. */
  countUpTo(watermark: number): number {
    const count = this.#counts[watermark];
    if (count === undefined) this.#verdict.blame('watermark', `${watermark} of ${this.sent} of ${this.name}`);
    return count ?? -1;
  }

  /** The session follows a stream from behind this offset, by the word of the store. */
  begin(stream: string, offset: number): void {
    if (stream.startsWith('s:')) this.#own = stream;
    const place = this.#places.get(stream);
    if (!place) this.#places.set(stream, { starts: [offset], at: -1, isFollowed: true });
    // Made twice, a subscription keeps its place.
    else if (!place.isFollowed) Object.assign(place, { isFollowed: true }).starts.push(offset);
  }

  leave(stream: string): void {
    const place = this.#places.get(stream);
    if (place) place.isFollowed = false;
  }

  heard(topic: string | undefined, text: string): void {
    const stream = this.#streamOf(topic);
    const offset = this.#log.place(stream, text);
    if (offset === undefined) this.#verdict.blame('invented', `${this.name} heard ${text} in ${stream}`);
    else this.#advance(stream, offset, offset, text);
  }

  gap(topic: string, from: number, to: number): void {
    const stream = this.#streamOf(topic);
    if (to > this.#log.end(stream) - this.#retained) {
      this.#verdict.blame('false gap', `${this.name} ${stream} ${from}-${to}, the store has it`);
    }
    this.#advance(stream, from, to, `gap ${from}-${to}`);
  }

  #streamOf(topic: string | undefined): string {
    return topic ? `t:${topic}` : this.#own;
  }

  #advance(stream: string, from: number, to: number, what: string): void {
    const place = this.#places.get(stream);
    if (!place) return this.#verdict.blame('unasked', `${this.name} heard ${what} of ${stream}`);
    const isNext = place.at >= 0 && from === place.at + 1;
    const isFirst = from > place.at && place.starts.includes(from - 1);
    if (!isNext && !isFirst) {
      const kind = from <= place.at ? 'twice or out of order' : 'silent gap';
      this.#verdict.blame(kind, `${this.name} ${stream} ${what}: ${from} behind ${place.at} (${place.starts.join()})`);
    }
    place.at = to;
  }

  /** What the client still lacks of what it follows; undefined when it has everything. */
  get lacks(): string | undefined {
    for (const [stream, { starts, at, isFollowed }] of this.#places) {
      const end = this.#log.end(stream);
      if (isFollowed && Math.max(at, starts.at(-1) as number) < end) return `${stream} at ${at} of ${end}`;
    }
    return undefined;
  }

  /** The same of the session's own stream only, which is complete before a close of the application arrives. */
  get lacksOwn(): string | undefined {
    const place = this.#places.get(this.#own);
    const end = this.#log.end(this.#own);
    return place && Math.max(place.at, 0) < end ? `${this.#own} at ${place.at} of ${end}` : undefined;
  }
}
