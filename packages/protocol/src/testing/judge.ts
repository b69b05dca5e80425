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
    if (!place) this.problems.push(`${topic}/${text} was never sent`);
    else if (!this.#epochsOf(topic, place.offset).some((epoch) => (epoch ?? place.epoch) === place.epoch)) {
      this.#blame(topic, text, place.offset);
    }
    this.#at.set(topic, place ?? { epoch: undefined, offset: 0 });
  }

  gap(topic: string, from: number, to: number): void {
    const epochs = from === 0 ? [undefined] : this.#epochsOf(topic, from);
    if (epochs.length === 0) this.#blame(topic, `gap ${to}`, from);
    // A gap does not say in which epoch it is.
    this.#at.set(topic, { epoch: epochs.length === 1 ? epochs[0] : undefined, offset: to });
  }

  /** Whether the client has, or was told of, everything up to the end of a stream. */
  isAt(topic: string, epoch: string, end: number): boolean {
    if (end === 0) return true;
    const at = this.#at.get(topic);
    const start = this.#starts.get(topic)?.at(-1);
    if (at && (at.epoch ?? epoch) === epoch && at.offset >= end) return true;
    return start?.epoch === epoch && start.offset === end;
  }

  /** The epochs in which `offset` follows what the client has, or is the first behind a point from which the stream was followed. */
  #epochsOf(topic: string, offset: number): (string | undefined)[] {
    const at = this.#at.get(topic);
    const starts = (this.#starts.get(topic) ?? []).filter((start) => start.offset === offset - 1);
    const epochs = starts.map(({ epoch }) => epoch).filter((epoch) => epoch !== at?.epoch || offset > at.offset);
    return at && offset === at.offset + 1 ? [at.epoch, ...epochs] : epochs;
  }

  #blame(topic: string, what: string, offset: number): void {
    const at = this.#at.get(topic);
    this.problems.push(
      `${topic}/${what}: ${offset} comes behind ${at?.offset ?? 'nothing'} of ${at?.epoch ?? 'a new epoch'}`,
    );
  }
}
