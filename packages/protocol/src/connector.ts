import type { ClientOutput, Offer } from './client-output.js';
import type { Dialer } from './dialer.js';
import type { Payload } from './frames.js';
import { Link, type TransportId } from './link.js';
import { sizeOf } from './utf8.js';

/** What became of a transport that has opened: speak holdfast on it, or use it as the plain WebSocket that it is. */
export type Opened = 'greet' | 'degrade' | undefined;

/** A plain transport that is held back until it is certain that the server does not speak holdfast.v1. */
interface Spare {
  readonly id: TransportId;
  readonly said: Payload[];
  bytes: number;
}

/** What a spare may say before it is believed without further proof. */
const SPARE_BYTES = 1_048_576;
/** What a message counts for beside its bytes, so that empty ones are bounded too. */
const MESSAGE_BYTES = 64;

/**
 * Makes connections, one attempt at a time, and finds out what the server speaks.
 *
 * A server that knows no subprotocol fails a browser's handshake, and the browser does not say why. So when the first attempt
 * of a new session fails, the next offers no holdfast.v1; if that one opens, it is held back while a further attempt with
 * holdfast.v1 is made. Only if this fails too, with the server known to be there, is the server plain.
 */
export class Connector {
  readonly #dialer: Dialer;
  readonly #fallback: boolean;
  #lastId: TransportId = 0;
  #attempts = 0;
  #offer: Offer = 'session';
  #candidate: Link | undefined;
  #spare: Spare | undefined;
  /** The driver has said that the server knows no subprotocols. */
  #knownPlain = false;

  constructor(dialer: Dialer, fallback: boolean) {
    this.#dialer = dialer;
    this.#fallback = fallback;
  }

  get attempts(): number {
    return this.#attempts;
  }

  /** The transport that is opening, or waits for an answer to its first frame. */
  get candidate(): Link | undefined {
    return this.#candidate;
  }

  get dueMs(): number {
    return this.#candidate?.dueMs ?? this.#dialer.dueMs ?? Infinity;
  }

  /** Starts the attempt that is due, if one is. `session` is the id of one that is to be resumed. */
  dial(nowMs: number, session: string | undefined): ClientOutput | undefined {
    if (this.#candidate) return undefined;
    const limitMs = this.#dialer.take(nowMs);
    if (limitMs === undefined) return undefined;
    if (session !== undefined) this.#offer = 'session';
    this.#attempts++;
    this.#candidate = new Link(++this.#lastId, nowMs + limitMs);
    return { type: 'dial', transport: this.#lastId, offer: this.#offer, ...(session !== undefined && { session }) };
  }

  /** The candidate has opened; `holdfast` tells whether the server agreed to holdfast.v1. */
  opened(holdfast: boolean, greetUntilMs: number, nowMs: number): Opened {
    const candidate = this.#candidate as Link;
    if (holdfast) {
      candidate.limitMs = greetUntilMs;
      return 'greet';
    }
    // The server chose another subprotocol than ours: it knows the mechanism, and not us.
    if (this.#offer === 'session' || this.#knownPlain) return 'degrade';
    this.#spare = { id: candidate.id, said: [], bytes: 0 };
    this.#candidate = undefined;
    this.#dialer.abandoned();
    this.#offer = 'session';
    this.#dialer.want(nowMs);
    return undefined;
  }

  /** A transport has to be greeted once more, whether or not it had carried the session. */
  startOver(link: Link): void {
    this.#candidate = link;
    this.#attempts++;
  }

  /** Gives the candidate away: it carries the session now. */
  accept(): Link {
    const link = this.#candidate as Link;
    this.#candidate = undefined;
    this.#dialer.succeeded();
    return link;
  }

  /** The candidate failed. Returns the spare if that settles that the server is plain. */
  failed(nowMs: number, isNew: boolean): Spare | undefined {
    const greeted = this.#candidate?.phase !== 'open' || this.#candidate.greetMs !== undefined;
    this.#candidate = undefined;
    this.#dialer.failed(nowMs);
    if (!isNew || greeted || !this.#fallback) return undefined;
    if (this.#spare) return this.takeSpare();
    this.#offer = this.#offer === 'session' ? 'plain' : 'session';
    this.#knownPlain = false;
    return undefined;
  }

  /** The driver knows that the server refused for want of a subprotocol: no further proof is needed. */
  knowPlain(nowMs: number): void {
    this.#candidate = undefined;
    this.#dialer.abandoned();
    this.#offer = 'plain';
    this.#knownPlain = true;
    this.#dialer.want(nowMs);
  }

  /** Something was said on a spare. Returns it when it has said so much that it must be believed. */
  heard(transport: TransportId, said: Payload): Spare | undefined {
    if (this.#spare?.id !== transport) return undefined;
    this.#spare.said.push(said);
    this.#spare.bytes += sizeOf(said.data) + MESSAGE_BYTES;
    return this.#spare.bytes > SPARE_BYTES ? this.takeSpare() : undefined;
  }

  isSpare(transport: TransportId): boolean {
    return this.#spare?.id === transport;
  }

  takeSpare(): Spare | undefined {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare;
  }

  /** Stops all attempts. Returns what must be hung up. */
  stop(): TransportId[] {
    const ids = [this.#candidate?.id, this.#spare?.id].filter((id) => id !== undefined);
    if (this.#candidate) this.#dialer.abandoned();
    this.#dialer.cancel();
    this.#candidate = undefined;
    this.#spare = undefined;
    return ids;
  }
}
