interface Place {
  readonly epoch: string;
  readonly offset: number;
}

/**
 * Follows what a client gets of its streams, and says what is wrong with it: a message that comes twice, out of order, or behind
 * others that are missing without a gap having said so.
 */
export class Judge {
  readonly problems: string[] = [];
  /** Where each entry stands, by topic and text; texts are not repeated in a stream. */
  readonly #places = new Map<string, Place>();
  /** Where the client is in each stream; without an epoch when a gap has said that the stream began anew. */
  readonly #at = new Map<string, { readonly epoch: string | undefined; readonly offset: number }>();
  /** From where streams were followed. */
  readonly #starts = new Map<string, Place[]>();

  /** A session begins to follow a stream. */
  begin(topic: string, place: Place): void {
    this.#starts.set(topic, [...(this.#starts.get(topic) ?? []), place]);
  }

  written(topic: string, text: string, place: Place): void {
    this.#places.set(`${topic}/${text}`, place);
  }

  message(topic: string, text: string): void {
    const place = this.#places.get(`${topic}/${text}`);
    if (!place) {
      this.problems.push(`${topic}/${text} was never sent`);
      return;
    }
    if (!this.#isNext(topic, place.epoch, place.offset)) this.#blame(topic, text, place.offset);
    this.#at.set(topic, place);
  }

  gap(topic: string, from: number, to: number): void {
    const epoch = from === 0 ? undefined : this.#at.get(topic)?.epoch;
    if (from > 0 && !this.#isNext(topic, epoch, from)) this.#blame(topic, `gap ${to}`, from);
    this.#at.set(topic, { epoch, offset: to });
  }

  /** Whether the client has, or was told of, everything up to the end of a stream. */
  isAt(topic: string, epoch: string, end: number): boolean {
    if (end === 0) return true;
    const at = this.#at.get(topic);
    const start = this.#starts.get(topic)?.at(-1);
    if (at && (at.epoch ?? epoch) === epoch && at.offset >= end) return true;
    return start?.epoch === epoch && start.offset === end;
  }

  /** Whether `offset` follows what the client has, or is the first behind a point from which the stream was followed. */
  #isNext(topic: string, epoch: string | undefined, offset: number): boolean {
    const at = this.#at.get(topic);
    const isSame = at !== undefined && (at.epoch ?? epoch) === epoch;
    if (isSame && offset === at.offset + 1) return true;
    const starts = this.#starts.get(topic) ?? [];
    return (
      (!isSame || offset > at.offset) && starts.some((s) => s.offset === offset - 1 && s.epoch === (epoch ?? s.epoch))
    );
  }

  #blame(topic: string, what: string, offset: number): void {
    const at = this.#at.get(topic);
    this.problems.push(
      `${topic}/${what}: ${offset} comes behind ${at?.offset ?? 'nothing'} of ${at?.epoch ?? 'a new epoch'}`,
    );
  }
}
