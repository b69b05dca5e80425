import { CLOSE, errors } from '@holdfast/protocol';
import type { WebSocket } from 'ws';
import type { Clock } from './clock.js';
import type { Pod } from './pod.js';

export interface DrainOptions {
  /** How long to go on as before, not ready any more, until no balancer sends anyone here. Default 0 ms. */
  readonly propagationMs?: number;
  /** Sessions that are asked to move each second: the rate at which the other pods are attached to. Default 500. */
  readonly movesPerSecond?: number;
  /** Sessions move at random moments over at least this long, however few they are. Default 500 ms. */
  readonly spreadMs?: number;
  /** From the beginning to the end: what is left then is closed with 1012. Default 25,000 ms, inside the 30 s of Kubernetes. */
  readonly deadlineMs?: number;
}

export interface DrainReport {
  readonly asked: number;
  /** Sessions that had attached elsewhere before they had to be cut. */
  readonly moved: number;
  readonly cut: number;
  readonly tookMs: number;
}

/** How often it is looked whether all have moved. */
const LOOK_MS = 50;

/**
 * Empties a pod: every client attaches elsewhere before it is let go. The caller has made readiness fail and admission refuse
 * by the times given; see `WebSocketServer.drain`.
 */
export async function drain(
  pod: Pod,
  plain: ReadonlySet<WebSocket>,
  clock: Clock,
  options: DrainOptions,
  stopAccepting: () => void,
): Promise<DrainReport> {
  const { propagationMs = 0, movesPerSecond = 500, spreadMs = 500, deadlineMs = 25_000 } = options;
  const startMs = clock.monotonicMs();
  const wait = (ms: number): Promise<void> => new Promise((resolve) => clock.setTimeout(resolve, ms));
  await wait(propagationMs);
  stopAccepting();
  const attached = Array.from(pod.sessions.values()).filter((session) => session.machine.state === 'attached');
  const total = attached.length + plain.size;
  const wholeMs = Math.max(spreadMs, (total / movesPerSecond) * 1_000);
  const stepMs = wholeMs / Math.max(1, total);
  // Each client gets a step of its own and chooses a moment in it: the rate holds, and none knows the others' moments.
  for (const [i, session] of attached.entries()) {
    session.machine.drain(Math.floor(i * stepMs), Math.ceil(stepMs));
    session.run();
  }
  // A plain client cannot be asked: it is told when its step comes, with a code that says that it may come back.
  for (const [i, ws] of Array.from(plain).entries()) {
    clock.setTimeout(() => ws.close(CLOSE.restart, 'restart'), (attached.length + i) * stepMs);
  }
  const left = (): number => attached.filter((session) => session.machine.state === 'attached').length;
  while ((left() > 0 || plain.size > 0) && clock.monotonicMs() - startMs < deadlineMs) await wait(LOOK_MS);
  const cut = left();
  for (const session of pod.sessions.values()) {
    session.machine.hangUp(errors.BUSY, 'drained', CLOSE.restart);
    session.run();
  }
  for (const ws of plain) ws.close(CLOSE.restart, 'restart');
  await pod.stop();
  return { asked: total, moved: attached.length - cut, cut, tookMs: Math.round(clock.monotonicMs() - startMs) };
}
