import type { Clock } from '../../clock.js';
import { ignore } from '../../ignore.js';
import { SendTimer } from '../../timers.js';
import { OPCODE } from '../../websocket/frame-header.js';
import { maskedControl } from '../masked.js';
import type { Upstream } from '../soft/upstream.js';
import type { Outbox } from './outbox.js';

/** About so many bytes are given to a pod at once: what reads take from it at once. */
const GIVE_BYTES = 65_536;
const NOTHING = Buffer.alloc(0);

/**
 * Gives the pod of now what waits in an outbox, and behind each bunch a ping: its pong says that the pod has read all before. There is one bunch
 * under way at a time: of what the system has not taken, nobody will know whether a pod that is killed had it. A pod whose system takes nothing for
 * a time (`send` of the route), or which confirms nothing for so long while the outbox is full, is ended: it is for the carrier to find another.
 */
export class Delivery {
  readonly #outbox: Outbox;
  readonly #clock: Clock;
  readonly #sendMs: number;
  readonly #stuck: SendTimer;
  #pod: Upstream | undefined;
  /** The pod for which the system has not taken yet what was given. */
  #busy: Upstream | undefined;
  #roomTimer: unknown;

  constructor(outbox: Outbox, clock: Clock, sendMs: number) {
    this.#outbox = outbox;
    this.#clock = clock;
    this.#sendMs = sendMs;
    this.#stuck = new SendTimer(clock, sendMs, () => this.#end());
  }

  /** To this pod from now on. */
  begin(pod: Upstream): void {
    this.#pod = pod;
  }

  /** To nobody, until there is another pod. */
  stop(): void {
    this.#pod = undefined;
    this.#stuck.stop();
    this.#clock.clearTimeout(this.#roomTimer);
  }

  /** To be called when something waits. */
  give(): void {
    const pod = this.#pod;
    if (!pod || pod === this.#busy || this.#outbox.waiting === 0) return;
    const { socket } = pod.open;
    if (!socket.writable) return;
    this.#busy = pod;
    const given = (): void => this.#given(pod);
    // Written when all before it has been.
    if (socket.writableLength > 0) return void socket.write(NOTHING, given);
    this.#write(pod, GIVE_BYTES, given);
    if (socket.writableLength > 0) this.#stuck.begin(socket);
  }

  /** All of it at once: nobody will come back for the rest. */
  giveAll(): void {
    const pod = this.#pod;
    if (pod?.open.socket.writable && this.#outbox.waiting > 0) this.#write(pod, Infinity, ignore);
  }

  /** There is no room: the pod has to confirm something in time. */
  waitForRoom(): void {
    this.#clock.clearTimeout(this.#roomTimer);
    this.#roomTimer = this.#clock.setTimeout(() => this.#end(), this.#sendMs);
  }

  /** The pod has read everything up to this number. */
  confirmed(number: number): void {
    this.#outbox.confirmed(number);
    if (this.#outbox.isFull) this.waitForRoom();
    else this.#clock.clearTimeout(this.#roomTimer);
  }

  #write(pod: Upstream, bytesMax: number, given: () => void): void {
    const { socket } = pod.open;
    const { frames, taken } = this.#outbox.next(bytesMax);
    frames.push(maskedControl(OPCODE.ping, Buffer.from(`${this.#outbox.lastGiven}`)));
    // A copy costs less than many small writes, or one of many parts.
    socket.write(Buffer.concat(frames), (error) => {
      if (!error) taken();
      given();
    });
    // Neither taken at once nor refused at once: in part, perhaps.
    if (socket.writableLength > 0) taken();
  }

  #given(pod: Upstream): void {
    if (this.#busy !== pod) return;
    this.#busy = undefined;
    if (pod !== this.#pod) return;
    this.#stuck.stop();
    this.give();
  }

  #end(): void {
    this.#pod?.open.socket.destroy();
  }
}
