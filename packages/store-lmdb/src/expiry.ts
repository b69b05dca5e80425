import { adoptSession, ageLimit, endSession, expiryOf, hasLapsed, type Retention } from '@holdfast/store';
import { type Environment, keysIn } from './environment.js';
import { attachedTo, byPod, detachedUntil, dueUntil, nameAtEnd, nameKey, podOf, type PodTag } from './keys.js';
import type { LmdbLedger } from './lmdb-ledger.js';
import type { LmdbSession } from './records.js';

/**
 * How much one call may remove: the processes wait for each other's transactions, and an entry takes about a microsecond. What is
 * left is found by the next call.
 */
const STREAMS_PER_CALL = 1000;
const ENTRIES_PER_CALL = 20_000;

/** Ends sessions whose life is over, and returns their ids. */
export function expireSessions(environment: Environment, ledger: LmdbLedger, nowMs: number, limit: number): string[] {
  const expired: string[] = [];
  const end = (id: string): boolean => {
    const session = ledger.session(id)!;
    if (expiryOf(session, ledger.lease(session.pod)) >= nowMs) return true;
    endSession(ledger, session);
    expired.push(id);
    return expired.length < limit && ledger.entries.removed < ENTRIES_PER_CALL;
  };
  const { index } = environment;
  for (const key of keysIn(index, detachedUntil(nowMs), limit)) if (!end(nameAtEnd(key))) return expired;
  for (const pod of podsIn(environment, 'a')) {
    // While the lease runs, or has run out a shorter time ago than they live, there is nothing in this range.
    const sinceMs = nowMs - (ledger.lease(pod)?.latestMs ?? 0);
    if (sinceMs <= 0) continue;
    for (const key of keysIn(index, attachedTo(pod, sinceMs))) if (!end(nameAtEnd(key))) return expired;
  }
  return expired;
}

/** Drops entries that are too old, and forgets topics that nobody needs. */
export function expireStreams(environment: Environment, ledger: LmdbLedger, nowMs: number, retention: Retention): void {
  const limitMs = ageLimit(nowMs, retention);
  for (const key of keysIn(environment.index, dueUntil(limitMs), STREAMS_PER_CALL)) {
    if (ledger.entries.removed >= ENTRIES_PER_CALL) return;
    const stream = nameAtEnd(key);
    const name = stream.slice(2);
    if (stream.startsWith('t:')) expireTopic(ledger, name, nowMs, limitMs);
    else expireEntries(ledger, ledger.session(name)!, limitMs);
  }
}

/** Forgets the leases that ran out long ago and whose pods own nothing any more. */
export function expireLeases(environment: Environment, ledger: LmdbLedger, nowMs: number, retention: Retention): void {
  const { index, pods } = environment;
  for (const key of keysIn(pods)) {
    const pod = key.toString();
    const isOld = (ledger.lease(pod)?.latestMs ?? 0) < ageLimit(nowMs, retention);
    if (isOld && keysIn(index, byPod('o', pod), 1).length === 0) pods.removeSync(nameKey(pod));
  }
}

/** Moves sessions of pods that are gone to this one. */
export function adoptSessions(
  environment: Environment,
  ledger: LmdbLedger,
  by: { readonly pod: string; readonly nowMs: number; readonly limit: number },
): LmdbSession[] {
  const adopted: LmdbSession[] = [];
  for (const pod of podsIn(environment, 'o')) {
    const lease = ledger.lease(pod);
    if (pod === by.pod || !hasLapsed(lease, by.nowMs)) continue;
    for (const key of keysIn(environment.index, byPod('o', pod))) {
      if (adopted.length >= by.limit) return adopted;
      const session = ledger.session(nameAtEnd(key))!;
      if (expiryOf(session, lease) < by.nowMs) continue;
      adoptSession(ledger, session, by.pod, by.nowMs);
      adopted.push(session);
    }
  }
  return adopted;
}

function expireTopic(ledger: LmdbLedger, name: string, nowMs: number, limitMs: number): void {
  const topic = ledger.topic(name);
  const { log } = topic;
  ledger.changedTopic(topic);
  if (!log.isEmpty) ledger.entries.dropOld(log, limitMs);
  if (!log.isEmpty) return;
  if (topic.followers > 0) log.dueMs = undefined;
  else if (log.idleSinceMs === undefined) log.dueMs = log.idleSinceMs = nowMs;
  else ledger.forgetTopic(name, topic);
}

function expireEntries(ledger: LmdbLedger, session: LmdbSession, limitMs: number): void {
  ledger.entries.dropOld(session.log, limitMs);
  ledger.changed(session);
}

/** The pods that occur under a tag of the index, found by skipping from one to the next. */
function podsIn({ index }: Environment, tag: PodTag): string[] {
  const pods: string[] = [];
  const { end } = byPod(tag);
  let { start } = byPod(tag);
  for (;;) {
    const [key] = keysIn(index, { start, end }, 1);
    if (key === undefined) return pods;
    pods.push(podOf(key));
    start = byPod(tag, podOf(key)).end;
  }
}
