import type { Timeline } from '@holdfast/protocol/testing';
import type { Random } from '@holdfast/testing';
import type { Clock } from '../../packages/server/src/clock.js';

type Task = () => void;

/**
 * The process that a pod or a client runs in. It can be stopped and continued, as by SIGSTOP and SIGCONT or a laptop's lid, and it
 * can be killed: then nothing runs in it any more.
 */
export class Host {
  readonly #timeline: Timeline;
  #isAlive = true;
  #isPaused = false;
  /** Continued, and not yet through with what had waited. */
  #isBehind = false;
  /** Late timers come before what waits to be read. */
  #lateTimers: Task[] = [];
  #waiting: Task[] = [];

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Something from outside arrives: it is taken in now, or when the process is continued. */
  run(task: Task): void {
    if (!this.#isAlive) return;
    if (this.#isPaused || this.#isBehind) this.#waiting.push(task);
    else task();
  }

  /** Runs the task after so long. Returns what calls it off. */
  after(delayMs: number, task: Task): Task {
    let isOff = false;
    const fire = (): void => {
      if (isOff || !this.#isAlive) return;
      if (this.#isPaused || this.#isBehind) this.#lateTimers.push(() => !isOff && task());
      else task();
    };
    this.#timeline.after(delayMs, fire);
    return () => (isOff = true);
  }

  pause(): void {
    this.#isPaused = true;
  }

  continue(): void {
    this.#isPaused = false;
    if (!this.#isBehind) this.#timeline.after(0, () => this.#catchUp());
    this.#isBehind = true;
  }

  /** Does what waits, in a step for each so that promises settle between them. What arrives meanwhile waits behind it. */
  #catchUp(): void {
    this.#isBehind = false;
    if (this.#isPaused) return;
    const task = this.#lateTimers.shift() ?? this.#waiting.shift();
    if (!task) return;
    this.#isBehind = true;
    this.#timeline.after(0, () => this.#catchUp());
    task();
  }

  kill(): void {
    this.#isAlive = false;
    this.#lateTimers = [];
    this.#waiting = [];
  }
}

/** The longest turn of an event loop. */
const TURN_MS = 2;

/** The clock of a process: its timers stop with it, and its wall clock is off by a little. */
export class HostClock implements Clock {
  readonly #timeline: Timeline;
  readonly #host: Host;
  readonly #random: Random;
  readonly #skewMs: number;

  constructor(timeline: Timeline, host: Host, random: Random, skewMs: number) {
    this.#timeline = timeline;
    this.#host = host;
    this.#random = random;
    this.#skewMs = skewMs;
  }

  monotonicMs(): number {
    return this.#timeline.nowMs;
  }

  wallMs(): number {
    return WALL_MS + Math.floor(this.#timeline.nowMs + this.#skewMs);
  }

  setTimeout(callback: () => void, delayMs: number): unknown {
    return this.#host.after(Math.max(0, delayMs), callback);
  }

  clearTimeout(timer: unknown): void {
    (timer as Task | undefined)?.();
  }

  wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#host.after(delayMs, resolve));
  }

  endOfTurn(callback: () => void): void {
    this.#host.after(this.#random() * TURN_MS, callback);
  }
}

/** When simulations begin, in milliseconds since 1970. */
const WALL_MS = 1_700_000_000_000;
