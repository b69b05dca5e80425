import type { Ledger, SessionRecord } from './ledger.js';
import { expiryOf, type Lease, rotateTokens } from './rules.js';
import type { Claim, Refusal, SessionState } from './store.js';

/** How a session comes to belong to a pod, on any ledger. A caller that may fail halfway runs it in a transaction. */

/** The session's own part of its state; the rest of {@link SessionState} lies with the ledger. */
export type Facts = Pick<SessionState, 'request' | 'data'>;

/**
 * Proves the token and that no later attempt was here before, raises the epoch and moves the session to the pod that claims it. The pod that held it is told, unless it is
 * the same one, which knows.
 */
export function attachSession(ledger: Ledger, claim: Claim, lease: Lease | undefined): SessionRecord | Refusal {
  const session = ledger.session(claim.id);
  if (session === undefined || expiryOf(session, lease) < claim.nowMs) return 'unknown';
  const tokens = rotateTokens(session.tokens, claim.presented, claim.next);
  if (tokens === undefined) return 'refused';
  if (claim.attempt <= session.attempt) return 'late';
  session.tokens = tokens;
  session.attempt = claim.attempt;
  session.attachedMs = claim.nowMs;
  session.detachedMs = null;
  moveSession(ledger, session, claim.pod);
  return session;
}

/** Takes a session from a pod that is gone. If it was attached, its transport went with the pod, and that is known from now on. */
export function adoptSession(ledger: Ledger, session: SessionRecord, pod: string, nowMs: number): void {
  session.detachedMs ??= nowMs;
  moveSession(ledger, session, pod);
}

function moveSession(ledger: Ledger, session: SessionRecord, pod: string): void {
  if (session.pod !== pod) ledger.fence(session.pod, { session: session.id, epoch: session.epoch });
  session.epoch += 1;
  session.pod = pod;
  ledger.changed(session);
}

/** What the pod that now holds the session needs to know of it. */
export function stateOf(ledger: Ledger, session: SessionRecord, facts: Facts): SessionState {
  const { log } = session;
  return {
    id: session.id,
    epoch: session.epoch,
    watermark: session.watermark,
    stream: { epoch: log.epoch, end: log.end, acked: session.acked },
    topics: [...ledger.cursors(session)].map(([topic, { epoch, offset }]) => {
      return { topic, epoch, offset, end: ledger.topic(topic).log.end };
    }),
    createdMs: session.createdMs,
    request: facts.request,
    ...(facts.data !== undefined && { data: facts.data }),
    ...(session.closing !== undefined && { closing: session.closing }),
  };
}
