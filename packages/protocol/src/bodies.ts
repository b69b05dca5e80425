import type { HelloBody, ResumeBody, ResumedBody, TopicCursor, TopicRange, WelcomeBody, Window } from './frames.js';
import { LIMITS } from './limits.js';
import type { Policy } from './policy.js';
import { sizeOf } from './utf8.js';

/**
 * Readers of the JSON bodies. Each takes any JSON value and returns a fresh body with the known members, or undefined. Members
 * that are not known are ignored, so that a later minor version can add some.
 */
type Reader<T> = (value: unknown) => T | undefined;
type Members = Record<string, unknown>;

const members = (value: unknown): Members | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : undefined;

export const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

const isPositive = (value: unknown): value is number => isCount(value) && value > 0;

const ID = new RegExp(`^[A-Za-z0-9_.:-]{1,${LIMITS.idBytes}}$`);
/** Session ids, tokens, epochs and pod names: what stands unquoted in a header, a URL and a log line. */
export const isId = (value: unknown): value is string => typeof value === 'string' && ID.test(value);

/** A topic as it stands on the wire; {@link topicToWire} makes it. */
const WIRE_TOPIC = new RegExp(`^[!-<>-~]{1,${LIMITS.topicBytes}}$`);

/** Percent-encodes what would break a header line. Undefined if the name is empty, too long, or no well-formed text. */
export function topicToWire(topic: string): string | undefined {
  if (WIRE_TOPIC.test(topic) && !topic.includes('%')) return topic;
  try {
    const wire = encodeURIComponent(topic);
    return WIRE_TOPIC.test(wire) ? wire : undefined;
  } catch {
    return undefined; // a lone surrogate
  }
}

/** The inverse; undefined for anything that {@link topicToWire} would not have written, so that a name has one spelling. */
export function topicFromWire(wire: string): string | undefined {
  if (!WIRE_TOPIC.test(wire)) return undefined;
  if (!wire.includes('%')) return wire;
  try {
    const topic = decodeURIComponent(wire);
    return topicToWire(topic) === wire ? topic : undefined;
  } catch {
    return undefined;
  }
}

const isTopic = (value: unknown): value is string => typeof value === 'string' && topicToWire(value) !== undefined;

const readWindow: Reader<Window> = (value) => {
  const { messages, bytes } = members(value) ?? {};
  return isPositive(messages) && isPositive(bytes) ? { messages, bytes } : undefined;
};

/** `auth` is optional: absent and undefined are the same; anything else must be a bounded string. */
const isAuth = (value: unknown): value is string | undefined =>
  value === undefined || (typeof value === 'string' && sizeOf(value) <= LIMITS.authBytes);

/** What a client may say of itself beside what it must. */
const readExtras = (from: Members): Pick<HelloBody, 'auth' | 'again'> | undefined => {
  const { auth, again } = from;
  if (!isAuth(auth) || (again !== undefined && typeof again !== 'boolean')) return undefined;
  return { ...(auth !== undefined && { auth }), ...(again !== undefined && { again }) };
};

function readAll<T>(value: unknown, read: Reader<T>): T[] | undefined {
  if (!Array.isArray(value) || value.length > LIMITS.topics) return undefined;
  const all: T[] = [];
  for (const item of value as unknown[]) {
    const one = read(item);
    if (one === undefined) return undefined;
    all.push(one);
  }
  return all;
}

const readCursor: Reader<TopicCursor> = (value) => {
  const { topic, epoch, offset } = members(value) ?? {};
  return isTopic(topic) && isId(epoch) && isCount(offset) ? { topic, epoch, offset } : undefined;
};

const readRange: Reader<TopicRange> = (value) => {
  const cursor = readCursor(value);
  const end = members(value)?.['end'];
  return cursor && isCount(end) ? { ...cursor, end } : undefined;
};

/** The members of a policy that are one number each. */
const NUMBERS = [
  'pingMs',
  'deadMs',
  'backgroundPingMs',
  'backgroundDeadMs',
  'ackMs',
  'maxPayloadBytes',
  'sessionMs',
  'retryMinMs',
  'retryMaxMs',
] as const satisfies readonly (keyof Policy)[];

export const readPolicy: Reader<Policy> = (value) => {
  const from = members(value);
  const window = readWindow(from?.['window']);
  if (!from || !window || !NUMBERS.every((name) => isPositive(from[name]))) return undefined;
  const numbers = Object.fromEntries(NUMBERS.map((name) => [name, from[name]])) as Omit<Policy, 'window'>;
  // A ping needs time to be answered, or every transport is dead as soon as it is idle.
  if (numbers.deadMs <= numbers.pingMs || numbers.backgroundDeadMs <= numbers.backgroundPingMs) return undefined;
  return numbers.retryMaxMs < numbers.retryMinMs ? undefined : { ...numbers, window };
};

export const readHello: Reader<HelloBody> = (value) => {
  const from = members(value) ?? {};
  const window = readWindow(from['window']);
  const extras = readExtras(from);
  return window && extras ? { window, ...extras } : undefined;
};

export const readResume: Reader<ResumeBody> = (value) => {
  const from = members(value) ?? {};
  const { session, token, attempt, epoch, received, topics: t, window: w } = from;
  const window = readWindow(w);
  const topics = readAll(t, readCursor);
  const extras = readExtras(from);
  if (!isId(session) || !isId(token) || !isPositive(attempt)) return undefined;
  if (!isId(epoch) || !isCount(received)) return undefined;
  if (!topics || !window || !extras) return undefined;
  return { session, token, attempt, epoch, received, topics, window, ...extras };
};

export const readWelcome: Reader<WelcomeBody> = (value) => {
  const { session, token, epoch, pod, policy: p } = members(value) ?? {};
  const policy = readPolicy(p);
  if (!isId(session) || !isId(token) || !isId(epoch) || !isId(pod) || !policy) return undefined;
  return { session, token, epoch, pod, policy };
};

export const readResumed: Reader<ResumedBody> = (value) => {
  const { token, epoch, pod, policy: p, received, offset, end, topics: t } = members(value) ?? {};
  const policy = readPolicy(p);
  const topics = readAll(t, readRange);
  if (!isId(token) || !isId(epoch) || !isId(pod) || !policy || !topics) return undefined;
  if (!isCount(received) || !isCount(offset) || !isCount(end)) return undefined;
  return { token, epoch, pod, policy, received, offset, end, topics };
};
