/** How often to ping when nothing is heard, and when silence means death. */
export interface Heartbeat {
  readonly pingMs: number;
  readonly deadMs: number;
}

/** What the holder of a transport must do now: nothing, ping the peer, or give the transport up. */
export type Pulse = 'alive' | 'ping' | 'dead';

/**
 * A timer that fires this much behind its time was not late by chance: the process slept, was stopped, or its event loop was
 * blocked. What the peer said meanwhile lies unread in a socket buffer.
 */
const LATE_MS = 250;

/** After a late timer: long enough for the event loop to read what is waiting. */
const READ_MS = 250;

/**
 * Judges whether the other end of a transport lives. Any inbound frame counts; a ping is due only in silence. A transport is
 * dead when nothing was heard for `deadMs`, a ping has gone unanswered for the time between the two, and we were awake.
 */
export class Liveness {
  #beat: Heartbeat;
  #heardMs: number;
  /** When the first ping went out that nothing has answered yet. */
  #pingedMs: number | undefined;
  /** How long that ping may wait. */
  #answerMs = 0;
  #dueMs: number;
  #wokeLate = false;

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
    this.#pingedMs = undefined;
    // The due time is left alone, it moves when it comes: one timer an interval instead of one a frame.
  }

  /** Changes the pace, for instance when a page is hidden. */
  setBeat(beat: Heartbeat, nowMs: number): void {
    this.#beat = beat;
    this.#dueMs = Math.min(this.#dueMs, nowMs + beat.pingMs);
  }

  /** Asks at once, with a short deadline: there is a reason to doubt (the network came back, the page was shown). */
  probe(answerMs: number, nowMs: number): Pulse {
    if (this.#pingedMs !== undefined && this.#dueMs <= nowMs + answerMs) return 'alive';
    this.#ask(nowMs, Math.min(answerMs, this.#patienceMs));
    return 'ping';
  }

  check(nowMs: number): Pulse {
    if (nowMs < this.#dueMs) return 'alive';
    const late = nowMs - this.#dueMs > LATE_MS && !this.#wokeLate;
    this.#wokeLate = late;
    if (this.#pingedMs === undefined) {
      const idleMs = nowMs - this.#heardMs;
      if (idleMs < this.#beat.pingMs) {
        this.#dueMs = this.#heardMs + this.#beat.pingMs;
        return 'alive';
      }
      this.#ask(nowMs, this.#patienceMs);
      return 'ping';
    }
    if (late) {
      this.#dueMs = nowMs + READ_MS;
      return 'ping';
    }
    if (nowMs - this.#pingedMs >= this.#answerMs) return 'dead';
    this.#dueMs = this.#pingedMs + this.#answerMs;
    return 'alive';
  }

  get #patienceMs(): number {
    return this.#beat.deadMs - this.#beat.pingMs;
  }

  #ask(nowMs: number, answerMs: number): void {
    this.#pingedMs = nowMs;
    this.#answerMs = answerMs;
    this.#dueMs = nowMs + answerMs;
  }
}
