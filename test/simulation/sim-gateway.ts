import type { ModelLink, Timeline } from '@holdfast/protocol/testing';
import { backoffMs, CLOSE } from '@holdfast/protocol';
import type { Random } from '@holdfast/testing';

/** What is awaited on the client's connection: its first frame, the pod's answer, or nothing. */
type Awaiting = 'first' | 'answer' | 'none';

/** Codes with which a pod says that another may do better, in a session and before it. */
const MOVING: readonly number[] = [1001, 1006, CLOSE.restart];
const MOVING_UNANSWERED: readonly number[] = [...MOVING, CLOSE.internal, CLOSE.later];

const SEEK = { retryMinMs: 50, retryMaxMs: 1_000 };
/** How long a client is kept without a pod. */
const WAIT_MS = 8_000;
const AGAIN_WITHIN_MS = 50;

export interface SimGatewayOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  /** To the client. */
  readonly front: ModelLink;
  /** Connects to a pod that takes connections, if there is one. */
  readonly dial: () => ModelLink | undefined;
}

/**
 * What a gateway with soft resume does for one client (PROTOCOL.md, section 5.3), by whole messages: what it passes, what it keeps to
 * itself, and when it leads the client to another pod.
 */
export class SimGateway {
  readonly #options: SimGatewayOptions;
  #awaiting: Awaiting = 'first';
  #pod: ModelLink | undefined;
  /** The pod before, until the next has answered. */
  #old: ModelLink | undefined;
  #isSeeking = false;
  #isMoving = false;
  #podlessMs: number | undefined;
  #isOver = false;

  constructor(options: SimGatewayOptions) {
    this.#options = options;
    options.front.join('server', {
      data: (data) => this.#fromClient(String(Buffer.from(data as Uint8Array)), data),
      lost: (code, reason) => this.#end(code, reason),
    });
  }

  /** Connects to the first pod. False if there is none. */
  open(): boolean {
    const link = this.#options.dial();
    if (link) this.#lead(link);
    return link !== undefined;
  }

  #lead(link: ModelLink): void {
    this.#pod = link;
    this.#podlessMs = undefined;
    link.join('client', {
      data: (data, binary) => this.#fromPod(link, data, binary),
      lost: (code, reason) => this.#podLost(link, code, reason),
    });
  }

  #fromClient(text: string, data: string | Uint8Array): void {
    const isFirst = /^(?:hello|resume)\n/.test(text);
    if (this.#awaiting === 'first' && !isFirst) {
      this.#old?.send('client', data, false);
      return;
    }
    const ping = this.#pod ? undefined : /^ping (\d+) /.exec(text);
    if (ping && this.#awaiting === 'none') this.#say(`pong ${ping[1]} 0\n`);
    if (this.#awaiting === 'first') this.#awaiting = 'answer';
    this.#pod?.send('client', data, false);
  }

  #fromPod(from: ModelLink, data: string | Uint8Array, binary: boolean): void {
    if (from !== this.#pod || this.#isOver) return;
    const text = binary ? '' : String(Buffer.from(data as Uint8Array));
    const drain = /^drain (\d+) (\d+)\n$/.exec(text);
    if (drain) return this.#moveWithin(Number(drain[1]), Number(drain[2]));
    if (this.#awaiting === 'answer' && /^(?:welcome|resumed)\n/.test(text)) {
      this.#awaiting = 'none';
      this.#old?.close('client', CLOSE.moved, '');
      this.#old = undefined;
    }
    this.#options.front.send('server', data, binary);
  }

  #podLost(from: ModelLink, code: number, reason: string): void {
    if (from === this.#old) this.#old = undefined;
    if (from !== this.#pod || this.#isOver) return;
    this.#pod = undefined;
    const moving = this.#awaiting === 'none' ? MOVING : MOVING_UNANSWERED;
    if (!moving.includes(code)) {
      this.#options.front.close('server', code, reason);
      return this.#end(code, reason);
    }
    this.#podlessMs = this.#options.timeline.nowMs;
    this.#seek(0);
  }

  #moveWithin(afterMs: number, withinMs: number): void {
    if (this.#isMoving) return;
    this.#isMoving = true;
    const { timeline, random } = this.#options;
    timeline.after(afterMs + random() * withinMs, () => {
      this.#isMoving = false;
      this.#seek(0);
    });
  }

  #seek(failures: number): void {
    if (this.#isSeeking || this.#isOver) return;
    const { timeline, random, dial } = this.#options;
    this.#isSeeking = true;
    timeline.after(failures === 0 ? random() * 20 : backoffMs(failures, SEEK, random), () => {
      this.#isSeeking = false;
      if (this.#isOver) return;
      const link = dial();
      if (link) return this.#switch(link);
      if (this.#podlessMs === undefined || timeline.nowMs - this.#podlessMs < WAIT_MS) return this.#seek(failures + 1);
      this.#options.front.close('server', CLOSE.later, 'HF_POD_NONE retry=500');
      return this.#end(CLOSE.later, '');
    });
  }

  #switch(link: ModelLink): void {
    const wasLost = this.#pod === undefined;
    if (this.#pod && this.#awaiting === 'none') {
      this.#old?.close('client', CLOSE.moved, '');
      this.#old = this.#pod;
    } else {
      // Never answered for: the one before it still has the session.
      this.#pod?.close('client', CLOSE.moved, '');
    }
    this.#lead(link);
    if (this.#awaiting === 'first') return;
    this.#awaiting = 'first';
    this.#say(`again 0 ${wasLost ? AGAIN_WITHIN_MS : 0}\n`);
  }

  #say(text: string): void {
    this.#options.front.send('server', Buffer.from(text), false);
  }

  #end(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const link of [this.#pod, this.#old]) {
      if (code === 1006) link?.cut(['client']);
      else link?.close('client', code, reason);
    }
  }
}
