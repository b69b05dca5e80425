import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CLOSE, errors, type ErrorKind } from '@holdfast/protocol';
import type { Account, Side } from '../account.js';
import type { Clock } from '../clock.js';
import type { Carriage, Carrier, Exchange, ExchangeLimits, Leave } from '../exchange.js';
import type { Pick } from '../pool/index.js';
import { IdleTimer, SendTimer } from '../timers.js';
import { answerOpened, answerOtherwise } from '../websocket/answer.js';
import { CallOff } from '../websocket/call-off.js';
import { dial, type Opened } from '../websocket/dial.js';
import { FrameCounter } from '../websocket/frame-counter.js';
import { closeFrame } from '../websocket/frame-header.js';
import type { Wire } from '../websocket/wire.js';
import { WholeFrames } from '../websocket/whole-frames.js';

/** Pipes bytes between a client and one pod; when the pod is lost the client gets a close frame with 1012. */
export const relay: Carrier = {
  carry: (exchange) => new Relay(exchange),
};

class Relay implements Carriage {
  // What is needed of the exchange once it is open, and not the exchange: there are many relays, and most are idle.
  readonly #client: Duplex;
  readonly #clock: Clock;
  readonly #limits: ExchangeLimits;
  readonly #account: Account;
  readonly #over: () => void;
  readonly #dialling = new CallOff();
  #pod: Socket | undefined;
  #toPodBytes = 0;
  #toClientBytes = 0;
  #isLeaving = false;
  /** Nothing passes any more; what the client still sends is thrown away. */
  #isClosing = false;
  #isOver = false;
  #idle: IdleTimer | undefined;
  #toClientStuck: SendTimer;
  #toPodStuck: SendTimer;
  #deadline: unknown;
  readonly #fromPod = new WholeFrames();
  readonly #fromClient: FrameCounter;

  constructor(exchange: Exchange) {
    const { clock, limits, route, socket } = exchange;
    this.#client = socket;
    this.#clock = clock;
    this.#limits = limits;
    this.#account = exchange.account;
    this.#over = exchange.over;
    this.#fromClient = new FrameCounter(limits.messageBytes);
    const stuck = (): void => this.#destroy('client', errors.SLOW_WRITE.code);
    this.#toClientStuck = new SendTimer(clock, route.sendMs, stuck);
    this.#toPodStuck = new SendTimer(clock, route.sendMs, () => this.#close(CLOSE.restart, errors.POD_SLOW, 'pod'));
    // At once: it may come before there is a pod.
    socket.once('end', () => this.#clientEnded());
    socket.once('close', () => this.#clientClosed());
    void this.#dial(exchange);
  }

  leave(why: Leave): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    if (this.#pod) this.#close(CLOSE.restart, errors.MOVED_ON, why === 'pod' ? 'pod' : 'gateway');
  }

  destroy(): void {
    this.#destroy('gateway', errors.MOVED_ON.code);
  }

  // ------------------------------------------------------------------------------------------------------------- opening

  async #dial(exchange: Exchange): Promise<void> {
    const dialled = await dial(exchange, { asked: exchange.handshake, callOff: this.#dialling });
    if (dialled.kind === 'refused') exchange.refuse(dialled.refusal);
    else if (dialled.kind === 'answered') answerOtherwise(exchange, dialled);
    else if (dialled.kind === 'opened') this.#opened(exchange, dialled);
  }

  #opened(exchange: Exchange, open: Opened): void {
    answerOpened(exchange, open);
    this.#idle = new IdleTimer(this.#clock, exchange.route.readMs, () => this.#close(1001, errors.IDLE, 'gateway'));
    this.#join(exchange.receive, open);
    if (exchange.head.length > 0) this.#passToPod(exchange.head);
    if (open.head.length > 0) this.#passToClient(open.head);
    this.#client.resume();
    open.socket.resume();
    if (this.#client.readableEnded) open.socket.end();
    if (this.#isLeaving) this.#close(CLOSE.restart, errors.MOVED_ON, 'gateway');
  }

  #join(fromClient: Wire['receive'], { socket: pod, receive: fromPod, pick }: Opened): void {
    const client = this.#client;
    this.#pod = pod;
    fromClient((chunk) => this.#passToPod(chunk));
    client.on('drain', () => {
      this.#drained(this.#toClientStuck, pod);
      if (this.#deadline === undefined) this.#idle?.restart();
    });
    fromPod((chunk) => this.#passToClient(chunk));
    pod.on('drain', () => this.#drained(this.#toPodStuck, client));
    pod.on('end', () => this.#podEnded());
    pod.once('close', () => this.#podClosed(pick));
  }

  // ------------------------------------------------------------------------------------------------------------- passing

  #passToPod(chunk: Buffer): void {
    const pod = this.#pod;
    if (this.#isClosing || !pod) return;
    const counter = this.#fromClient;
    counter.push(chunk);
    if (counter.fault !== undefined) {
      if (counter.fault === 'too large') this.#close(CLOSE.tooLarge, errors.TOO_LARGE, 'client');
      else this.#close(1002, errors.UPGRADE, 'client');
      return;
    }
    if (counter.closeCode !== undefined) this.#account.endedBy('client', 'closed', counter.closeCode);
    this.#idle?.touch();
    this.#toPodBytes += chunk.length;
    if (pod.write(chunk)) return;
    this.#client.pause();
    this.#toPodStuck.begin(pod);
  }

  #passToClient(chunk: Buffer): void {
    if (this.#isClosing) return;
    const client = this.#client;
    const frames = this.#fromPod;
    const pieces = frames.push(chunk);
    if (frames.closeCode !== undefined) this.#account.endedBy('pod', 'closed', frames.closeCode);
    this.#idle?.touch();
    this.#toClientBytes += chunk.length;
    let canTakeMore = true;
    if (pieces.length === 1) canTakeMore = client.write(pieces[0]);
    else if (pieces.length > 1) {
      client.cork();
      for (const piece of pieces) canTakeMore = client.write(piece);
      client.uncork();
    }
    if (frames.broken) return this.#close(1014, errors.POD_ANSWER, 'pod');
    if (canTakeMore) return;
    this.#pod?.pause();
    // What the pod has to say waits for the client, whose own clock runs: nothing is idle (nginx deletes its read timer here too).
    this.#idle?.stop();
    this.#toClientStuck.begin(client);
  }

  #drained(stuck: SendTimer, source: { resume(): unknown }): void {
    stuck.stop();
    source.resume();
  }

  // -------------------------------------------------------------------------------------------------------------- ending

  #clientEnded(): void {
    this.#account.endedBy('client', 'lost', 1006);
    this.#finish();
    if (this.#pod?.writable === true) this.#pod.end();
  }

  #podEnded(): void {
    if (this.#isClosing) return;
    const isInOrder = this.#fromPod.closeCode !== undefined || this.#fromClient.closeCode !== undefined;
    if (!isInOrder) return this.#close(CLOSE.restart, errors.POD_LOST, 'pod');
    this.#finish();
    this.#client.end();
  }

  #podClosed(pick: Pick): void {
    this.#podEnded();
    if (this.#account.cause === errors.POD_LOST.code) pick.failed('lost');
    else pick.closed();
    this.#settle();
  }

  #clientClosed(): void {
    this.#dialling.callOff();
    this.#clientEnded();
    this.#isClosing = true;
    this.#pod?.resume();
    this.#settle();
  }

  /** Ends the client's WebSocket with a close frame, which is possible at any time: it is always between two frames. */
  #close(code: number, error: ErrorKind, by: Side): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const client = this.#client;
    this.#account.endedBy(by, error.code, code);
    this.#finish();
    // To end what is over already would make an error each time, which nobody looks at.
    if (client.writable) client.end(this.#fromPod.closeCode === undefined ? closeFrame(code, error.code) : undefined);
    if (this.#pod?.writable === true) this.#pod.end();
    // So that their ends are seen, whatever they still send.
    client.resume();
    this.#pod?.resume();
  }

  /** Whoever has not ended by then is ended. */
  #finish(): void {
    if (this.#deadline !== undefined) return;
    this.#idle?.stop();
    this.#deadline = this.#clock.setTimeout(() => {
      this.#client.destroy();
      this.#pod?.destroy();
    }, this.#limits.closeMs);
  }

  #destroy(by: Side, cause: string): void {
    this.#account.endedBy(by, cause, 1006);
    this.#dialling.callOff();
    this.#client.destroy();
    this.#pod?.destroy();
  }

  #settle(): void {
    if (this.#isOver || !this.#client.destroyed || this.#pod?.destroyed === false) return;
    this.#isOver = true;
    this.#clock.clearTimeout(this.#deadline);
    this.#idle?.stop();
    this.#toClientStuck.stop();
    this.#toPodStuck.stop();
    const { toPod, toClient } = this.#account;
    toPod.bytes = this.#toPodBytes;
    toPod.messages = this.#fromClient.messages;
    // Besides an answer of the gateway's own, or of a pod that refuses.
    toClient.bytes += this.#toClientBytes;
    toClient.messages = this.#fromPod.messages;
    this.#over();
  }
}
