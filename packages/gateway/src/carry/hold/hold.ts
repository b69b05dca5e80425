import { randomUUID } from 'node:crypto';
import { agreementOf, CLOSE, errors, type ErrorKind } from '@holdfast/protocol';
import type { Side } from '../../account.js';
import type { Carriage, Carrier, Exchange, Leave } from '../../exchange.js';
import { ignore } from '../../ignore.js';
import { SendTimer } from '../../timers.js';
import { answerOpened, answerOtherwise } from '../../websocket/answer.js';
import { CallOff } from '../../websocket/call-off.js';
import { dial, type Dialled, type Opened } from '../../websocket/dial.js';
import { closeFrame, OPCODE, writeHeader } from '../../websocket/frame-header.js';
import { Crowd, CrowdPlace } from '../crowd.js';
import { maskedClose, maskedControl } from '../masked.js';
import { LeaveLater } from '../leave-later.js';
import { Seeker } from '../seeker.js';
import type { SoftCarrier } from '../soft/soft.js';
import { Upstream } from '../soft/upstream.js';
import { Beat } from './beat.js';
import { ClientMessages } from './client-messages.js';
import { Delivery } from './delivery.js';
import { codesOf, holdHeaders, maskedText, noticeOf } from './telling.js';
import { Outbox, type Parting } from './outbox.js';

/** A pod that has stayed for so long, or has said something, has proved itself. */
const PROOF_MS = 1_000;
/** Pods in a row that did not: what takes each connection and drops it is not to be fed with it for ever. */
const PODS_IN_VAIN_MAX = 10;
/** When to come back for whom there was no pod. */
const RETRY_MS = 1_000;

/**
 * Keeps a client, whatever it speaks, while the pods behind it come and go. What the client sends meanwhile waits within bounds; the
 * next pod gets the same handshake, the opening messages if the route says so, and what waits, in order. Where the pod turns out to speak
 * holdfast.v1, `soft` carries: in the middle of a session no other pod understands a word.
 */
export function createHold(soft: SoftCarrier, random: () => number = Math.random): Carrier {
  const crowd = new Crowd();
  return { carry: (exchange) => new Hold(exchange, soft, crowd, random) };
}

class Hold implements Carriage {
  readonly #exchange: Exchange;
  readonly #soft: SoftCarrier;
  /** The session that this turned out to be. */
  #session: Carriage | undefined;
  readonly #place: CrowdPlace;
  readonly #random: () => number;
  readonly #id = randomUUID();
  readonly #codes: ReadonlySet<number>;
  readonly #callOff = new CallOff();
  readonly #messages: ClientMessages;
  readonly #outbox: Outbox;
  readonly #seeker: Seeker;
  readonly #toClientStuck: SendTimer;
  readonly #delivery: Delivery;
  /** What was agreed with the client; undefined until it has its 101. */
  #protocol: string | undefined;
  #pod: Upstream | undefined;
  /** Another pod, which waits until the one of now has ended in order. */
  #next: Opened | undefined;
  readonly #all = new Set<Upstream>();
  readonly #leaveLater = new LeaveLater();
  /** We have asked the pod of now to close. */
  #hasDismissed = false;
  #attempt = 1;
  #podsInVain = 0;
  #clientBeat: Beat | undefined;
  #podBeat: Beat | undefined;
  #proofTimer: unknown;
  #dismissTimer: unknown;
  #deadline: unknown;
  #isClosing = false;
  #isOver = false;

  constructor(exchange: Exchange, soft: SoftCarrier, crowd: Crowd, random: () => number) {
    this.#exchange = exchange;
    this.#soft = soft;
    this.#place = new CrowdPlace(crowd);
    this.#random = random;
    const { clock, limits, route, socket } = exchange;
    this.#codes = codesOf(route.hold.heldCodes);
    this.#outbox = new Outbox(route.hold);
    this.#messages = new ClientMessages(
      {
        message: (frames, text) => this.#fromClient(frames, text),
        ping: (payload) => this.#control(OPCODE.pong, payload),
        pong: ignore,
        close: (code, frame) => this.#clientCloses(code, frame),
      },
      Math.min(limits.messageBytes, route.hold.bufferBytes),
    );
    this.#seeker = new Seeker(exchange, {
      random,
      dial: (not) => this.#dial(this.#attempt + 1, not),
      found: (open) => this.#found(open),
      gaveUp: () => this.#close(CLOSE.later, errors.POD_NONE, 'gateway', ` retry=${RETRY_MS}`),
    });
    this.#toClientStuck = new SendTimer(clock, route.sendMs, () => this.#destroy('client', errors.SLOW_WRITE));
    this.#delivery = new Delivery(this.#outbox, clock, route.sendMs);
    socket.once('close', this.#clientClosed);
    void this.#begin();
  }

  leave(why: Leave): void {
    if (this.#session) return this.#session.leave(why);
    if (this.#protocol === undefined) return this.#leaveLater.ask(why);
    if (why === 'gateway') return this.#close(CLOSE.restart, errors.MOVED_ON, 'gateway');
    // Without a pod another one is looked for anyway.
    if (this.#pod && !this.#next) this.#seeker.seek(0, this.#pod.open.pick.pod.id);
    return undefined;
  }

  destroy(): void {
    if (this.#session) return this.#session.destroy();
    this.#destroy('gateway', errors.MOVED_ON);
  }

  // ------------------------------------------------------------------------------------------------------------- opening

  async #begin(): Promise<void> {
    const exchange = this.#exchange;
    const dialled = await this.#dial(1, new Set());
    if (dialled.kind === 'refused') exchange.refuse(dialled.refusal);
    else if (dialled.kind === 'answered') answerOtherwise(exchange, dialled);
    else if (dialled.kind === 'opened') this.#opened(dialled);
    if (dialled.kind !== 'opened') this.#settle();
  }

  /** Compression is not offered: what it has learnt ends with a pod. */
  #dial(attempt: number, not: ReadonlySet<string>): Promise<Dialled> {
    const exchange = this.#exchange;
    const { doubts, replays } = this.#outbox;
    const headers = holdHeaders(exchange.headers, { id: this.#id, attempt, replayed: replays.length, doubts });
    const asked = { ...exchange.handshake, extensions: [] };
    return dial(exchange, { asked, headers, callOff: this.#callOff, not });
  }

  #opened(open: Opened): void {
    const { socket: client, head, clock, limits } = this.#exchange;
    if (agreementOf(open.agreed.protocol).holdfast) {
      client.off('close', this.#clientClosed);
      this.#session = this.#soft.take(this.#exchange, open);
      const why = this.#leaveLater.due(open.pick.pod);
      return why === undefined ? undefined : this.#session.leave(why);
    }
    this.#protocol = open.agreed.protocol;
    answerOpened(this.#exchange, open);
    const ping = (): void => this.#control(OPCODE.ping, Buffer.alloc(0));
    this.#clientBeat = new Beat(clock, limits, ping, () => this.#destroy('client', errors.SILENT));
    this.#exchange.receive((chunk) => this.#read(chunk));
    client.on('drain', () => {
      this.#toClientStuck.stop();
      this.#pod?.open.socket.resume();
    });
    client.on('end', () => this.#clientEnded());
    this.#lead(open);
    if (head.length > 0) this.#read(head);
    client.resume();
    const why = this.#leaveLater.due(open.pick.pod);
    if (why !== undefined) this.leave(why);
  }

  // ------------------------------------------------------------------------------------------------------ from the client

  #read(chunk: Buffer): void {
    if (this.#isClosing) return;
    this.#clientBeat?.heard();
    this.#exchange.account.toPod.bytes += chunk.length;
    this.#messages.push(chunk);
    if (this.#isClosing) return;
    const { fault } = this.#messages;
    if (fault === 'too large') return this.#close(CLOSE.tooLarge, errors.TOO_LARGE, 'client');
    if (fault !== undefined) return this.#close(1002, errors.UPGRADE, 'client');
    this.#delivery.give();
    if (!this.#outbox.isFull) return;
    if (!this.#pod || this.#outbox.isOpeningFull) return this.#close(CLOSE.later, errors.HOLD_FULL, 'gateway');
    // A pod that does not keep up: the client has to wait for it, but not for one that takes nothing any more.
    this.#exchange.socket.pause();
    this.#delivery.waitForRoom();
  }

  #fromClient(frames: Buffer, text: (() => string) | undefined): void {
    this.#exchange.account.toPod.messages++;
    this.#outbox.push(frames, text);
  }

  /** Reads on when there is room again. */
  #ease(): void {
    if (!this.#outbox.isFull) this.#exchange.socket.resume();
  }

  #clientCloses(code: number, frame: Buffer): void {
    this.#exchange.account.endedBy('client', 'closed', code);
    this.#exchange.socket.write(closeFrame(code));
    this.#delivery.giveAll();
    this.#pod?.write(frame);
    this.#end();
  }

  #clientEnded(): void {
    this.#exchange.account.endedBy('client', 'lost', 1006);
    this.#end();
  }

  readonly #clientClosed = (): void => {
    this.#callOff.callOff();
    this.#clientEnded();
    this.#settle();
  };

  // --------------------------------------------------------------------------------------------------------- from the pod

  /** The client is led to this pod from now on. */
  #lead(open: Opened): void {
    const { clock, limits, account } = this.#exchange;
    const upstream = new Upstream(open, limits.closeMs, {
      pass: (bytes) => this.#toClient(bytes, upstream),
      attached: ignore,
      drain: ignore,
      close: (code, frame) => this.#podCloses(code, frame, upstream),
      lost: () => this.#podGone('killed', upstream),
      drained: ignore,
      control: (opcode, payload) => this.#podControl(opcode, payload, upstream),
    });
    upstream.stream.isPlain = true;
    this.#all.add(upstream);
    this.#place.moveTo(open.pick.pod);
    open.socket.once('close', () => {
      this.#all.delete(upstream);
      open.pick.closed();
      account.toClient.messages += upstream.stream.messages;
      this.#settle();
    });
    this.#pod = upstream;
    this.#delivery.begin(upstream);
    this.#hasDismissed = false;
    this.#proofTimer = clock.setTimeout(() => this.#proved(), PROOF_MS);
    const ping = (): void => void upstream.write(maskedControl(OPCODE.ping, Buffer.from(`${this.#outbox.lastGiven}`)));
    this.#podBeat = new Beat(clock, limits, ping, () => open.socket.destroy());
    if (this.#attempt > 1) this.#comeBack(upstream);
    this.#delivery.give();
    upstream.start();
  }

  /** What a pod is given that is not the first. */
  #comeBack(upstream: Upstream): void {
    const { replays, doubts } = this.#outbox;
    const { notice } = this.#exchange.route.hold;
    const text = noticeOf({ id: this.#id, attempt: this.#attempt, replayed: replays.length, doubts });
    if (notice === 'pod' || notice === 'both') upstream.write(maskedText(text));
    for (const frames of replays) upstream.write(frames);
    this.#outbox.begin(replays.length);
    if (notice === 'client' || notice === 'both') this.#say(text);
    this.#exchange.account.held = { attempts: this.#attempt, ...doubts };
  }

  #proved(): void {
    this.#exchange.clock.clearTimeout(this.#proofTimer);
    this.#proofTimer = undefined;
    this.#podsInVain = 0;
    this.#seeker.proved();
  }

  #toClient(bytes: Buffer, from: Upstream): void {
    if (from !== this.#pod || this.#isClosing) return;
    const { socket, account } = this.#exchange;
    this.#podBeat?.heard();
    this.#outbox.answered();
    if (this.#proofTimer !== undefined) this.#proved();
    account.toClient.bytes += bytes.length;
    if (socket.write(bytes)) return;
    from.open.socket.pause();
    this.#toClientStuck.begin(socket);
  }

  #podControl(opcode: number, payload: Buffer, from: Upstream): void {
    if (from !== this.#pod) return;
    this.#podBeat?.heard();
    if (opcode === OPCODE.ping) from.write(maskedControl(OPCODE.pong, payload));
    const number = Number(payload.toString('latin1'));
    // What it was never given it cannot have read.
    if (opcode !== OPCODE.pong || !Number.isInteger(number) || number > this.#outbox.lastGiven) return;
    this.#delivery.confirmed(number);
    this.#ease();
  }

  #podCloses(code: number, frame: Buffer, from: Upstream): void {
    if (from !== this.#pod) return from.end();
    from.write(maskedClose(code));
    from.end();
    if (this.#hasDismissed) return this.#podGone('answered', from);
    if (this.#codes.has(code)) return this.#podGone('closed', from);
    const { socket, account } = this.#exchange;
    account.endedBy('pod', 'closed', code);
    if (!this.#isClosing) socket.write(frame);
    return this.#end();
  }

  #podGone(how: Parting, from: Upstream): void {
    const { pick } = from.open;
    if (how === 'killed') pick.failed('lost');
    if (from !== this.#pod || this.#isClosing) return undefined;
    this.#stopPod();
    if (from.stream.broken) return this.#close(1014, errors.POD_ANSWER, 'pod');
    this.#outbox.parted(how, from.stream.messages);
    this.#exchange.account.held = { attempts: this.#attempt, ...this.#outbox.doubts };
    // Nobody can take half a message back.
    if (!from.stream.isBetween) return this.#close(CLOSE.restart, errors.POD_LOST, 'pod');
    this.#seeker.lost(pick.pod.id);
    const next = this.#next;
    this.#next = undefined;
    if (next && !next.socket.destroyed) return this.#found(next);
    next?.pick.closed();
    if (++this.#podsInVain > PODS_IN_VAIN_MAX) return this.#close(CLOSE.restart, errors.POD_LOST, 'pod');
    this.#exchange.socket.resume();
    return this.#seeker.seek(this.#random() * this.#place.spreadMs);
  }

  #stopPod(): void {
    const { clock } = this.#exchange;
    this.#pod = undefined;
    this.#podBeat?.stop();
    this.#delivery.stop();
    clock.clearTimeout(this.#proofTimer);
    clock.clearTimeout(this.#dismissTimer);
    this.#proofTimer = undefined;
  }

  // -------------------------------------------------------------------------------------------------------------- moving

  #found(open: Opened): void {
    if (open.agreed.protocol !== this.#protocol) {
      open.socket.destroy();
      open.pick.closed();
      return this.#close(CLOSE.restart, errors.POD_PROTOCOL, 'gateway');
    }
    if (this.#pod) return this.#dismiss(open);
    this.#attempt++;
    return this.#lead(open);
  }

  /** Asks the pod of now to close. It still answers what it has; the client's next messages wait for the other one. */
  #dismiss(open: Opened): void {
    const { clock, limits } = this.#exchange;
    const pod = this.#pod as Upstream;
    this.#next = open;
    this.#hasDismissed = true;
    this.#delivery.stop();
    pod.write(maskedClose(1001));
    this.#dismissTimer = clock.setTimeout(() => pod.open.socket.destroy(), limits.closeMs);
  }

  #say(text: string): void {
    const bytes = Buffer.from(text);
    const frame = Buffer.alloc(10 + bytes.length);
    const at = writeHeader(frame, 0, 0x80 | OPCODE.text, bytes.length);
    bytes.copy(frame, at);
    this.#exchange.socket.write(frame.subarray(0, at + bytes.length));
  }

  #control(opcode: number, payload: Buffer): void {
    const frame = Buffer.alloc(2 + payload.length);
    payload.copy(frame, writeHeader(frame, 0, 0x80 | opcode, payload.length));
    if (!this.#isClosing) this.#exchange.socket.write(frame);
  }

  // -------------------------------------------------------------------------------------------------------------- ending

  #close(code: number, error: ErrorKind, by: Side, hint = ''): void {
    if (this.#isClosing) return;
    const { socket: client, account } = this.#exchange;
    account.endedBy(by, error.code, code);
    if (this.#protocol !== undefined && !client.writableEnded) client.write(closeFrame(code, `${error.code}${hint}`));
    this.#end();
  }

  /** From now on nothing passes; whoever does not end within the time is ended. */
  #end(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const { clock, limits, socket, account } = this.#exchange;
    if (this.#outbox.waiting > 0 || account.held) {
      account.held = { attempts: this.#attempt, ...this.#outbox.doubts, undelivered: this.#outbox.waiting };
    }
    this.#seeker.stop();
    this.#callOff.callOff();
    socket.end();
    for (const upstream of this.#all) upstream.end();
    this.#next?.socket.destroy();
    this.#next?.pick.closed();
    this.#clientBeat?.stop();
    this.#stopPod();
    this.#deadline = clock.setTimeout(() => {
      socket.destroy();
      for (const upstream of this.#all) upstream.destroy();
    }, limits.closeMs);
  }

  #destroy(by: Side, error: ErrorKind): void {
    this.#exchange.account.endedBy(by, error.code, 1006);
    this.#end();
    this.#exchange.socket.destroy();
    for (const upstream of this.#all) upstream.destroy();
  }

  #settle(): void {
    const { socket, clock } = this.#exchange;
    if (this.#isOver || !socket.destroyed || this.#all.size > 0) return;
    this.#isOver = true;
    this.#place.moveTo(undefined);
    clock.clearTimeout(this.#deadline);
    this.#toClientStuck.stop();
    this.#delivery.stop();
    this.#exchange.over();
  }
}
