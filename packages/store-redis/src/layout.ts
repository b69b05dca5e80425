import { type Batch, type Claim, errors, HoldfastError, type StreamKey } from '@holdfast/store';
import type { WrittenBatch } from './batch-text.js';
import type { InDoubt } from './in-doubt.js';
import { scripts } from './lua/scripts.js';
import type { PositionReply, StateReply } from './replies.js';
import type { Runner } from './runner.js';

/** What a batch has led to, as text, and whether that was done before it was given this time. */
export interface Answer {
  readonly text: string;
  readonly isKnown: boolean;
}

/** The operations that differ between keys that all lie in one slot group and keys that are spread over many. */
export interface Layout {
  commit(given: Batch, written: WrittenBatch, failAt: number | undefined): Promise<Answer>;
  /** The state of the session, or a refusal. */
  attach(claim: Claim): Promise<StateReply | string>;
  adopt(pod: string, nowMs: number, limit: number): Promise<StateReply[]>;
  expire(nowMs: number, limit: number): Promise<string[]>;
  positions(streams: readonly StreamKey[]): Promise<PositionReply[]>;
  /** Makes up for what failed. Called every `checkMs`. */
  tend(): Promise<void>;
}

/** All keys together: each operation is one script. */
export class OneGroup implements Layout {
  readonly #runner: Runner;
  readonly #inDoubt: InDoubt;

  constructor(runner: Runner, inDoubt: InDoubt) {
    this.#runner = runner;
    this.#inDoubt = inDoubt;
  }

  async commit(given: Batch, { batch, payloads, adds }: WrittenBatch, failAt: number | undefined): Promise<Answer> {
    const { id, open } = this.#inDoubt.begin(given);
    try {
      const script = adds ? scripts.commit : scripts.settle;
      const said = String(await this.#runner.run(0, script, { batch, id, open, failAt }, { payloads }));
      const answer = readAnswer(said);
      this.#inDoubt.answered(id);
      return answer;
    } catch (error) {
      this.#inDoubt.failed(id);
      throw error;
    }
  }

  async attach(claim: Claim): Promise<StateReply | string> {
    return (await this.#runner.run(0, scripts.attach, { claim })) as StateReply | string;
  }

  async adopt(pod: string, nowMs: number, limit: number): Promise<StateReply[]> {
    const [states] = (await this.#runner.run(0, scripts.adopt, { pod, nowMs, limit })) as [StateReply[]];
    return states;
  }

  async expire(nowMs: number, limit: number): Promise<string[]> {
    return (await this.#runner.run(0, scripts.expire, { nowMs, limit })) as string[];
  }

  async positions(streams: readonly StreamKey[]): Promise<PositionReply[]> {
    return (await this.#runner.run(0, scripts.positions, { streams })) as PositionReply[];
  }

  async tend(): Promise<void> {
    // A script fails or is through.
  }
}

/** Reads what COMMIT says: the answer of now, or of when the batch was applied. */
export function readAnswer(said: string): Answer {
  if (said === 'stale') throw new HoldfastError(errors.STORE, 'the batch is too old to be given again');
  const isKnown = said.startsWith('again ');
  return { text: isKnown ? said.slice(6) : said, isKnown };
}
