import type { FrameType } from './frames.js';

/**
 * Everything that decides which state follows which, and who may say what when, stands in this file, as data.
 * Rule 1: no other file names a transition. Rule 2: this file does nothing; {@link next} and {@link mayCarry} are all its code.
 * The diagrams and the table in PROTOCOL.md are generated from here.
 */

/** What has been said on one transport. Both ends go through the same phases. */
export const PHASES = ['open', 'greeting', 'attached', 'leaving'] as const;
export type Phase = (typeof PHASES)[number];

export type Sender = 'client' | 'server';

interface FrameRule {
  readonly from: Sender | 'both';
  readonly in: readonly Phase[];
  /** The phase that the frame leads to, where it changes it. */
  readonly to?: Phase;
}

const talking: readonly Phase[] = ['attached', 'leaving'];

/**
 * Who may send which frame in which phase. `leaving` begins with the first `bye`; what the other end said before it heard of that
 * may still arrive. A `bye` answers a `bye`; after that the transport is closed. Only `again` leads back.
 */
export const FRAME_RULES: { readonly [T in FrameType]: FrameRule } = {
  hello: { from: 'client', in: ['open'], to: 'greeting' },
  resume: { from: 'client', in: ['open'], to: 'greeting' },
  welcome: { from: 'server', in: ['greeting'], to: 'attached' },
  resumed: { from: 'server', in: ['greeting'], to: 'attached' },
  m: { from: 'both', in: talking },
  r: { from: 'client', in: talking },
  t: { from: 'server', in: talking },
  v: { from: 'server', in: talking },
  sub: { from: 'server', in: talking },
  unsub: { from: 'server', in: talking },
  gap: { from: 'server', in: talking },
  ack: { from: 'both', in: talking },
  ping: { from: 'both', in: talking },
  pong: { from: 'both', in: talking },
  pace: { from: 'client', in: talking },
  drain: { from: 'server', in: talking },
  bye: { from: 'both', in: talking, to: 'leaving' },
  // Said by what stands between the ends, never by a server: who is behind the transport now has heard nothing of all that was said.
  again: { from: 'server', in: PHASES, to: 'open' },
};

export const mayCarry = (phase: Phase, type: FrameType, sender: Sender): boolean => {
  const rule = FRAME_RULES[type];
  return (rule.from === 'both' || rule.from === sender) && rule.in.includes(phase);
};

/** The phase after a frame that {@link mayCarry} allowed. */
export const phaseAfter = (phase: Phase, type: FrameType): Phase => FRAME_RULES[type].to ?? phase;

type Table<State extends string, Event extends string> = {
  readonly [S in State]: { readonly [E in Event]?: State };
};

/** A session as the client's application sees it. `plain` is a connection to a server without holdfast.v1. */
export const CLIENT_STATES: Table<ClientState, ClientEvent> = {
  connecting: { welcomed: 'open', degraded: 'plain', refused: 'closed', close: 'closed' },
  open: { lost: 'recovering', resumed: 'open', refused: 'closed', close: 'closing', bye: 'closed' },
  recovering: { resumed: 'open', refused: 'closed', close: 'closing' },
  closing: { lost: 'closing', resumed: 'closing', refused: 'closed', bye: 'closed', gone: 'closed', expired: 'closed' },
  plain: { gone: 'closed', close: 'closing' },
  closed: {},
};
export type ClientState = 'connecting' | 'open' | 'recovering' | 'closing' | 'plain' | 'closed';
export type ClientEvent =
  | 'welcomed'
  | 'resumed'
  | 'degraded'
  /** The transport is gone, or judged dead. */
  | 'lost'
  /** A plain transport has closed, and with it all there was. */
  | 'gone'
  /** The server, or the limit of attempts, has ended the session. */
  | 'refused'
  /** The application called close(). */
  | 'close'
  | 'bye'
  /** The close took longer than its limit. */
  | 'expired';

/** A session as one pod holds it. */
export const SERVER_STATES: Table<ServerState, ServerEvent> = {
  detached: { attach: 'attached', fence: 'gone', end: 'gone' },
  attached: { attach: 'attached', lost: 'detached', fence: 'gone', end: 'gone' },
  gone: {},
};
export type ServerState = 'detached' | 'attached' | 'gone';
export type ServerEvent =
  /** A transport has proved that it may carry the session. */
  | 'attach'
  | 'lost'
  /** The store says that the session is someone else's now. */
  | 'fence'
  /** A bye was answered, or the session's life is over. */
  | 'end';

/** The state that follows, or undefined where the table forbids the event. */
export const next = <S extends string, E extends string>(table: Table<S, E>, state: S, event: E): S | undefined =>
  table[state][event];
