import type { HoldPolicy } from '@holdfast/policy';

/** A client's message on its way. */
interface Letter {
  /** Its frames, masked. */
  readonly frames: Buffer;
  /** The system may have it, for the pod of now. */
  isTaken: boolean;
  /** It waits for a pod. */
  isWaiting: boolean;
}

/** What a message costs beside its bytes, so that empty ones are bounded too. */
const LETTER_BYTES = 64;

/** Text messages among which `replayMatch` looks. */
const MATCHED_MAX = 32;

/** How the connection to a pod ended, by what it says of the messages that were given to it. */
export type Parting =
  /** Without a word: what was given to it and not confirmed may have arrived or not. */
  | 'killed'
  /** It has closed by itself: what it has not confirmed by then, it has not read, or has begun to close before it did. */
  | 'closed'
  /** It has answered our close: it has read all. */
  | 'answered';

/** What is known to be in doubt, all pods of one connection together. */
export interface Doubts {
  /**
   * Messages that pods had taken when they were lost, and had not answered, as far as one can tell from outside: for each pod as many as it had
   * taken less those that it had said, and at least all that it had taken since it last said one.
   */
  unanswered: number;
  /** Messages that were given to pods that were killed, of which nobody knows whether they arrived. They are not sent again. */
  unknown: number;
  /** Messages that were given to a pod, which had not confirmed them when it closed or cannot have got them, and to the next again. */
  resent: number;
}

/** Where a client's messages go: which wait, which a pod has been given, which it has, and which each new pod is given first. */
export class Outbox {
  readonly doubts: Doubts = { unanswered: 0, unknown: 0, resent: 0 };
  readonly #policy: HoldPolicy;
  readonly #match: RegExp | undefined;
  /** For each new pod. */
  readonly #opening: Letter[] = [];
  #openingBytes = 0;
  #seen = 0;
  #seenTexts = 0;
  #waiting: Letter[] = [];
  /** Given to the pod of now, which has not confirmed them; and the number of the first. */
  #given: Letter[] = [];
  #firstGiven = 1;
  #bytes = 0;
  /** Given since the pod last said something. */
  #sinceAnswer = 0;
  /** What the pod of now has read, opening messages included. */
  #taken = 0;

  constructor(policy: HoldPolicy) {
    this.#policy = policy;
    this.#match = policy.replayMatch === undefined ? undefined : new RegExp(policy.replayMatch, 'u');
  }

  /** Whether more is kept than the policy allows. */
  get isFull(): boolean {
    return this.#bytes + this.#openingBytes > this.#policy.bufferBytes;
  }

  /** Whether what is kept for each new pod leaves room for nothing else. */
  get isOpeningFull(): boolean {
    return this.#openingBytes > this.#policy.bufferBytes;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Number of the last message that was given; what a pod confirms. */
  get lastGiven(): number {
    return this.#firstGiven + this.#given.length - 1;
  }

  /** Takes a message in. The buffer is copied: it may be a small part of a large one, which would be kept with it. */
  push(frames: Buffer, text: (() => string) | undefined): void {
    const letter: Letter = { frames: Buffer.from(frames), isTaken: false, isWaiting: true };
    this.#waiting.push(letter);
    this.#bytes += cost(letter);
    if (!this.#isOpening(text)) return;
    this.#opening.push(letter);
    this.#openingBytes += cost(letter);
  }

  #isOpening(text: (() => string) | undefined): boolean {
    const isFirst = this.#seen < this.#policy.replayCount;
    if (isFirst) this.#seen++;
    const isMatchable = this.#match !== undefined && text !== undefined && this.#seenTexts < MATCHED_MAX;
    if (isMatchable) this.#seenTexts++;
    return isFirst || (isMatchable && this.#match?.test(text()) === true);
  }

  /** What a pod that is new has to be given first: the opening messages that another one has had. */
  get replays(): Buffer[] {
    return this.#opening.filter(({ isWaiting }) => !isWaiting).map(({ frames }) => frames);
  }

  /** There is another pod, which has been given its opening messages. */
  begin(replayed: number): void {
    this.#taken = replayed;
    this.#sinceAnswer = 0;
  }

  /** What waits, for the pod of now, about so many bytes of it. `taken` is to be called when the system has it, or may have a part of it. */
  next(bytesMax = Infinity): { readonly frames: Buffer[]; readonly taken: () => void } {
    const given = this.#given;
    const letters: Letter[] = [];
    let bytes = 0;
    for (const letter of this.#waiting) {
      if (bytes >= bytesMax) break;
      bytes += letter.frames.length;
      letter.isWaiting = false;
      letter.isTaken = false;
      letters.push(letter);
      given.push(letter);
    }
    this.#waiting = this.#waiting.slice(letters.length);
    this.#sinceAnswer += letters.length;
    return {
      frames: letters.map(({ frames }) => frames),
      taken: () => {
        // By now another pod may have them.
        if (given === this.#given) for (const letter of letters) letter.isTaken = true;
      },
    };
  }

  /** The pod has read everything up to this number. */
  confirmed(number: number): void {
    const count = Math.max(0, Math.min(number - this.#firstGiven + 1, this.#given.length));
    for (const letter of this.#given.splice(0, count)) this.#bytes -= cost(letter);
    this.#firstGiven += count;
    this.#taken += count;
  }

  /** The pod has said something. */
  answered(): void {
    this.#sinceAnswer = 0;
  }

  /** The pod is gone, after so many messages. What it had not confirmed when it closed, or cannot have got, waits for the next one, before what waits already. */
  parted(how: Parting, said: number): void {
    if (how === 'answered') this.confirmed(this.lastGiven);
    this.doubts.unanswered += Math.max(0, this.#sinceAnswer - this.#given.length, this.#taken - said);
    const again: Letter[] = [];
    for (const letter of this.#given) {
      letter.isWaiting = how === 'closed' || !letter.isTaken;
      if (letter.isWaiting) again.push(letter);
      else this.#bytes -= cost(letter);
    }
    this.doubts.unknown += this.#given.length - again.length;
    this.doubts.resent += again.length;
    this.#firstGiven += this.#given.length;
    this.#given = [];
    this.#waiting = [...again, ...this.#waiting];
    this.begin(0);
  }
}

const cost = ({ frames }: Letter): number => frames.length + LETTER_BYTES;
