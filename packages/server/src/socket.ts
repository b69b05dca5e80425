import type { WebSocket as Ws } from 'ws';
import type { Done } from './committer.js';
import type { SendData } from './content.js';
import type { SendOptions } from './session-socket.js';
import type { Session } from './session.js';
import type { Handler } from './transaction.js';

/** What holdfast adds to the socket of `ws`. */
export interface SocketExtras {
  readonly session: Session;
  send(data: SendData, done?: Done): void;
  send(data: SendData, options: SendOptions, done?: Done): void;
  subscribe(topic: string, done?: Done): void;
  unsubscribe(topic: string, done?: Done): void;
  /** Takes the messages instead of the `message` event, one at a time; effects of `tx` commit with the message. */
  handle(handler: Handler): void;
}

/** The socket that `connection` is given: the API of a `ws` socket over a session, and more. */
export type Socket = Ws & SocketExtras;
