import { AckClock } from './ack-clock.js';
import type { ClientOutput, ClientStatistics } from './client-output.js';
import { encode } from './encode.js';
import { fault, type Fault } from './error.js';
import * as errors from './errors.js';
import type { Fifo } from './fifo.js';
import type { Frame, FrameOf, Pace, Payload, ResumedBody, Window } from './frames.js';
import { Inbox } from './inbox.js';
import { carriesAck, type Link } from './link.js';
import { Liveness, type Heartbeat, type Pulse } from './liveness.js';
import { Outbox } from './outbox.js';
import { DEFAULT_POLICY, type Policy } from './policy.js';
import { sizeOf } from './utf8.js';

/**
 * What a client and its server say to each other over whichever transport carries the session now: messages both ways, what is
 * acknowledged of them, and whether the other end lives. It goes on from its cursors when the transport is another one.
 */
export class Traffic {
  readonly #outputs: Fifo<ClientOutput>;
  readonly #window: Window;
  readonly #outbox = new Outbox();
  readonly #inbox = new Inbox();
  #policy: Policy = DEFAULT_POLICY;
  #pace: Pace = 'foreground';
  #link: Link | undefined;
  /** Messages replayed since `recovering` was told; undefined when all is well. */
  #replayed: number | undefined;
  #rttMs: number | undefined;
  /** The transport whose round trip is known, or asked for. */
  #measured: Link | undefined;
  readonly #count = { sent: 0, resent: 0, received: 0, replayed: 0, duplicates: 0, missing: 0 };

  constructor(outputs: Fifo<ClientOutput>, window: Window) {
    this.#outputs = outputs;
    this.#window = window;
  }

  get policy(): Policy {
    return this.#policy;
  }

  /** The transport that carries the session now. */
  get link(): Link | undefined {
    return this.#link;
  }

  /** Bytes that no live transport has taken. */
  get unsentBytes(): number {
    return this.#outbox.unsentBytes;
  }

  get waitingBytes(): number {
    return this.#outbox.bytes;
  }

  get waitingMessages(): number {
    return this.#outbox.messages;
  }

  get statistics(): Omit<ClientStatistics, 'transports' | 'attempts' | 'recoveries' | 'moves'> {
    const { waitingMessages, waitingBytes } = this;
    return { ...this.#count, rttMs: this.#rttMs, waitingMessages, waitingBytes };
  }

  /** What a `resume` says of where we are. */
  get cursors(): Pick<FrameOf<'resume'>['body'], 'epoch' | 'received' | 'topics'> {
    return { epoch: this.#inbox.epoch, received: this.#inbox.offset, topics: this.#inbox.topics };
  }

  // --------------------------------------------------------------------------------------------------------- transports

  /** The first transport of a new session. */
  begin(link: Link, epoch: string, policy: Policy, nowMs: number): void {
    this.#inbox.begin(epoch);
    this.#carryOver(link, policy, 0, nowMs);
  }

  /** Another transport. If what the server says of the session cannot be true, nothing changes. */
  resume(link: Link, { policy, received, epoch, offset, end, topics }: ResumedBody, nowMs: number): Fault | undefined {
    if (received > this.#outbox.everSent) return fault(errors.ACK, `${received}`);
    // The server has lost what it had taken, and we have it no more.
    if (received < this.#outbox.acked) return fault(errors.EXPIRED, `${received}`);
    if (!this.#inbox.resume(epoch, offset, end, topics)) return fault(errors.ORDER, `resumed ${offset}`);
    this.#carryOver(link, policy, received, nowMs);
    return undefined;
  }

  #carryOver(link: Link, policy: Policy, received: number, nowMs: number): void {
    this.#link = link;
    this.#policy = policy;
    link.limitMs = undefined;
    link.liveness = new Liveness(this.#beat, nowMs);
    link.acks = new AckClock(policy.ackMs, this.#window);
    this.#outbox.begin(policy.window, received);
    if (this.#pace === 'background') this.say({ type: 'pace', pace: 'background' });
  }

  /** The transport is gone. */
  leave(): void {
    this.#link = undefined;
    this.#outbox.rewind();
  }

  /** The application is told that the session is without a transport, once. */
  interrupted(code: number, reason: string): void {
    if (this.#replayed !== undefined) return;
    this.#replayed = 0;
    this.#outputs.push({ type: 'recovering', code, reason });
  }

  /** And that it has one again, as soon as everything that was missed has come. */
  tellIfRecovered(): void {
    if (this.#replayed === undefined || this.#inbox.replaying || !this.#link) return;
    this.#outputs.push({ type: 'recovered', replayed: this.#replayed });
    this.#replayed = undefined;
  }

  // ----------------------------------------------------------------------------------------------------------- liveness

  setPace(pace: Pace, nowMs: number): void {
    if (pace === this.#pace) return;
    this.#pace = pace;
    this.#link?.liveness?.setBeat(this.#beat, nowMs);
    this.say({ type: 'pace', pace });
  }

  get #beat(): Heartbeat {
    const { pingMs, deadMs, backgroundPingMs, backgroundDeadMs } = this.#policy;
    return this.#pace === 'foreground' ? { pingMs, deadMs } : { pingMs: backgroundPingMs, deadMs: backgroundDeadMs };
  }

  /** Whether the transport is alive; asks if in doubt. */
  check(nowMs: number): Pulse {
    return this.#ask(this.#link?.liveness?.check(nowMs), nowMs);
  }

  /** Asks at once. */
  probe(answerMs: number, nowMs: number): Pulse {
    return this.#ask(this.#link?.liveness?.probe(answerMs, nowMs), nowMs);
  }

  #ask(pulse: Pulse = 'alive', nowMs: number): Pulse {
    if (pulse === 'ping') this.say({ type: 'ping', stamp: Math.floor(nowMs), ack: this.#inbox.ack });
    return pulse;
  }

  // ---------------------------------------------------------------------------------------------------------- receiving

  /** Takes a frame of the transport of now; what is neither message nor heartbeat is not for us. */
  receive(link: Link, frame: Frame, nowMs: number): Fault | undefined {
    if (carriesAck(frame) && !this.#outbox.ack(frame.ack)) return fault(errors.ACK, `${frame.ack}`);
    switch (frame.type) {
      case 'm':
        return this.#arrived(link, '', frame.n, frame, nowMs);
      case 't':
        return this.#arrived(link, frame.topic, frame.n, frame, nowMs);
      case 'v':
        this.#count.received++;
        this.#outputs.push({ type: 'message', data: frame.data, binary: frame.binary });
        return undefined;
      case 'sub':
        if (!this.#inbox.subscribed(frame.topic, frame.epoch, frame.n)) return fault(errors.TOPICS, frame.topic);
        break;
      case 'unsub':
        this.#inbox.unsubscribed(frame.topic);
        break;
      case 'gap':
        return this.#skipped(link, frame, nowMs);
      case 'ping':
        this.say({ type: 'pong', stamp: frame.stamp, ack: this.#inbox.ack });
        this.#measure(link, nowMs);
        return undefined;
      case 'pong':
        this.#measured = link;
        this.#rttMs = Math.max(0, Math.floor(nowMs) - frame.stamp);
        return undefined;
      default:
        return undefined;
    }
    this.tellIfRecovered();
    return undefined;
  }

  /** A server that always asks first would leave us without a round trip of our own: once on each transport we ask as well. */
  #measure(link: Link, nowMs: number): void {
    if (this.#measured === link) return;
    this.#measured = link;
    this.say({ type: 'ping', stamp: Math.floor(nowMs), ack: this.#inbox.ack });
  }

  #arrived(link: Link, topic: string, n: number, { data, binary }: Payload, nowMs: number): Fault | undefined {
    const isReplay = this.#inbox.replaying;
    const arrival = this.#inbox.accept(topic, n);
    if (arrival === 'hole') return fault(errors.ORDER, `${topic} ${n}`);
    // A topic that we have just left may still be on its way to us.
    if (arrival === 'unknown') return undefined;
    link.acks?.owe(1, sizeOf(data), nowMs);
    if (arrival === 'duplicate') {
      this.#count.duplicates++;
      return undefined;
    }
    this.#count.received++;
    if (isReplay) {
      this.#count.replayed++;
      if (this.#replayed !== undefined) this.#replayed++;
    }
    this.#outputs.push({ type: 'message', data, binary, ...(topic !== '' && { topic }) });
    this.tellIfRecovered();
    return undefined;
  }

  #skipped(link: Link, { topic, from, to, epoch }: FrameOf<'gap'>, nowMs: number): Fault | undefined {
    const skipped = this.#inbox.skip(topic, from, to, epoch);
    if (skipped === 'hole') return fault(errors.ORDER, `gap ${topic} ${from}`);
    if (skipped === 'unknown') return undefined;
    link.acks?.owe(1, 0, nowMs);
    if (skipped === 'duplicate') return undefined;
    if (skipped.from > 0) this.#count.missing += to - skipped.from + 1;
    this.#outputs.push({ type: 'gap', topic, from: skipped.from, to });
    this.tellIfRecovered();
    return undefined;
  }

  // ------------------------------------------------------------------------------------------------------------ sending

  accept(payload: Payload, bytes: number): void {
    this.#outbox.push(payload, bytes);
  }

  /** Transmits the messages that the window lets out. Returns whether that is all of them. */
  sendMessages(): boolean {
    for (let message = this.#outbox.next(); message; message = this.#outbox.next()) {
      const { n, again, data, binary } = message;
      if (again) this.#count.resent++;
      else this.#count.sent++;
      this.say({ type: again ? 'r' : 'm', n, ack: this.#inbox.ack, data, binary });
    }
    return this.#outbox.allSent;
  }

  acknowledgeIfDue(nowMs: number): void {
    const dueMs = this.#link?.acks?.dueMs;
    if (dueMs !== undefined && nowMs >= dueMs) this.acknowledge();
  }

  acknowledge(): void {
    do {
      this.say({ type: 'ack', ack: this.#inbox.ack, topics: this.#inbox.takeAcks() });
    } while (this.#inbox.owesTopics);
  }

  /** Says something on the transport of now, or on one that is not yet it. */
  say(frame: Frame, link = this.#link): void {
    if (!link?.carries(frame.type, 'client')) return;
    if (carriesAck(frame) && !this.#inbox.owesTopics) link.acks?.paid();
    const { data, binary } = encode(frame);
    this.#outputs.push({ type: 'transmit', transport: link.id, data, binary });
  }
}
