import { expiryOf } from '@holdfast/store';
import { readBootId } from './boot.js';
import { type Binary, Environment } from './environment.js';
import { attachedKey, detachedKey, dueKey, entryPrefix, factKey, followerKey, ownerKey, topicOfFact } from './keys.js';
import { type LmdbLog, readSession, readTopic } from './records.js';

/** What does not agree within the tables of a store that nobody has open: index keys, counts, entries, facts. */
export async function audit(directory: string): Promise<string[]> {
  const environment = await Environment.open({
    directory,
    durability: 'process',
    mapBytes: 2 ** 32,
    bootId: readBootId(),
  });
  try {
    return environment.read(() => problemsIn(environment));
  } finally {
    await environment.close(() => true);
  }
}

function problemsIn(environment: Environment): string[] {
  const sessions = [...environment.sessions.getRange({})].map(({ key, value }) => readSession(key.toString(), value));
  const topics = [...environment.topics.getRange({})].map(({ key, value }) => readTopic(key.toString(), value));
  const logs = [...sessions, ...topics].map(({ log }) => log);

  const followers = new Map<string, number>();
  const following: Buffer[] = [];
  const facts = keysOf(environment.facts);
  for (const key of facts) {
    if (kindOfFact(key) !== 't') continue;
    const topic = topicOfFact(key);
    following.push(followerKey(topic, sessionOfFact(key)));
    followers.set(topic, (followers.get(topic) ?? 0) + 1);
  }
  const due = logs.flatMap(({ key, dueMs }) => (dueMs === undefined ? [] : [dueKey(dueMs, key)]));
  const places = sessions.flatMap(({ id, pod, lifeMs, detachedMs, attachedMs }) => [
    ownerKey(pod, id),
    detachedMs === null
      ? attachedKey(pod, lifeMs, id)
      : detachedKey(expiryOf({ lifeMs, detachedMs, attachedMs }, undefined), id),
  ]);
  return [
    ...difference('index', keysOf(environment.index), [...due, ...places, ...following]),
    ...topics
      .filter((topic) => topic.followers !== (followers.get(topic.log.key.slice(2)) ?? 0))
      .map((topic) => `${topic.log.key} says ${topic.followers} followers`),
    ...[...followers.keys()]
      .filter((name) => !topics.some(({ log }) => log.key === `t:${name}`))
      .map((name) => `no topic ${name}`),
    ...sessions
      .filter(({ id }) => !facts.some((key) => key.equals(factKey(id, 'r'))))
      .map(({ id }) => `${id} lacks its request`),
    ...facts
      .filter((key) => !sessions.some(({ id }) => id === sessionOfFact(key)))
      .map((key) => `a fact of nobody: ${key.toString()}`),
    ...logs.flatMap((log) => entryProblems(environment.entries, log)),
    ...difference(
      'entries',
      keysOf(environment.entries).map(streamOfEntry),
      logs.flatMap(({ prefix, first, end }) => Array.from({ length: end - first + 1 }, () => prefix)),
    ),
  ];
}

function entryProblems(entries: Binary, log: LmdbLog): string[] {
  const prefix = entryPrefix(log.key);
  const end = Buffer.concat([prefix, Buffer.alloc(6, 255)]);
  const kept = [...entries.getRange({ start: prefix, end })];
  const offsets = kept.map(({ key }) => key.readUIntBE(prefix.length, 6));
  const bytes = kept.reduce((sum, { value }) => sum + value.length - 13, 0);
  const oldestMs = Math.min(...kept.slice(0, 1).map(({ value }) => value.readUIntBE(1, 6)));
  const problems: [boolean, string][] = [
    [offsets.some((offset, index) => offset !== log.first + index), `offsets ${offsets.join()} from ${log.first}`],
    [bytes !== log.bytes, `${bytes} bytes, not ${log.bytes}`],
    [
      kept.length > 0 && !(log.dueMs !== undefined && log.dueMs <= oldestMs),
      `is looked at ${log.dueMs}, not by ${oldestMs}`,
    ],
  ];
  return problems.filter(([isWrong]) => isWrong).map(([, what]) => `${log.key}: ${what}`);
}

function sessionOfFact(key: Buffer): string {
  return key.toString('utf8', 1, 1 + key.readUInt8(0));
}

function kindOfFact(key: Buffer): string {
  return key.toString('latin1', 1 + key.readUInt8(0), 2 + key.readUInt8(0));
}

function streamOfEntry(key: Buffer): Buffer {
  return key.subarray(0, -6);
}

function keysOf(table: Binary): Buffer[] {
  return Array.from(table.getKeys({}));
}

function difference(name: string, actual: Buffer[], expected: Buffer[]): string[] {
  const count = (keys: Buffer[]): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const key of keys) counts.set(key.toString('latin1'), (counts.get(key.toString('latin1')) ?? 0) + 1);
    return counts;
  };
  const [is, should] = [count(actual), count(expected)];
  const every = new Set([...is.keys(), ...should.keys()]);
  return [...every]
    .filter((key) => is.get(key) !== should.get(key))
    .map((key) => `${name}: ${is.get(key) ?? 0} instead of ${should.get(key) ?? 0} of ${JSON.stringify(key)}`);
}
