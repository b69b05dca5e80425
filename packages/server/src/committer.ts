import { errors, HoldfastError } from '@holdfast/protocol';
import type { Batch, Effect, EffectResult, Guard, Part, PartResult, Store } from '@holdfast/store';
import type { Clock } from './clock.js';

/** Whoever a write is made for: it knows the epoch under which the write may be made when the time comes. */
export interface Writer {
  readonly id: string;
  readonly epoch: number;
  /** Bytes on their way to the store for it. Counted here. */
  pendingBytes: number;
  /** The store has rejected what it wrote: what came after that is not to be written. */
  readonly rejected?: boolean;
}

/** An application's word on how a write of its own ended. */
export type Done = (error?: Error) => void;

/** What the committer adds to an effect: whose session it changes, and who waits for it. */
interface Pending {
  /** The session that is changed; its epoch is filled in when the batch is made, not before. */
  readonly to?: Writer;
  readonly done?: Done;
}

export type PendingEffect = Effect & Pending;

/** What a writer did that belongs together. */
export interface PendingPart extends Mutable<Omit<Part, 'effects'>> {
  readonly writer?: Writer;
  readonly effects: PendingEffect[];
  /** The epoch of the attach whose token the client has shown that it has. It says nothing of the token of a later attach. */
  confirms?: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Learns what the store made of each part, in order. */
export interface CommitListener {
  committed(part: PendingPart, result: PartResult): void;
  /** The store takes the part neither now nor later: nothing of it is written, and its effects have ended with the error. */
  rejected(part: PendingPart, error: HoldfastError): void;
  /** The batch is through: what was gathered can go out. */
  turnDone(): void;
  /** The store fails (true), or works again (false). */
  troubled(troubled: boolean, cause?: unknown): void;
  /** A `done` of the application threw. */
  doneFailed(error: unknown): void;
}

/** Waits between attempts while the store fails. */
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 2_000;

/**
 * Group commit: all that a pod does in one turn of its event loop goes to the store as one atomic batch, and one batch is under
 * way at a time, so that the order of turns is the order of the store. A batch that fails is tried again until it is through;
 * one that the store rejects is split until what is at fault is alone, and only that is lost.
 *
 * Attaches take their turn between batches ({@link between}): no batch is under way with an epoch that an attach of our own is
 * about to make old.
 */
export class Committer {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #pod: string;
  readonly #maxPendingBytes: number;
  readonly #listener: CommitListener;
  #parts: PendingPart[] = [];
  #pendingBytes = 0;
  #between: (() => Promise<void>)[] = [];
  #scheduled = false;
  #running = false;
  /** The part that a handler of now adds its effects to. */
  #current: PendingPart | undefined;
  #idleWaiters: (() => void)[] = [];
  #givenUp: Error | undefined;

  constructor(options: { store: Store; clock: Clock; pod: string; maxPendingBytes: number; listener: CommitListener }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#pod = options.pod;
    this.#maxPendingBytes = options.maxPendingBytes;
    this.#listener = options.listener;
  }

  /** Runs the handler of a message: what it does at once commits with the message. If it throws, none of it does. */
  within(writer: Writer, watermark: number, handler: () => void): void {
    const part = this.#part(writer);
    const before = part.effects.length;
    part.watermark = watermark;
    this.#current = part;
    try {
      handler();
    } catch (error) {
      for (const effect of part.effects.splice(before)) {
        this.#release(effect);
        this.settle(effect, new HoldfastError(errors.HANDLER));
      }
      throw error;
    } finally {
      this.#current = undefined;
    }
  }

  /** Adds an effect to the handler that runs now, or to the turn. */
  effect(effect: PendingEffect): void {
    this.#charge([effect]);
    (this.#current ?? this.#part()).effects.push(effect);
  }

  /** Adds what belongs together and was gathered elsewhere; all of it or, when there is no room, nothing. */
  add(part: PendingPart): void {
    this.#charge(part.effects);
    this.#parts.push(part);
    this.#schedule();
  }

  /** Notes something about a session that is no effect of the application's. What is noted later counts. */
  note(writer: Writer, change: Partial<Omit<PendingPart, 'writer' | 'effects' | 'watermark'>>): void {
    const part = this.#part(writer);
    const topicsAcked = [...(part.topicsAcked ?? []), ...(change.topicsAcked ?? [])];
    Object.assign(part, change, topicsAcked.length > 0 && { topicsAcked });
  }

  /** Runs when no batch is under way; the next batch waits for it, and for what follows at once when it resolves. */
  between<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#between.push(() => work().then(resolve, reject));
      this.#schedule();
    });
  }

  /** Tells the application how its effect ended. */
  settle({ done }: PendingEffect, error?: Error): void {
    if (!done) return;
    try {
      done(error);
    } catch (thrown) {
      this.#listener.doneFailed(thrown);
    }
  }

  /** From now on a batch that fails is not tried again, and neither are those behind it: their effects end with this error. */
  giveUp(error: Error): void {
    this.#givenUp = error;
  }

  /** Resolves when all that was added until now is through. */
  async idle(): Promise<void> {
    if (!this.#running && this.#parts.length === 0 && this.#between.length === 0) return;
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  /** The part of this writer, which is the last one if that is where it is: order between writers is kept. */
  #part(writer?: Writer): PendingPart {
    this.#schedule();
    const last = this.#parts.at(-1);
    if (last && last.writer === writer && last.end === undefined) return last;
    const part: PendingPart = { writer, effects: [] };
    this.#parts.push(part);
    return part;
  }

  #charge(effects: readonly PendingEffect[]): void {
    const bytes = effects.reduce((sum, effect) => sum + bytesOf(effect), 0);
    if (bytes > 0 && this.#pendingBytes + bytes > this.#maxPendingBytes) throw new HoldfastError(errors.BACKLOG);
    this.#pendingBytes += bytes;
    for (const effect of effects) if (effect.to) effect.to.pendingBytes += bytesOf(effect);
  }

  #release(effect: PendingEffect): void {
    const bytes = bytesOf(effect);
    this.#pendingBytes -= bytes;
    if (effect.to) effect.to.pendingBytes -= bytes;
  }

  #schedule(): void {
    if (this.#scheduled || this.#running) return;
    this.#scheduled = true;
    this.#clock.endOfTurn(() => {
      this.#scheduled = false;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    let hasRun = false;
    this.#running = true;
    while (this.#parts.length > 0 || this.#between.length > 0) {
      // What a callback of the last batch has added is the next turn's: others must get theirs.
      if (hasRun) await new Promise<void>((resolve) => this.#clock.endOfTurn(resolve));
      hasRun = true;
      if (this.#between.length > 0) {
        const work = this.#between;
        this.#between = [];
        await Promise.all(work.map((run) => run()));
      }
      if (this.#parts.length > 0) await this.#commit();
    }
    this.#running = false;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const wake of waiters) wake();
  }

  async #commit(): Promise<void> {
    const parts = this.#parts;
    this.#parts = [];
    for (const part of parts) stampEpochs(part);
    await this.#write(parts);
    this.#listener.turnDone();
  }

  async #write(all: readonly PendingPart[]): Promise<void> {
    const parts = all.filter(({ writer }) => !writer?.rejected);
    for (const part of all) if (part.writer?.rejected) this.#over(part, new HoldfastError(errors.ENDED));
    if (parts.length === 0) return;
    const results = await this.#untilDone({ pod: this.#pod, nowMs: this.#clock.wallMs(), parts });
    const halves = isRejection(results) ? halvesOf(parts) : [];
    for (const half of halves) await this.#write(half);
    if (halves.length > 0) return;
    for (const [i, part] of parts.entries()) {
      if (results instanceof Error) {
        this.#over(part, results);
        if (isRejection(results)) this.#listener.rejected(part, results);
      } else {
        for (const effect of part.effects) this.#release(effect);
        this.#listener.committed(part, results[i] as PartResult);
      }
    }
  }

  /** Nothing of it is written. */
  #over({ effects }: PendingPart, error: Error): void {
    for (const effect of effects) this.#release(effect);
    for (const effect of effects) this.settle(effect, error);
  }

  /** What the store made of the batch, or why it is not written. */
  async #untilDone(batch: Batch): Promise<readonly PartResult[] | Error> {
    for (let attempt = 0; ; attempt++) {
      if (attempt > 0 && this.#givenUp) return this.#givenUp;
      try {
        const { parts } = await this.#store.commit(batch);
        if (attempt > 0) this.#listener.troubled(false);
        return parts;
      } catch (cause) {
        if (isRejection(cause)) {
          if (attempt > 0) this.#listener.troubled(false);
          return cause;
        }
        if (attempt === 0) this.#listener.troubled(true, cause);
        await this.#clock.wait(Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** attempt));
      }
    }
  }
}

const isRejection = (what: unknown): what is HoldfastError =>
  what instanceof HoldfastError && what.code === errors.STORE_REJECTED.code;

/** Two batches that do the same in the same order; none where it must stay together. Effects of nobody stand for themselves. */
function halvesOf(parts: readonly PendingPart[]): (readonly PendingPart[])[] {
  const [first] = parts;
  const isOne = parts.length === 1 && first?.writer === undefined;
  const pieces = isOne ? (first?.effects ?? []).map((effect): PendingPart => ({ effects: [effect] })) : parts;
  const middle = pieces.length >> 1;
  return middle === 0 ? [] : [pieces.slice(0, middle), pieces.slice(middle)];
}

/** What an effect holds in memory while it waits; the few bytes of a subscription are not counted. */
function bytesOf(effect: PendingEffect): number {
  return effect.type === 'send' || effect.type === 'publish' || effect.type === 'data' ? effect.data.length : 0;
}

/** Writes down under which epochs the part is made: those of now, as the last attach has left them. */
function stampEpochs(part: PendingPart): void {
  if (part.writer) {
    part.guard = { session: part.writer.id, epoch: part.writer.epoch };
    if (part.confirms === part.writer.epoch) part.confirm = true;
  }
  for (const effect of part.effects) {
    if (effect.to) (effect as Mutable<Guard>).epoch = effect.to.epoch;
  }
}

/** The result of an effect, or the error that its caller gets. */
export const effectError = (result: EffectResult): Error | undefined =>
  result === 'fenced' ? new HoldfastError(errors.ENDED) : undefined;
