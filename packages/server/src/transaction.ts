import { errors, HoldfastError } from '@holdfast/protocol';
import type { Clock } from './clock.js';
import type { PendingEffect } from './committer.js';
import { checkTopic, toContent, type SendData } from './content.js';
import type { Delivery } from './inbound-queue.js';
import type { PodContext, PodSession } from './pod-session.js';

/** A message as an asynchronous handler gets it. */
export interface HandledMessage {
  readonly data: Buffer;
  readonly isBinary: boolean;
  /** The same each time the message is handed out: a key for effects outside holdfast. */
  readonly id: string;
  /** Whether it may have been handled before, without its effects being committed. */
  readonly redelivered: boolean;
  /** Aborted when the handler has taken too long. */
  readonly signal: AbortSignal;
}

/** Effects that are committed together with the message, or not at all. */
export interface Tx {
  send(data: SendData): void;
  publish(topic: string, data: SendData): void;
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
}

export type Handler = (message: HandledMessage, tx: Tx) => unknown;

/** Runs a handler within its limit of time. When that is over it is told by the signal, and not waited for any more. */
export async function runHandler(
  handler: Handler,
  message: Omit<HandledMessage, 'signal'>,
  tx: Tx,
  { clock, executionMs }: { readonly clock: Clock; readonly executionMs: number },
): Promise<void> {
  const abort = new AbortController();
  let timer: unknown;
  const limit = new Promise<never>((_, reject) => {
    timer = clock.setTimeout(() => {
      const error = new HoldfastError(errors.EXECUTION, `${executionMs} ms`);
      abort.abort(error);
      reject(error);
    }, executionMs);
  });
  try {
    await Promise.race([handler({ ...message, signal: abort.signal }, tx), limit]);
  } finally {
    clock.clearTimeout(timer);
  }
}

/** One run of the handler of a session: gathers its effects. */
export class Transaction implements Tx {
  readonly #session: PodSession;
  readonly #delivery: Delivery;
  readonly #context: PodContext;
  readonly #effects: PendingEffect[] = [];
  #over = false;

  constructor(session: PodSession, delivery: Delivery, context: PodContext) {
    this.#session = session;
    this.#delivery = delivery;
    this.#context = context;
  }

  async run(handler: Handler): Promise<PendingEffect[]> {
    const { data, binary, n, redelivered } = this.#delivery;
    const message = {
      data: Buffer.from(data as Uint8Array),
      isBinary: binary,
      id: `${this.#session.id}:${n}`,
      redelivered,
    };
    try {
      await runHandler(handler, message, this, this.#context);
      return this.#effects;
    } catch (error) {
      for (const effect of this.#effects) this.#context.committer.settle(effect, error as Error);
      throw error;
    } finally {
      this.#over = true;
    }
  }

  send(data: SendData): void {
    this.#add({ type: 'send', to: this.#session, session: this.#session.id, epoch: 0, ...toContent(data) });
  }

  publish(topic: string, data: SendData): void {
    this.#add({ type: 'publish', topic: checkTopic(topic), ...toContent(data) });
  }

  subscribe(topic: string): void {
    this.#add(this.#session.subscription(topic));
  }

  unsubscribe(topic: string): void {
    this.#add(this.#session.unsubscription(topic));
  }

  #add(effect: PendingEffect): void {
    if (this.#over) throw new HoldfastError(errors.HANDLER, 'its transaction is over');
    this.#effects.push(effect);
  }
}
