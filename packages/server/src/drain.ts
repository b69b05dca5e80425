import { CLOSE, errors, HoldfastError } from '@holdfast/protocol';
import type { WebSocket } from 'ws';
import type { Clock } from './clock.js';
import { hintStepMs, Mover } from './mover.js';
import { PodSession } from './pod-session.js';
import type { Pod } from './pod.js';

export interface DrainOptions {
  /** How long to go on as before, not ready any more, until no balancer sends anyone here. Default 0 ms. */
  readonly propagationMs?: number;
  /** Sessions that are asked to move each second: the rate at which the other pods are attached to. Default 500. */
  readonly movesPerSecond?: number;
  /** Sessions move at random moments over at least this long, however few they are. Default 500 ms. */
  readonly spreadMs?: number;
  /** From the beginning to the end: what is left then is closed with 1012, and told to come back at that rate. Default 25,000 ms, inside the 30 s of Kubernetes. */
  readonly deadlineMs?: number;
}

export interface DrainReport {
  readonly asked: number;
  /** Sessions that had attached elsewhere before they had to be cut. The others have ended, or their clients are away. */
  readonly moved: number;
  readonly cut: number;
  readonly tookMs: number;
}

/** How often it is looked whether all have moved. */
const LOOK_MS = 50;
/** A session must live to see its client come back: a client waits for up to twice its hint. */
const HINT_LIVES = 4;
/** What the store gets at least to take what is pending. */
const STOP_MS = 1_000;

export interface Drained {
  readonly pod: Pod;
  readonly plain: ReadonlySet<WebSocket>;
  readonly clock: Clock;
  /** Refuses new clients, and tells how many are still in their handshake. */
  readonly stopAccepting: () => () => number;
}

/** Empties a pod: every client attaches elsewhere before it is let go. The caller has made readiness fail. */
export async function drain(
  { pod, plain, clock, stopAccepting }: Drained,
  options: Required<DrainOptions>,
): Promise<DrainReport> {
  const { propagationMs, movesPerSecond, spreadMs, deadlineMs } = options;
  const startMs = clock.monotonicMs();
  const leftMs = (): number => deadlineMs - (clock.monotonicMs() - startMs);
  await clock.wait(propagationMs);
  const handshakes = stopAccepting();
  pod.retire();
  const asked = new Set<PodSession | WebSocket>();
  const attached = (): PodSession[] => Array.from(pod.sessions.values()).filter((session) => session.attached);
  const first = attached();
  const total = first.length + plain.size;
  const mover = new Mover(clock, movesPerSecond, spreadMs / Math.max(1, total));
  if (mover.tookMs(total) > Math.max(spreadMs, leftMs())) {
    const needs = `${total} at ${movesPerSecond} a second, and ${Math.round(leftMs())} ms`;
    process.emitWarning(new HoldfastError(errors.DRAIN, needs));
  }
  const ask = (clients: Iterable<PodSession | WebSocket>): void => {
    for (const client of clients) {
      if (asked.has(client)) continue;
      asked.add(client);
      mover.ask(client);
    }
  };
  ask(first);
  ask(plain);
  while (leftMs() > 0 && attached().length + plain.size + handshakes() > 0) {
    await clock.wait(LOOK_MS);
    // Those whose handshake was under way when we began.
    ask(attached());
    ask(plain);
  }
  const cut = attached();
  for (const [i, session] of cut.entries()) {
    const hintMs = Math.min(i * hintStepMs(movesPerSecond), pod.machine.policy.sessionMs / HINT_LIVES);
    session.machine.hangUp(errors.BUSY, 'drained', CLOSE.restart, hintMs);
    session.run();
  }
  for (const ws of plain) ws.close(CLOSE.restart, 'restart');
  const moved = Array.from(asked).filter((one) => one instanceof PodSession && one.hasMoved).length;
  // What is pending is written, unless the store is in trouble for longer than there is time.
  const timeUp = new Promise<void>((resolve) => clock.setTimeout(resolve, Math.max(STOP_MS, leftMs())));
  await Promise.race([pod.stop(), timeUp]);
  return {
    asked: asked.size,
    moved,
    cut: cut.length,
    tookMs: Math.round(clock.monotonicMs() - startMs),
  };
}

/** With their defaults. Throws HF_OPTION. */
export function drainOptions(options: DrainOptions): Required<DrainOptions> {
  const { propagationMs = 0, movesPerSecond = 500, spreadMs = 500, deadlineMs = 25_000 } = options;
  for (const [name, value] of Object.entries({ propagationMs, spreadMs, deadlineMs })) {
    if (!(value >= 0 && value < Infinity)) throw new HoldfastError(errors.OPTION, `${name} is ${value}`);
  }
  if (!(movesPerSecond >= 1)) throw new HoldfastError(errors.OPTION, `movesPerSecond is ${movesPerSecond}`);
  if (propagationMs > deadlineMs) {
    throw new HoldfastError(errors.OPTION, `propagationMs ${propagationMs} leaves nothing of deadlineMs ${deadlineMs}`);
  }
  return { propagationMs, movesPerSecond, spreadMs, deadlineMs };
}
