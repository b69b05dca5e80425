import type { Socket } from 'node:net';
import { CLOSE, errors, type ErrorKind } from '@holdfast/protocol';
import type { Side } from '../account.js';
import type { Carriage, Carrier, Exchange, Leave } from '../exchange.js';
import type { Pick } from '../pool/index.js';
import { IdleTimer, SendTimer } from '../timers.js';
import { answerOpened, answerOtherwise } from '../websocket/answer.js';
import { dial, type Opened } from '../websocket/dial.js';
import { FrameCounter } from '../websocket/frame-counter.js';
import { closeFrame } from '../websocket/frame-header.js';
import { WholeFrames } from '../websocket/whole-frames.js';

/** Pipes bytes between a client and one pod; when the pod is lost the client gets a close frame with 1012. */
export const relay: Carrier = {
  carry: (exchange) => new Relay(exchange),
};

/** Why dialling was given up. A reason of our own: without one, an exception with its stack is made for each. */
const GONE = 'gone';

class Relay implements Carriage {
  readonly #exchange: Exchange;
  readonly #dialling = new AbortController();
  #open: Opened | undefined;
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
    this.#exchange = exchange;
    const { clock, limits, route } = exchange;
    this.#fromClient = new FrameCounter(limits.messageBytes);
    const stuck = (): void => this.#destroy('client', errors.SLOW_WRITE.code);
    this.#toClientStuck = new SendTimer(clock, route.sendMs, stuck);
    this.#toPodStuck = new SendTimer(clock, route.sendMs, () => this.#close(CLOSE.restart, errors.POD_SLOW, 'pod'));
    // At once: it may come before there is a pod.
    exchange.socket.once('end', () => this.#clientEnded());
    exchange.socket.once('close', () => this.#clientClosed());
    void this.#dial();
  }

  leave(why: Leave): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    if (this.#open) this.#close(CLOSE.restart, errors.MOVED_ON, why === 'pod' ? 'pod' : 'gateway');
  }

  destroy(): void {
    this.#destroy('gateway', errors.MOVED_ON.code);
  }

  // ------------------------------------------------------------------------------------------------------------- opening

  async #dial(): Promise<void> {
    const exchange = this.#exchange;
    const dialled = await dial(exchange, { asked: exchange.handshake, signal: this.#dialling.signal });
    if (dialled.kind === 'refused') exchange.refuse(dialled.refusal);
    else if (dialled.kind === 'answered') answerOtherwise(exchange, dialled);
    else if (dialled.kind === 'opened') this.#opened(dialled);
  }

  #opened(open: Opened): void {
    const { socket: client, head, clock, route } = this.#exchange;
    const { socket: pod } = open;
    this.#open = open;
    answerOpened(this.#exchange, open);
    this.#idle = new IdleTimer(clock, route.readMs, () => this.#close(1001, errors.IDLE, 'gateway'));
    client.on('data', (chunk: Buffer) => this.#passToPod(chunk, pod));
    client.on('drain', () => this.#drained(this.#toClientStuck, pod));
    pod.on('data', (chunk: Buffer) => this.#passToClient(chunk, pod));
    pod.on('drain', () => this.#drained(this.#toPodStuck, client));
    pod.on('error', () => undefined);
    pod.on('end', () => this.#podEnded());
    pod.once('close', () => this.#podClosed(open.pick));
    if (head.length > 0) this.#passToPod(head, pod);
    if (open.head.length > 0) this.#passToClient(open.head, pod);
    client.resume();
    pod.resume();
    if (client.readableEnded) pod.end();
    if (this.#isLeaving) this.#close(CLOSE.restart, errors.MOVED_ON, 'gateway');
  }

  // ------------------------------------------------------------------------------------------------------------- passing

  #passToPod(chunk: Buffer, pod: Socket): void {
    if (this.#isClosing) return;
    const counter = this.#fromClient;
    counter.push(chunk);
    if (counter.fault !== undefined) {
      if (counter.fault === 'too large') this.#close(CLOSE.tooLarge, errors.TOO_LARGE, 'client');
      else this.#close(1002, errors.UPGRADE, 'client');
      return;
    }
    if (counter.closeCode !== undefined) this.#exchange.account.endedBy('client', 'closed', counter.closeCode);
    this.#idle?.touch();
    this.#exchange.account.toPod.bytes += chunk.length;
    if (pod.write(chunk)) return;
    this.#exchange.socket.pause();
    this.#toPodStuck.begin(pod);
  }

  #passToClient(chunk: Buffer, pod: Socket): void {
    if (this.#isClosing) return;
    const { socket: client, account } = this.#exchange;
    const frames = this.#fromPod;
    const pieces = frames.push(chunk);
    if (frames.closeCode !== undefined) account.endedBy('pod', 'closed', frames.closeCode);
    this.#idle?.touch();
    account.toClient.bytes += chunk.length;
    let canTakeMore = true;
    if (pieces.length === 1) canTakeMore = client.write(pieces[0]);
    else if (pieces.length > 1) {
      client.cork();
      for (const piece of pieces) canTakeMore = client.write(piece);
      client.uncork();
    }
    if (frames.broken) return this.#close(1014, errors.POD_ANSWER, 'pod');
    if (canTakeMore) return;
    pod.pause();
    this.#toClientStuck.begin(client);
  }

  #drained(stuck: SendTimer, source: { resume(): unknown }): void {
    stuck.stop();
    source.resume();
  }

  // -------------------------------------------------------------------------------------------------------------- ending

  #clientEnded(): void {
    this.#exchange.account.endedBy('client', 'lost', 1006);
    this.#finish();
    this.#open?.socket.end();
  }

  #podEnded(): void {
    if (this.#isClosing) return;
    const isInOrder = this.#fromPod.closeCode !== undefined || this.#fromClient.closeCode !== undefined;
    if (!isInOrder) return this.#close(CLOSE.restart, errors.POD_LOST, 'pod');
    this.#finish();
    this.#exchange.socket.end();
  }

  #podClosed(pick: Pick): void {
    this.#podEnded();
    if (this.#exchange.account.cause === errors.POD_LOST.code) pick.failed('lost');
    else pick.closed();
    this.#settle();
  }

  #clientClosed(): void {
    if (this.#open === undefined) this.#dialling.abort(GONE);
    this.#clientEnded();
    this.#isClosing = true;
    this.#open?.socket.resume();
    this.#settle();
  }

  /** Ends the client's WebSocket with a close frame, which is possible at any time: it is always between two frames. */
  #close(code: number, error: ErrorKind, by: Side): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const { socket: client, account } = this.#exchange;
    account.endedBy(by, error.code, code);
    this.#finish();
    if (this.#fromPod.closeCode === undefined && !client.writableEnded) client.write(closeFrame(code, error.code));
    client.end();
    this.#open?.socket.end();
    // So that their ends are seen, whatever they still send.
    client.resume();
    this.#open?.socket.resume();
  }

  /** Whoever has not ended by then is ended. */
  #finish(): void {
    if (this.#deadline !== undefined) return;
    const { clock, limits, socket } = this.#exchange;
    this.#idle?.stop();
    this.#deadline = clock.setTimeout(() => {
      socket.destroy();
      this.#open?.socket.destroy();
    }, limits.closeMs);
  }

  #destroy(by: Side, cause: string): void {
    this.#exchange.account.endedBy(by, cause, 1006);
    if (this.#open === undefined) this.#dialling.abort(GONE);
    this.#exchange.socket.destroy();
    this.#open?.socket.destroy();
  }

  #settle(): void {
    const { socket, clock, account } = this.#exchange;
    if (this.#isOver || !socket.destroyed || (this.#open && !this.#open.socket.destroyed)) return;
    this.#isOver = true;
    clock.clearTimeout(this.#deadline);
    this.#idle?.stop();
    this.#toClientStuck.stop();
    this.#toPodStuck.stop();
    account.toPod.messages = this.#fromClient.messages;
    account.toClient.messages = this.#fromPod.messages;
    this.#exchange.over();
  }
}
