import type { Content, Entry } from '@holdfast/store';
import { WebSocket as Ws } from 'ws';
import { checkTopic } from './content.js';
import type { Handler } from './transaction.js';
import type { Session } from './session.js';
import { newSessionId } from './token.js';
import type { Follower, TopicHub } from './topic-hub.js';

/** More than this waiting for a plain client that follows topics, and it is gone: it has no log to come back to. */
const MAX_BUFFERED_BYTES = 1_048_576;

/** A `ws` socket of a client without holdfast.v1, with the additions of a session as far as a bare connection can have them. */
export class PlainSocket extends Ws implements Follower {
  readonly session: Session = {
    id: newSessionId(),
    data: {},
    recovered: false,
    attachments: 1,
    attached: true,
    resumable: false,
  };
  readonly #topics = new Set<string>();
  #hub: TopicHub | undefined;
  #handled = Promise.resolve();

  /** Called once the connection is up. */
  join(hub: TopicHub): void {
    this.#hub = hub;
    this.on('close', () => {
      for (const topic of this.#topics) hub.unfollow(topic, this);
    });
  }

  subscribe(topic: string, done?: () => void): void {
    this.#topics.add(checkTopic(topic));
    this.#hub?.follow(topic, this);
    if (done) queueMicrotask(done);
  }

  unsubscribe(topic: string, done?: () => void): void {
    if (this.#topics.delete(topic)) this.#hub?.unfollow(topic, this);
    if (done) queueMicrotask(done);
  }

  handleEntry(_topic: string, { data, binary }: Entry | Content): void {
    if (this.readyState !== Ws.OPEN) return;
    if (this.bufferedAmount > MAX_BUFFERED_BYTES) this.close(1013, 'slow consumer');
    else this.send(data, { binary });
  }

  /** Calls the handler for one message at a time. Its effects take place at once: there is nothing to commit them with. */
  handle(handler: Handler): void {
    const never = new AbortController().signal;
    let n = 0;
    this.on('message', (data: Buffer, isBinary: boolean) => {
      const message = { data, isBinary, id: `${this.session.id}:${++n}`, redelivered: false, signal: never };
      this.#handled = this.#handled
        .then(() => handler(message, this.#tx))
        .then(
          () => undefined,
          (error: unknown) => void this.emit('error', error),
        );
    });
  }

  /** Set by the server: publishing needs the store. */
  publish: (topic: string, content: Parameters<Ws['send']>[0]) => void = () => {};

  get #tx(): Parameters<Handler>[1] {
    return {
      send: (data) => this.send(data as Parameters<Ws['send']>[0]),
      publish: (topic, data) => this.publish(topic, data as Parameters<Ws['send']>[0]),
      subscribe: (topic) => this.subscribe(topic),
      unsubscribe: (topic) => this.unsubscribe(topic),
    };
  }
}
