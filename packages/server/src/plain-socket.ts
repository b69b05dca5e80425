import type { Content, Entry } from '@holdfast/store';
import { WebSocket as Ws } from 'ws';
import type { Clock } from './clock.js';
import { checkTopic, type SendData } from './content.js';
import type { Session } from './session.js';
import { newSessionId } from './token.js';
import type { Follower, TopicHub } from './topic-hub.js';
import { runHandler, type Handler, type Tx } from './transaction.js';
import { userOf, userTopic } from './users.js';

/** More than this waiting for a plain client that follows topics, and it is gone: it has no log to come back to. */
const MAX_BUFFERED_BYTES = 1_048_576;

/** What a plain socket needs of the server for what it has beyond those of `ws`. */
export interface PlainContext {
  readonly hub: TopicHub;
  readonly clock: Clock;
  readonly executionMs: number;
  publish(topic: string, data: SendData): void;
  handlerFailed(error: Error, socket: PlainSocket): void;
}

/** A `ws` socket of a client without holdfast.v1, with the additions of a session as far as a bare connection can have them. */
export class PlainSocket extends Ws implements Follower {
  readonly session: Session = {
    id: newSessionId(),
    data: {},
    user: undefined,
    recovered: false,
    attachments: 1,
    attached: true,
    resumable: false,
  };
  readonly #topics = new Set<string>();
  #context: PlainContext | undefined;
  #handled = 0;

  /** Called once, before the application gets it. */
  join(context: PlainContext): void {
    this.#context = context;
    Object.defineProperty(this.session, 'user', {
      get: () => userOf(this.#topics),
      set: (user: string | undefined) => {
        this.#belong(user);
      },
      enumerable: true,
    });
    this.on('close', () => {
      for (const topic of this.#topics) context.hub.unfollow(topic, this);
      Object.assign(this.session, { attached: false });
    });
  }

  subscribe(topic: string, done?: () => void): void {
    this.#follow(checkTopic(topic));
    if (done) queueMicrotask(done);
  }

  unsubscribe(topic: string, done?: () => void): void {
    this.#unfollow(checkTopic(topic));
    if (done) queueMicrotask(done);
  }

  #belong(user: string | undefined): void {
    const topic = user === undefined ? undefined : userTopic(user);
    const before = userOf(this.#topics);
    if (user === before) return;
    if (before !== undefined) this.#unfollow(userTopic(before));
    if (topic !== undefined) this.#follow(topic);
  }

  #follow(topic: string): void {
    this.#topics.add(topic);
    if (this.readyState === Ws.OPEN) this.#context?.hub.follow(topic, this);
  }

  #unfollow(topic: string): void {
    if (this.#topics.delete(topic)) this.#context?.hub.unfollow(topic, this);
  }

  handleEntry(_topic: string, { data, binary }: Entry | Content): void {
    if (this.readyState !== Ws.OPEN) return;
    if (this.bufferedAmount > MAX_BUFFERED_BYTES) this.close(1013, 'slow consumer');
    else this.send(data, { binary });
  }

  /** Calls the handler for one message at a time. Its effects take place at once: there is nothing to commit them with. */
  handle(handler: Handler): void {
    let last = Promise.resolve();
    this.on('message', (data: Buffer, isBinary: boolean) => {
      // No more is read until this one is through; what was read with it waits here.
      this.pause();
      const mine = last.then(() => this.#run(handler, data, isBinary));
      last = mine;
      void mine.then(() => {
        if (mine === last) this.resume();
      });
    });
  }

  async #run(handler: Handler, data: Buffer, isBinary: boolean): Promise<void> {
    const context = this.#context as PlainContext;
    const message = { data, isBinary, id: `${this.session.id}:${++this.#handled}`, redelivered: false };
    try {
      await runHandler(handler, message, this.#tx(context), context);
    } catch (error) {
      context.handlerFailed(error as Error, this);
    }
  }

  #tx(context: PlainContext): Tx {
    return {
      send: (data) => this.send(data as Parameters<Ws['send']>[0]),
      publish: (topic, data) => context.publish(topic, data),
      subscribe: (topic) => this.subscribe(topic),
      unsubscribe: (topic) => this.unsubscribe(topic),
    };
  }
}
