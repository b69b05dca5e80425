/** How often to ping when nothing is heard, and when silence means death. */
export interface Heartbeat {
  readonly pingMs: number;
  readonly deadMs: number;
}

/** What the holder of a transport must do now: nothing, ping the peer, or give the transport up. */
export type Pulse = 'alive' | 'ping' | 'dead';

/** A timer that fires this much behind its time shows that we slept, were stopped, or that the event loop was blocked. */
const LATE_MS = 100;

/** Between two looks: long enough for an event loop to read what is waiting in its sockets. */
const LOOK_MS = 250;

/** Looks at a silent transport before it is dead, when the last of them is in time, and when it is late. */
const LOOKS = 2;
const LATE_LOOKS = 3;

/**
 * Judges whether the other end of a transport lives. Any inbound frame counts; a ping is due only in silence.
 *
 * A ping that is not answered is looked at twice: what the peer said while we were blocked lies unread in a socket buffer, and
 * the time between the looks lets it be read. A look that comes late proves little, so it takes more of those; but some number
 * is enough, since in a hidden tab every timer is late. On time, a transport is dead when nothing was heard for `deadMs`.
 */
export class Liveness {
  #beat: Heartbeat;
  #heardMs: number;
  #dueMs: number;
  /** Looks since the first ping that nothing has answered; undefined when no answer is awaited. */
  #looks: number | undefined;
  #lookMs = LOOK_MS;

  constructor(beat: Heartbeat, nowMs: number) {
    this.#beat = beat;
    this.#heardMs = nowMs;
    this.#dueMs = nowMs + beat.pingMs;
  }

  /** When {@link check} wants to be called. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** Something was read from the peer. Cheap: it is called for every frame. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#looks = undefined;
    // The due time is left alone, it moves when it comes: one timer an interval instead of one a frame.
  }

  /** Changes the pace, for instance when a page is hidden. */
  setBeat(beat: Heartbeat, nowMs: number): void {
    this.#beat = beat;
    this.#dueMs = Math.min(this.#dueMs, nowMs + beat.pingMs);
  }

  /** Asks at once, with a short deadline: there is a reason to doubt (the network came back, the page was shown). */
  probe(answerMs: number, nowMs: number): Pulse {
    if (this.#looks !== undefined && this.#dueMs <= nowMs + answerMs) return 'alive';
    return this.#ask(Math.min(answerMs, this.#patienceMs), nowMs);
  }

  check(nowMs: number): Pulse {
    if (nowMs < this.#dueMs) return 'alive';
    if (this.#looks === undefined) {
      const pingAtMs = this.#heardMs + this.#beat.pingMs;
      if (nowMs >= pingAtMs) return this.#ask(this.#patienceMs, nowMs);
      this.#dueMs = pingAtMs;
      return 'alive';
    }
    const isLate = nowMs - this.#dueMs > LATE_MS;
    this.#looks++;
    if (this.#looks >= (isLate ? LATE_LOOKS : LOOKS)) return 'dead';
    this.#dueMs = nowMs + this.#lookMs;
    // After a sleep the ping may have been lost with the path it took; a new one makes a dead transport fail at once.
    return isLate ? 'ping' : 'alive';
  }

  get #patienceMs(): number {
    return this.#beat.deadMs - this.#beat.pingMs;
  }

  /** The answer may take so long, the time between the two looks included. */
  #ask(answerMs: number, nowMs: number): Pulse {
    this.#looks = 0;
    this.#lookMs = Math.min(LOOK_MS, answerMs / 8);
    this.#dueMs = nowMs + answerMs - this.#lookMs;
    return 'ping';
  }
}
