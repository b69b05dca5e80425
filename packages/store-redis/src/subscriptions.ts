import type { Client } from './connection.js';

type Listener = (message: string) => void;

interface Subscription {
  readonly listener: Listener;
  /** Called when the channel is being listened to: what was said before that was not heard. */
  readonly begun: () => void;
  /** The client that listens, or has been asked to. */
  client: Client | undefined;
}

/** The channels that this process listens to, over as many connections as it takes one after another. */
export class Subscriptions {
  readonly #wanted = new Map<string, Subscription>();
  #client: Client | undefined;

  add(channel: string, listener: Listener, begun: () => void): void {
    if (this.#wanted.has(channel)) return;
    this.#wanted.set(channel, { listener, begun, client: undefined });
    this.#begin(channel);
  }

  remove(channel: string): void {
    const subscription = this.#wanted.get(channel);
    this.#wanted.delete(channel);
    // A connection that is lost meanwhile has no subscriptions any more.
    subscription?.client?.unsubscribe(channel, subscription.listener).catch(() => undefined);
  }

  /** This is the connection from now on. One that comes back has its subscriptions; a new one has none. */
  use(client: Client): void {
    this.#client = client;
    this.tend();
  }

  /** Tries again what could not be subscribed. */
  tend(): void {
    for (const [channel, { client }] of this.#wanted) if (client !== this.#client) this.#begin(channel);
  }

  #begin(channel: string): void {
    const client = this.#client;
    const subscription = this.#wanted.get(channel);
    if (client === undefined || subscription === undefined || !client.isReady) return;
    subscription.client = client;
    client.subscribe(channel, subscription.listener).then(subscription.begun, () => {
      if (subscription.client === client) subscription.client = undefined;
    });
  }
}
