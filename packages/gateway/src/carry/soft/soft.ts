import { agreementOf, CLOSE, decode, errors, isFault, type ErrorKind } from '@holdfast/protocol';
import type { Side } from '../../account.js';
import type { Carriage, Carrier, Exchange, Leave } from '../../exchange.js';
import { IdleTimer, SendTimer } from '../../timers.js';
import { answerOpened, answerOtherwise } from '../../websocket/answer.js';
import { CallOff } from '../../websocket/call-off.js';
import { dial, type Dialled, type Opened } from '../../websocket/dial.js';
import { closeFrame, OPCODE, writeHeader } from '../../websocket/frame-header.js';
import { Crowd, CrowdPlace } from '../crowd.js';
import { maskedClose } from '../masked.js';
import { LeaveLater } from '../leave-later.js';
import { Seeker } from '../seeker.js';
import { ClientStream } from './client-stream.js';
import { Upstream } from './upstream.js';

/**
 * What is awaited on the client's WebSocket: `first` its hello or resume, `answer` the pod's welcome or resumed, `none` when both were
 * said. Nothing is passed any more in `closing`.
 */
type Awaiting = 'first' | 'answer' | 'none' | 'closing';

/** Codes with which a pod says that another one may do better, in a session and before it. */
const MOVING: ReadonlySet<number> = new Set([1001, 1006, CLOSE.restart]);
const MOVING_UNANSWERED: ReadonlySet<number> = new Set([...MOVING, CLOSE.internal, CLOSE.later]);

/** Pods that a session is led to in a row without any having answered. */
const PODS_IN_VAIN_MAX = 6;
/** Inside of which clients begin again when their pod was lost: they also learn by it that they were without one. */
const AGAIN_WITHIN_MS = 50;
/** When to come back for whom there was no pod. */
const RETRY_MS = 1_000;

/**
 * Leads a session of holdfast.v1 from one pod to the next on the WebSocket that the client has (PROTOCOL.md, section 5.3). A client that
 * cannot be asked to begin again is closed with 1012, as by a relay.
 */
export function createSoft(random: () => number = Math.random): SoftCarrier {
  const crowd = new Crowd();
  return {
    carry: (exchange) => new Soft(exchange, crowd, random),
    take: (exchange, open) => new Soft(exchange, crowd, random, open),
  };
}

export interface SoftCarrier extends Carrier {
  /** Goes on with a pod that has been dialled already; the client has not been answered yet. */
  take(exchange: Exchange, open: Opened): Carriage;
}

class Soft implements Carriage {
  readonly #exchange: Exchange;
  readonly #place: CrowdPlace;
  readonly #random: () => number;
  readonly #callOff = new CallOff();
  readonly #client: ClientStream;
  readonly #toClientStuck: SendTimer;
  readonly #toPodStuck: SendTimer;
  /** What was agreed with the client; the same with every pod. */
  #protocol: string | undefined;
  readonly #leaveLater = new LeaveLater();
  #awaiting: Awaiting = 'first';
  /** The client has said that it knows `again`. */
  #knowsAgain = false;
  /** The pod that the client talks to, or will. */
  #pod: Upstream | undefined;
  /** The pod before, until the next has answered. */
  #old: Upstream | undefined;
  /** The next one, until a message of the pod of now is through. */
  #next: Upstream | undefined;
  readonly #all = new Set<Upstream>();
  readonly #seeker: Seeker;
  #moveTimer: unknown;
  #awayTimer: unknown;
  #podsInVain = 0;
  #isOver = false;
  #idle: IdleTimer | undefined;
  #deadline: unknown;

  constructor(exchange: Exchange, crowd: Crowd, random: () => number, open?: Opened) {
    this.#exchange = exchange;
    this.#place = new CrowdPlace(crowd);
    this.#random = random;
    const { clock, limits, route, socket } = exchange;
    this.#client = new ClientStream(
      {
        pass: (bytes) => this.#toPod(this.#pod, bytes),
        stray: (bytes) => this.#toPod(this.#old, bytes),
        first: (text) => this.#first(text),
        ping: (stamp) => this.#ping(stamp),
      },
      limits.messageBytes,
    );
    this.#seeker = new Seeker(exchange, {
      random,
      dial: (not) => this.#dial(not),
      found: (open) => this.#found(open),
      gaveUp: () => this.#close(CLOSE.later, errors.POD_NONE, 'gateway', ` retry=${RETRY_MS}`),
    });
    this.#toClientStuck = new SendTimer(clock, route.sendMs, () => this.#destroy('client', errors.SLOW_WRITE));
    this.#toPodStuck = new SendTimer(clock, route.sendMs, () => this.#pod?.open.socket.destroy());
    socket.once('close', () => this.#clientClosed());
    if (open) this.#opened(open);
    else void this.#begin();
  }

  leave(why: Leave): void {
    if (this.#protocol === undefined) return this.#leaveLater.ask(why);
    if (why !== 'pod') return this.#sendAway();
    if (!this.#knowsAgain) return this.#close(CLOSE.restart, errors.MOVED_ON, 'pod');
    return this.#moveWithin(0, 0);
  }

  destroy(): void {
    this.#destroy('gateway', errors.MOVED_ON);
  }

  // ------------------------------------------------------------------------------------------------------------- opening

  async #begin(): Promise<void> {
    const exchange = this.#exchange;
    const dialled = await this.#dial(new Set());
    if (dialled.kind === 'refused') exchange.refuse(dialled.refusal);
    else if (dialled.kind === 'answered') answerOtherwise(exchange, dialled);
    else if (dialled.kind === 'opened') this.#opened(dialled);
    if (dialled.kind !== 'opened') this.#settle();
  }

  /** Frames have to be readable, so no compression is offered. */
  #dial(not: ReadonlySet<string>): Promise<Dialled> {
    const { handshake } = this.#exchange;
    return dial(this.#exchange, { asked: { ...handshake, extensions: [] }, callOff: this.#callOff, not });
  }

  #opened(open: Opened): void {
    const { socket: client, head, clock, route } = this.#exchange;
    this.#protocol = open.agreed.protocol;
    answerOpened(this.#exchange, open);
    this.#idle = new IdleTimer(clock, route.readMs, () => this.#close(1001, errors.IDLE, 'gateway'));
    this.#exchange.receive((chunk) => this.#fromClient(chunk));
    client.on('drain', () => this.#clientDrained());
    client.on('end', () => this.#clientEnded());
    this.#pod = this.#upstream(open);
    this.#pod.stream.isPlain = !agreementOf(open.agreed.protocol).holdfast;
    this.#pod.start();
    this.#place.moveTo(open.pick.pod);
    if (head.length > 0) this.#fromClient(head);
    client.resume();
    const why = this.#leaveLater.due(open.pick.pod);
    if (why !== undefined) this.leave(why);
  }

  #upstream(open: Opened): Upstream {
    const { account, limits } = this.#exchange;
    const upstream = new Upstream(open, limits.closeMs, {
      pass: (bytes, from) => this.#toClient(bytes, from),
      attached: (from) => this.#attached(from),
      drain: (afterMs, withinMs, from) => this.#drain(afterMs, withinMs, from),
      close: (code, frame, from) => this.#podCloses(code, frame, from),
      lost: (from) => this.#podLost(from, 1006),
      drained: () => this.#podDrained(),
    });
    this.#all.add(upstream);
    open.socket.once('close', () => {
      this.#all.delete(upstream);
      open.pick.closed();
      account.toClient.messages += upstream.stream.messages;
      this.#settle();
    });
    return upstream;
  }

  // ------------------------------------------------------------------------------------------------------ from the client

  #fromClient(chunk: Buffer): void {
    if (this.#awaiting === 'closing') return;
    this.#idle?.touch();
    this.#exchange.account.toPod.bytes += chunk.length;
    this.#client.push(chunk);
    const { fault, closeCode } = this.#client;
    if (fault === 'too large') this.#close(CLOSE.tooLarge, errors.TOO_LARGE, 'client');
    else if (fault !== undefined) this.#close(1002, errors.UPGRADE, 'client');
    else if (closeCode !== undefined) this.#clientCloses(closeCode);
  }

  #toPod(pod: Upstream | undefined, bytes: Buffer): void {
    if (!pod || pod.write(bytes) || pod !== this.#pod) return;
    this.#exchange.socket.pause();
    this.#toPodStuck.begin(pod.open.socket);
  }

  #podDrained(): void {
    this.#toPodStuck.stop();
    this.#exchange.socket.resume();
  }

  #first(text: string): void {
    const frame = decode(text, false);
    const isGreeting = !isFault(frame) && (frame.type === 'hello' || frame.type === 'resume');
    this.#knowsAgain = isGreeting && frame.body.again === true && agreementOf(this.#protocol ?? '').holdfast;
    this.#awaiting = this.#knowsAgain ? 'answer' : 'none';
  }

  /**
   * While no pod is there, somebody has to tell the client that its connection is alive. Nothing is acknowledged by it. What was asked before
   * the client has heard `again` is not answered behind it: there a pong has no meaning.
   */
  #ping(stamp: string): void {
    const isAlone = this.#pod === undefined && this.#old === undefined;
    if (isAlone && this.#awaiting !== 'first') this.#say(`pong ${stamp} 0\n`);
  }

  #clientCloses(code: number): void {
    this.#exchange.account.endedBy('client', 'closed', code);
    // The pod has it, and need not be waited for.
    this.#exchange.socket.write(closeFrame(code));
    this.#finish();
    this.#exchange.socket.end();
    for (const upstream of this.#all) upstream.end();
  }

  #clientEnded(): void {
    this.#exchange.account.endedBy('client', 'lost', 1006);
    this.#finish();
    this.#exchange.socket.end();
    for (const upstream of this.#all) upstream.end();
  }

  #clientClosed(): void {
    this.#callOff.callOff();
    this.#clientEnded();
    this.#settle();
  }

  // --------------------------------------------------------------------------------------------------------- from the pod

  #toClient(bytes: Buffer, from: Upstream): void {
    if (from !== this.#pod || this.#awaiting === 'closing') return;
    const { socket, account } = this.#exchange;
    this.#idle?.touch();
    account.toClient.bytes += bytes.length;
    if (!socket.write(bytes)) {
      from.open.socket.pause();
      // As in a relay: the pod has something to say.
      this.#idle?.stop();
      this.#toClientStuck.begin(socket);
    }
    if (this.#next && from.stream.isBetween) this.#switch();
  }

  #clientDrained(): void {
    this.#toClientStuck.stop();
    this.#pod?.open.socket.resume();
    if (this.#deadline === undefined) this.#idle?.restart();
  }

  /** The pod of now has the session. */
  #attached(from: Upstream): void {
    if (from !== this.#pod || this.#awaiting !== 'answer') return;
    this.#awaiting = 'none';
    this.#podsInVain = 0;
    this.#seeker.proved();
    this.#old?.dismiss();
    this.#old = undefined;
  }

  #drain(afterMs: number, withinMs: number, from: Upstream): void {
    if (from !== this.#pod || this.#awaiting === 'closing') return;
    if (this.#knowsAgain) this.#moveWithin(afterMs, withinMs);
    else this.#say(`drain ${afterMs} ${withinMs}\n`);
  }

  #podCloses(code: number, frame: Buffer, from: Upstream): void {
    const mayMove = this.#mayMove && (this.#awaiting === 'none' ? MOVING : MOVING_UNANSWERED).has(code);
    from.write(maskedClose(code));
    from.end();
    if (from !== this.#pod || mayMove || this.#awaiting === 'closing') return this.#podLost(from, code);
    const { socket, account } = this.#exchange;
    account.endedBy('pod', 'closed', code);
    socket.write(frame);
    this.#finish();
    for (const upstream of this.#all) upstream.end();
    return void socket.end();
  }

  #podLost(from: Upstream, code: number): void {
    const { pick } = from.open;
    if (code === 1006) pick.failed('lost');
    else pick.closed();
    if (from.stream.broken) return this.#close(1014, errors.POD_ANSWER, 'pod');
    if (from === this.#old) this.#old = undefined;
    if (from === this.#next) {
      this.#next = undefined;
      return this.#seeker.seek(0, this.#pod?.open.pick.pod.id);
    }
    if (from !== this.#pod || this.#awaiting === 'closing') return undefined;
    this.#toPodStuck.stop();
    this.#pod = undefined;
    if (!this.#mayMove || !from.stream.isBetween) return this.#close(CLOSE.restart, errors.POD_LOST, 'pod');
    this.#seeker.lost(pick.pod.id);
    if (this.#next) return this.#switch();
    if (this.#awaiting !== 'first') this.#client.sift();
    this.#exchange.socket.resume();
    return this.#seeker.seek(this.#random() * this.#place.spreadMs);
  }

  /** Before its first frame it has said nothing that another pod could not hear as well. */
  get #mayMove(): boolean {
    return (this.#knowsAgain || this.#awaiting === 'first') && this.#podsInVain < PODS_IN_VAIN_MAX;
  }

  // -------------------------------------------------------------------------------------------------------------- moving

  #moveWithin(afterMs: number, withinMs: number): void {
    if (this.#moveTimer !== undefined || this.#awaiting === 'closing') return;
    const waitMs = afterMs + this.#random() * withinMs;
    this.#moveTimer = this.#exchange.clock.setTimeout(() => {
      this.#moveTimer = undefined;
      this.#seeker.seek(0, this.#pod?.open.pick.pod.id);
    }, waitMs);
  }

  #found(open: Opened): void {
    if (open.agreed.protocol !== this.#protocol) {
      open.socket.destroy();
      open.pick.closed();
      return this.#close(CLOSE.restart, errors.POD_PROTOCOL, 'gateway');
    }
    this.#next = this.#upstream(open);
    // A message that has gone out in part is let through first.
    if (!this.#pod || this.#pod.stream.isBetween) this.#switch();
  }

  #switch(): void {
    const next = this.#next as Upstream;
    const wasLost = this.#pod === undefined;
    this.#next = undefined;
    if (this.#pod) {
      this.#pod.mute();
      if (this.#awaiting === 'none') {
        this.#old?.dismiss();
        this.#old = this.#pod;
      } else {
        // The one in the middle was never answered for: what the client still says is meant for the one before, which has the session.
        this.#pod.dismiss();
      }
      this.#toPodStuck.stop();
      this.#exchange.socket.resume();
    }
    this.#pod = next;
    this.#podsInVain++;
    this.#place.moveTo(next.open.pick.pod);
    if (this.#awaiting !== 'first') {
      // It has said its first frame while there was no pod to hear it.
      if (!this.#knowsAgain) return this.#close(CLOSE.restart, errors.POD_LOST, 'pod');
      this.#client.sift();
      this.#awaiting = 'first';
      this.#say(`again 0 ${wasLost ? AGAIN_WITHIN_MS : 0}\n`);
    }
    next.start();
  }

  /**
   * The client needs another connection: this gateway ends, or a hop in front is about to cut this one. It makes the other first, as when a
   * pod drains.
   */
  #sendAway(): void {
    if (this.#awayTimer !== undefined) return undefined;
    const close = (): void => this.#close(CLOSE.restart, errors.MOVED_ON, 'gateway');
    const isSession = agreementOf(this.#protocol ?? '').holdfast;
    if (!isSession || this.#awaiting !== 'none' || this.#pod?.stream.isBetween !== true) return close();
    const { clock, limits } = this.#exchange;
    this.#awayTimer = clock.setTimeout(close, limits.closeMs);
    return this.#say(`drain 0 ${Math.floor(limits.closeMs / 10)}\n`);
  }

  #say(text: string): void {
    const frame = Buffer.alloc(2 + text.length);
    frame.write(text, writeHeader(frame, 0, 0x80 | OPCODE.text, text.length), 'latin1');
    if (!this.#exchange.socket.writableEnded) this.#exchange.socket.write(frame);
  }

  // -------------------------------------------------------------------------------------------------------------- ending

  /** Ends the client's WebSocket with a close frame: it is always between two frames. */
  #close(code: number, error: ErrorKind, by: Side, hint = ''): void {
    if (this.#awaiting === 'closing') return;
    const { socket: client, account } = this.#exchange;
    account.endedBy(by, error.code, code);
    if (this.#protocol !== undefined && !client.writableEnded) client.write(closeFrame(code, `${error.code}${hint}`));
    this.#finish();
    this.#callOff.callOff();
    client.end();
    for (const upstream of this.#all) upstream.end();
  }

  /** From now on nothing passes; whoever does not end within the time is ended. */
  #finish(): void {
    this.#awaiting = 'closing';
    if (this.#deadline !== undefined) return;
    const { clock, limits, socket } = this.#exchange;
    this.#idle?.stop();
    for (const timer of [this.#moveTimer, this.#awayTimer]) clock.clearTimeout(timer);
    this.#seeker.stop();
    this.#deadline = clock.setTimeout(() => {
      socket.destroy();
      for (const upstream of this.#all) upstream.destroy();
    }, limits.closeMs);
  }

  #destroy(by: Side, error: ErrorKind): void {
    this.#exchange.account.endedBy(by, error.code, 1006);
    this.#callOff.callOff();
    this.#exchange.socket.destroy();
    for (const upstream of this.#all) upstream.destroy();
  }

  #settle(): void {
    const { socket, clock, account } = this.#exchange;
    if (this.#isOver || !socket.destroyed || this.#all.size > 0) return;
    this.#isOver = true;
    this.#awaiting = 'closing';
    for (const timer of [this.#deadline, this.#moveTimer]) clock.clearTimeout(timer);
    this.#place.moveTo(undefined);
    this.#idle?.stop();
    this.#toClientStuck.stop();
    this.#toPodStuck.stop();
    account.toPod.messages = this.#client.messages;
    this.#exchange.over();
  }
}
