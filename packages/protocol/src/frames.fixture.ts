import fc from 'fast-check';
import { topicToWire } from './bodies.js';
import type { Frame, FrameType, Payload } from './frames.js';
import { LIMITS } from './limits.js';
import { DEFAULT_POLICY } from './policy.js';

/** Arbitrary frames, with all that is legal and near the limits. */

const number = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 1, LIMITS.number));
const positive = number.map((n) => Math.max(n, 1));
const id = fc.stringMatching(/^[A-Za-z0-9_.:-]{1,64}$/);
const topic = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 40, unit: 'binary' }),
    fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme-ascii' }),
    fc.constantFrom('a=b', 'with space', '100%', 'caf\u00e9', 'x'.repeat(LIMITS.topicBytes), '=', '%41'),
  )
  .filter((name) => topicToWire(name) !== undefined);
/** Well-formed text: a lone surrogate does not survive UTF-8. */
const text = fc.string({ unit: 'binary', maxLength: 40 }).map((value) => value.replace(/\p{Surrogate}/gu, '?'));
export const payload: fc.Arbitrary<Payload> = fc.oneof(
  text.map((data) => ({ data, binary: false })),
  fc.uint8Array({ maxLength: 60 }).map((data) => ({ data, binary: true })),
  text.map((data) => ({ data: new TextEncoder().encode(data), binary: false })),
);

const window = fc.record({ messages: positive, bytes: positive });
const auth = fc.option(text, { nil: undefined });
const again = fc.option(fc.boolean(), { nil: undefined });
const cursor = fc.record({ topic, epoch: id, offset: number });
const range = fc.record({ topic, epoch: id, offset: number, end: number });
const topics = fc.array(cursor, { maxLength: 5 });
const ranges = fc.array(range, { maxLength: 5 });
const beats = fc
  .tuple(positive, positive)
  .map(([a, b]) => [Math.min(a, b, LIMITS.number - 1), Math.max(Math.min(a, b, LIMITS.number - 1) + 1, a, b)] as const);
const policy = fc
  .record({ beats, background: beats, retry: beats, rest: fc.tuple(positive, positive, positive), window })
  .map(({ beats: [pingMs, deadMs], background, retry, rest: [ackMs, maxPayloadBytes, sessionMs], window: w }) => ({
    ...DEFAULT_POLICY,
    pingMs,
    deadMs,
    backgroundPingMs: background[0],
    backgroundDeadMs: background[1],
    ackMs,
    maxPayloadBytes,
    sessionMs,
    retryMinMs: retry[0],
    retryMaxMs: retry[1],
    window: w,
  }));

const withoutUndefined = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;

const reason = text.filter((value) => new TextEncoder().encode(value).length <= LIMITS.reasonBytes);

/** One arbitrary for each frame type. */
export const FRAMES: { readonly [T in FrameType]: fc.Arbitrary<Frame & { type: T }> } = {
  m: fc.tuple(positive, number, payload).map(([n, ack, p]) => ({ type: 'm', n, ack, ...p })),
  r: fc.tuple(positive, number, payload).map(([n, ack, p]) => ({ type: 'r', n, ack, ...p })),
  t: fc.tuple(positive, topic, payload).map(([n, name, p]) => ({ type: 't', n, topic: name, ...p })),
  v: payload.map((p) => ({ type: 'v', ...p })),
  hello: fc.record({ window, auth, again }).map((body) => ({ type: 'hello', body: withoutUndefined(body) })),
  resume: fc
    .record({ session: id, token: id, attempt: positive, epoch: id, received: number, topics, window, auth, again })
    .map((body) => ({ type: 'resume', body: withoutUndefined(body) })),
  welcome: fc.record({ session: id, token: id, epoch: id, pod: id, policy }).map((body) => ({ type: 'welcome', body })),
  resumed: fc
    .record({ token: id, epoch: id, pod: id, policy, received: number, offset: number, end: number, topics: ranges })
    .map((body) => ({ type: 'resumed', body })),
  sub: fc.record({ type: fc.constant('sub' as const), n: number, epoch: id, topic }),
  unsub: fc.record({ type: fc.constant('unsub' as const), topic }),
  ack: fc.record({
    type: fc.constant('ack' as const),
    ack: number,
    topics: fc.array(fc.record({ topic, offset: number }), { maxLength: LIMITS.acksPerFrame }),
  }),
  gap: fc
    .tuple(number, number, id, fc.oneof(fc.constant(''), topic))
    .map(([a, b, epoch, name]) => ({ type: 'gap', from: Math.min(a, b), to: Math.max(a, b), epoch, topic: name })),
  ping: fc.record({ type: fc.constant('ping' as const), stamp: number, ack: number }),
  pong: fc.record({ type: fc.constant('pong' as const), stamp: number, ack: number }),
  pace: fc.record({
    type: fc.constant('pace' as const),
    pace: fc.constantFrom('foreground' as const, 'background' as const),
  }),
  drain: fc.record({ type: fc.constant('drain' as const), afterMs: number, withinMs: number }),
  again: fc.record({ type: fc.constant('again' as const), afterMs: number, withinMs: number }),
  bye: fc.record({
    type: fc.constant('bye' as const),
    code: fc.oneof(fc.constantFrom(1000, 1001, 1005, 4999), fc.integer({ min: 3000, max: 4999 })),
    reason,
  }),
};

export const FRAME_TYPES = Object.keys(FRAMES) as FrameType[];
export const frame: fc.Arbitrary<Frame> = fc.oneof(...Object.values<fc.Arbitrary<Frame>>(FRAMES));
