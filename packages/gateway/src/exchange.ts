import type { Duplex } from 'node:stream';
import type { Route } from '@holdfast/policy';
import type { Account } from './account.js';
import type { Clock } from './clock.js';
import type { Pick, Pool } from './pool/index.js';
import type { Refusal } from './refusal.js';
import type { Handshake } from './websocket/handshake.js';
import type { Wire } from './websocket/wire.js';

/** Bounds that hold for every exchange. */
export interface ExchangeLimits {
  /** All headers of a request or an answer. */
  readonly headerBytes: number;
  /** One message of a client. */
  readonly messageBytes: number;
  /** Longest wait for a pod's answer to a handshake, once connected. */
  readonly handshakeMs: number;
  /** Silence after which a peer is asked whether it lives, where the gateway judges that, and after which it is dead. */
  readonly pingMs: number;
  readonly deadMs: number;
  /** Longest wait for the other end of a closing handshake, and for the peer's FIN after it. */
  readonly closeMs: number;
}

/** An upgrade that has been found valid, routed and admitted: what a {@link Carrier} gets. */
export interface Exchange {
  /** Goes to the pod and the client as `X-Request-Id`, and into the log. */
  readonly id: string;
  /** The client's connection. Nothing has been written to it, and it has a listener for errors. */
  readonly socket: Duplex;
  /** Who gets what the client sends; `socket` emits no `data`. */
  readonly receive: Wire['receive'];
  /** What the client has sent behind its handshake. */
  readonly head: Buffer;
  readonly handshake: Handshake;
  readonly route: Route;
  /** The client's real address, behind trusted proxies. */
  readonly clientAddress: string;
  /** Path and query for the pod. */
  readonly target: string;
  /**
   * Name, value, name, value: all that the pod is told besides the handshake itself (`Connection`, `Upgrade`, `Sec-WebSocket-*`), which
   * a carrier may need to write anew.
   */
  readonly headers: readonly string[];
  readonly pool: Pool;
  readonly clock: Clock;
  readonly limits: ExchangeLimits;
  readonly account: Account;
  /** Which pod: by the route's stickiness, never one of `tried`. */
  pick(tried: ReadonlySet<string>): Pick | undefined;
  /** Headers that the client's 101 is to carry besides the pod's, for a pod that was chosen: the cookie of stickiness. */
  answerHeaders(pick: Pick): readonly string[];
  /** Answers a request that cannot be carried, and ends its connection. */
  refuse(refusal: Refusal): void;
  /** To be called once, when the client's connection is over and nothing is left of the exchange. */
  readonly over: () => void;
}

/** Why an open connection should leave its pod, or the gateway. */
export type Leave =
  /** The pod drains or has been removed: another one is to take over. */
  | 'pod'
  /** It has reached the longest age of its route. */
  | 'age'
  /** The gateway itself ends: the client must connect to another one. */
  | 'gateway';

/** One exchange under way. */
export interface Carriage {
  /**
   * Go elsewhere. A carrier that can move a connection to another pod does so for `pod`, and the client notices nothing; one that cannot closes
   * with 1012. For `age` and `gateway` a client that can is asked to make another connection first; others are moved (`age`) or closed.
   * Asked again, it does nothing more.
   */
  leave(why: Leave): void;
  /** Ends everything at once: the time to drain is over. */
  destroy(): void;
}

/** A way to carry WebSockets: relay, soft resume, hold. */
export interface Carrier {
  /** Begins: dials, answers the client, passes messages, until it calls `exchange.over()`. Throws nothing and returns at once. */
  carry(exchange: Exchange): Carriage;
}
