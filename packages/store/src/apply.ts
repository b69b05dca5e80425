import type { Ledger, SessionRecord } from './ledger.js';
import { confirmTokens } from './rules.js';
import {
  ANY_EPOCH,
  type Batch,
  type BatchResult,
  type Effect,
  type EffectResult,
  type Guard,
  type Part,
  type PartResult,
} from './store.js';

const FENCED: PartResult = Object.freeze({ fenced: true });
const GONE: PartResult = Object.freeze({ fenced: true, gone: true });
/** The result of an effect that has no place in a stream. */
const DONE: EffectResult = Object.freeze({ offset: 0, epoch: '' });

/**
 * Applies a batch to a ledger, part by part and effect by effect, so that each sees what those before it did. It neither waits nor
 * asks what failed: a store that may fail halfway runs it in a transaction.
 */
export function applyBatch(ledger: Ledger, batch: Batch): BatchResult {
  return { parts: batch.parts.map((part) => applyPart(ledger, batch, part)) };
}

function applyPart(ledger: Ledger, batch: Batch, part: Part): PartResult {
  const session = part.guard && holder(ledger, part.guard);
  if (part.guard !== undefined && session === undefined) {
    return ledger.session(part.guard.session) === undefined ? GONE : FENCED;
  }
  if (session !== undefined) applyProgress(ledger, session, part, batch.nowMs);
  const effects = part.effects.map((effect) => applyEffect(ledger, effect, batch.nowMs));
  if (session !== undefined && part.end === true) endSession(ledger, session, batch.pod);
  return { fenced: false, effects };
}

/** The session, where the guard is current. */
function holder(ledger: Ledger, { session: id, epoch }: Guard): SessionRecord | undefined {
  const session = ledger.session(id);
  return session?.epoch === epoch ? session : undefined;
}

function applyProgress(ledger: Ledger, session: SessionRecord, part: Part, nowMs: number): void {
  let changed = false;
  if (part.watermark !== undefined && part.watermark > session.watermark) {
    session.watermark = part.watermark;
    changed = true;
  }
  if (part.confirm === true && session.tokens.previous !== undefined) {
    session.tokens = confirmTokens(session.tokens);
    changed = true;
  }
  if (part.acked !== undefined && part.acked > session.acked) {
    session.acked = Math.min(part.acked, session.log.end);
    ledger.drop(session.log, session.acked);
    changed = true;
  }
  if (part.detachedMs !== undefined) {
    if (part.detachedMs === null && session.detachedMs !== null) session.attachedMs = nowMs;
    session.detachedMs = part.detachedMs;
    changed = true;
  }
  if (changed) ledger.changed(session);
  for (const { topic, offset } of part.topicsAcked ?? []) advanceCursor(ledger, session, topic, offset);
}

function advanceCursor(ledger: Ledger, session: SessionRecord, topic: string, offset: number): void {
  const cursor = ledger.cursor(session, topic);
  if (cursor === undefined || offset <= cursor.offset) return;
  const { end } = ledger.topic(topic).log;
  ledger.setCursor(session, topic, { epoch: cursor.epoch, offset: Math.min(offset, end) });
}

function applyEffect(ledger: Ledger, effect: Effect, nowMs: number): EffectResult {
  if (effect.type === 'publish') {
    const { log } = ledger.topic(effect.topic);
    ledger.append(log, effect, nowMs);
    return { offset: log.end, epoch: log.epoch };
  }
  const isForAnyHolder = effect.type === 'send' && effect.epoch === ANY_EPOCH;
  const session = isForAnyHolder ? ledger.session(effect.session) : holder(ledger, effect);
  if (session === undefined) return 'fenced';
  switch (effect.type) {
    case 'send':
      // Nothing may follow the close that the application asked for.
      if (session.closing !== undefined) return 'fenced';
      ledger.append(session.log, effect, nowMs);
      return { offset: session.log.end, epoch: session.log.epoch };
    case 'subscribe':
      return subscribe(ledger, session, effect.topic);
    case 'unsubscribe':
      ledger.setCursor(session, effect.topic, undefined);
      return DONE;
    case 'data':
      ledger.setData(session, effect.data);
      return DONE;
    case 'close':
      session.closing ??= { code: effect.code, reason: effect.reason };
      ledger.changed(session);
      return DONE;
  }
}

/** From the topic's end as it is now, so that what the batch publishes next is received; an older cursor is kept. */
function subscribe(ledger: Ledger, session: SessionRecord, topic: string): EffectResult {
  const known = ledger.cursor(session, topic);
  if (known !== undefined) return { offset: known.offset, epoch: known.epoch };
  const { end, epoch } = ledger.topic(topic).log;
  ledger.setCursor(session, topic, { epoch, offset: end });
  return { offset: end, epoch };
}

/** Ends a session and tells the pod that holds it, unless that is the one that ended it. */
export function endSession(ledger: Ledger, session: SessionRecord, by?: string): void {
  if (session.pod !== by) ledger.fence(session.pod, { session: session.id, epoch: session.epoch, gone: true });
  ledger.remove(session);
}
