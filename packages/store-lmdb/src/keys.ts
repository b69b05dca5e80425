import { errors, HoldfastError, type StreamKey } from '@holdfast/store';

/**
 * The keys of the tables. A name that something follows is led by its length, so that no name is the beginning of another's keys;
 * numbers are big-endian, so that the order of the keys is theirs, and what belongs together is one range.
 */

/** Bytes of a number in a key: 47 bits are offsets for ages and milliseconds until the year 6429. */
const NUMBER_BYTES = 6;
const NUMBER_MAX = 2 ** 47 - 1;

/** A half-open range of keys. */
export interface KeyRange {
  readonly start: Buffer;
  readonly end: Buffer;
}

export function nameKey(name: string): Buffer {
  return Buffer.from(checked(name));
}

/** `request`, `data`, or the cursor of a topic. */
export type FactKind = 'r' | 'd' | 't';

export function factKey(session: string, kind: FactKind, topic = ''): Buffer {
  return Buffer.concat([led(session), Buffer.from(kind + topic)]);
}

export function factsOf(session: string, kind?: FactKind): KeyRange {
  return startingWith(kind === undefined ? led(session) : factKey(session, kind));
}

export function topicOfFact(key: Buffer): string {
  return key.toString('utf8', key[0]! + 2);
}

/** What all entries of a stream begin with; it is kept, as it is needed for each of them. */
export function entryPrefix(stream: StreamKey): Buffer {
  return led(stream);
}

export function entryKey(prefix: Buffer, offset: number): Buffer {
  const key = Buffer.allocUnsafe(prefix.length + NUMBER_BYTES);
  prefix.copy(key);
  key.writeUIntBE(offset, prefix.length, NUMBER_BYTES);
  return key;
}

/** What a session is found by: who owns it, who has it attached and for how long a life, and when it expires if it is detached. */
export function ownerKey(pod: string, session: string): Buffer {
  return Buffer.concat([tagged('o', led(pod)), Buffer.from(session)]);
}

export function attachedKey(pod: string, lifeMs: number, session: string): Buffer {
  return Buffer.concat([tagged('a', led(pod)), number(lifeMs), Buffer.from(session)]);
}

export function detachedKey(expiresMs: number, session: string): Buffer {
  return Buffer.concat([tagged('d'), number(expiresMs), Buffer.from(session)]);
}

/** When a stream must be looked at for entries that are too old. */
export function dueKey(dueMs: number, stream: StreamKey): Buffer {
  return Buffer.concat([tagged('g'), number(dueMs), Buffer.from(stream)]);
}

/** Who follows a topic. */
export function followerKey(topic: string, session: string): Buffer {
  return Buffer.concat([tagged('f', led(topic)), Buffer.from(session)]);
}

/** The followers of a topic whose ids come behind this one. */
export function followersOf(topic: string, after = ''): KeyRange {
  const { start, end } = startingWith(tagged('f', led(topic)));
  // A key that is given once more with a byte 0 is the next one there can be.
  return { start: after === '' ? start : Buffer.concat([start, Buffer.from(`${after}\0`)]), end };
}

export function followerOf(key: Buffer): string {
  return key.toString('utf8', 2 + key[1]!);
}

/** What is kept by pod: sessions that it owns, and those of them that are attached. */
export type PodTag = 'o' | 'a';

/** All that is kept under a tag, or only that of one pod. */
export function byPod(tag: PodTag, pod?: string): KeyRange {
  return startingWith(pod === undefined ? tagged(tag) : tagged(tag, led(pod)));
}

/** The sessions that a pod has attached, of lives shorter than this. */
export function attachedTo(pod: string, lifeMs: number): KeyRange {
  const prefix = tagged('a', led(pod));
  return { start: prefix, end: Buffer.concat([prefix, number(lifeMs)]) };
}

/** The detached sessions that expire before this time. */
export function detachedUntil(ms: number): KeyRange {
  return { start: tagged('d'), end: tagged('d', number(ms)) };
}

/** The streams that were to be looked at before this time. */
export function dueUntil(ms: number): KeyRange {
  return { start: tagged('g'), end: tagged('g', number(ms)) };
}

export function podOf(key: Buffer): string {
  return key.toString('utf8', 2, 2 + key[1]!);
}

/** The name at the end of an index key, behind a tag, perhaps a pod, and perhaps a number. */
export function nameAtEnd(key: Buffer): string {
  const tag = String.fromCharCode(key[0]!);
  const podBytes = tag === 'o' || tag === 'a' ? 1 + key[1]! : 0;
  return key.toString('utf8', 1 + podBytes + (tag === 'o' ? 0 : NUMBER_BYTES));
}

function led(name: string): Buffer {
  const bytes = Buffer.from(checked(name));
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

function tagged(tag: string, ...rest: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(tag), ...rest]);
}

function number(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(NUMBER_BYTES);
  bytes.writeUIntBE(Math.min(Math.max(Math.floor(value), 0), NUMBER_MAX), 0, NUMBER_BYTES);
  return bytes;
}

/** Ends right behind the last key that starts so. No key goes on with a byte 255: no text, length or number begins with it. */
function startingWith(prefix: Buffer): KeyRange {
  return { start: prefix, end: Buffer.concat([prefix, Buffer.of(255)]) };
}

function checked(name: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes > 0 && bytes < 255) return name;
  throw new HoldfastError(errors.OPTION, `a name of ${bytes} bytes; sessions, pods and topics have 1 to 250`);
}
