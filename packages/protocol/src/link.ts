import type { AckClock } from './ack-clock.js';
import type { Frame, FrameOf, FrameType } from './frames.js';
import type { Liveness } from './liveness.js';
import { mayCarry, phaseAfter, type Phase, type Sender } from './states.js';

/** Names one transport; the driver that opens or accepts it chooses the number and never uses it twice in a session. */
export type TransportId = number;

/** What a machine knows of one transport: what was said on it, and, once it is attached, its two clocks. */
export class Link {
  readonly id: TransportId;
  phase: Phase = 'open';
  liveness: Liveness | undefined;
  acks: AckClock | undefined;
  /** When the phase of now has taken too long. */
  limitMs: number | undefined;
  /** When its first frame is to be said once more; undefined unless it waits for that. */
  greetMs: number | undefined;
  /** Something has been said on it since it was attached. */
  proved = false;

  constructor(id: TransportId, limitMs?: number) {
    this.id = id;
    this.limitMs = limitMs;
  }

  /** Notes a frame that was received or is about to be sent; false, and no change, if it must not be. */
  carries(type: FrameType, sender: Sender): boolean {
    if (!mayCarry(this.phase, type, sender)) return false;
    this.phase = phaseAfter(this.phase, type);
    return true;
  }

  /** What was behind it is gone: nothing counts as said on it. The client speaks at `greetMs`, and is answered within the limit. */
  startOver(greetMs: number, limitMs: number): void {
    this.liveness = undefined;
    this.acks = undefined;
    this.proved = false;
    this.greetMs = greetMs;
    this.limitMs = limitMs;
  }

  get dueMs(): number {
    const { limitMs = Infinity, greetMs = Infinity } = this;
    return Math.min(limitMs, greetMs, this.liveness?.dueMs ?? Infinity, this.acks?.dueMs ?? Infinity);
  }
}

/** Frames that carry the sender's cumulative acknowledgement. */
export const carriesAck = (frame: Frame): frame is FrameOf<'m' | 'r' | 'ack' | 'ping' | 'pong'> =>
  frame.type === 'm' || frame.type === 'r' || frame.type === 'ack' || frame.type === 'ping' || frame.type === 'pong';
