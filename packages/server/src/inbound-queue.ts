import { errors, HoldfastError, type Payload } from '@holdfast/protocol';
import type { PendingEffect } from './committer.js';
import type { PodContext, PodSession } from './pod-session.js';
import { Transaction, type Handler } from './transaction.js';

/** A message of the client on its way to the application. */
export interface Delivery extends Payload {
  readonly n: number;
  readonly redelivered: boolean;
}

/**
 * Messages of one session, handed to the application one at a time and in order. What a handler does at once commits with the
 * message; an asynchronous handler has a transaction for that, and the next message waits until it is through. The queue is
 * bounded by the window: the watermark stands still while messages wait, and the client stops sending.
 */
export class InboundQueue {
  readonly #session: PodSession;
  readonly #context: PodContext;
  #waiting: Delivery[] = [];
  #handler: Handler | undefined;
  #paused = false;
  #busy = false;
  #finishing = false;

  constructor(session: PodSession, context: PodContext) {
    this.#session = session;
    this.#context = context;
  }

  set handler(handler: Handler | undefined) {
    this.#handler = handler;
  }

  get paused(): boolean {
    return this.#paused;
  }

  set paused(paused: boolean) {
    this.#paused = paused;
    this.#pump();
  }

  /** An asynchronous handler runs. */
  get busy(): boolean {
    return this.#busy;
  }

  push(delivery: Delivery): void {
    if (this.#session.over) return;
    const waits = this.#waiting.length > 0 || this.#paused || this.#busy || this.#handler !== undefined;
    if (!waits) return this.#emit(delivery);
    this.#waiting.push(delivery);
    this.#pump();
  }

  /** The client says no more: tell the session when all is handled. */
  finish(): void {
    this.#finishing = true;
    this.#pump();
  }

  clear(): void {
    this.#waiting = [];
  }

  #pump(): void {
    while (this.#waiting.length > 0 && !this.#paused && !this.#busy) {
      const delivery = this.#waiting.shift() as Delivery;
      if (this.#handler) void this.#handle(this.#handler, delivery);
      else this.#emit(delivery);
    }
    if (this.#finishing && this.#waiting.length === 0 && !this.#busy) this.#session.inboundDone();
  }

  #emit(delivery: Delivery): void {
    try {
      this.#context.committer.within(this.#session, delivery.n, () => this.#session.view?.handleMessage(delivery));
    } catch (error) {
      this.#session.view?.restoreData();
      this.fail(error);
    }
  }

  async #handle(handler: Handler, delivery: Delivery): Promise<void> {
    this.#busy = true;
    const effects = await this.#effectsOf(handler, delivery);
    this.#busy = false;
    // A message that failed counts as handled: handed out again and again, it would fail for ever.
    if (!this.#session.gone) this.#commit(delivery.n, effects);
    this.#pump();
  }

  async #effectsOf(handler: Handler, delivery: Delivery): Promise<PendingEffect[]> {
    const transaction = new Transaction(this.#session, delivery, this.#context);
    try {
      const effects = await transaction.run(handler);
      const data = this.#session.view?.takeData();
      return data ? [...effects, data] : effects;
    } catch (error) {
      this.#session.view?.restoreData();
      this.fail(error);
      return [];
    }
  }

  #commit(watermark: number, effects: PendingEffect[]): void {
    const { committer } = this.#context;
    try {
      committer.add({ writer: this.#session, watermark, effects });
      this.#session.view?.keepData();
    } catch (error) {
      this.#session.view?.restoreData();
      this.fail(error);
      committer.add({ writer: this.#session, watermark, effects: [] });
    }
  }

  /** Something of the application's failed. */
  fail(cause: unknown): void {
    const error = cause instanceof HoldfastError ? cause : new HoldfastError(errors.HANDLER, String(cause), { cause });
    try {
      if (this.#session.view?.handleFailed(error)) return;
    } catch (thrown) {
      // The listener for errors has one itself.
      return this.#context.handlerFailed(thrown as Error, this.#session);
    }
    this.#context.handlerFailed(error, this.#session);
  }
}
