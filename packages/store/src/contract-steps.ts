import fc from 'fast-check';
import { hashOf } from './contract-kit.js';

/** Everything that may be asked of a store, drawn so that sessions, epochs, offsets and times often meet. */

const session = fc.constantFrom('s1', 's2');
const pod = fc.constantFrom('a', 'b', 'c');
const topic = fc.constantFrom('x', 'y');
const token = fc.constantFrom('t1', 't2', 't3').map(hashOf);
const text = fc.string({ maxLength: 8 });
/** Mostly on, sometimes back: the clocks of two pods differ. */
export const stepMs = fc.oneof(fc.integer({ min: 0, max: 90 }), fc.integer({ min: -20, max: 700 }));
/** Mostly the current epoch, sometimes an old or a future one. */
const epochOff = fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.integer({ min: -2, max: 1 }));
const offset = fc.integer({ min: 0, max: 12 });

const effect = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('send'), session, epochOff, text }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('publish'), topic, text }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('subscribe'), session, epochOff, topic }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('unsubscribe'), session, epochOff, topic }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('data'), session, epochOff, text }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('close'), session, epochOff, code: fc.constantFrom(4001, 4002) }),
  },
);

const part = fc.record(
  {
    guard: fc.record({ session, epochOff }),
    watermark: offset,
    confirm: fc.constant(true),
    acked: offset,
    topicsAcked: fc.array(fc.record({ topic, offset }), { maxLength: 3 }),
    detached: fc.boolean(),
    end: fc.constant(true),
    effects: fc.array(effect, { maxLength: 5 }),
  },
  { requiredKeys: ['effects'] },
);

export const step = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('create'), session, pod, token, lifeMs: fc.constantFrom(100, 400) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('attach'),
      session,
      pod,
      presented: fc.oneof({ weight: 4, arbitrary: fc.constant('newest' as const) }, token),
      next: token,
      overtaken: fc.constantFrom(0, 0, 0, 1),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('commit'), pod, parts: fc.array(part, { maxLength: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lease'), pod, forMs: fc.constantFrom(-1, 50, 300) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('adopt'), pod, limit: fc.integer({ min: 1, max: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('expire'), limit: fc.integer({ min: 1, max: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen') }) },
);

type Drawn<T> = T extends fc.Arbitrary<infer Value> ? Value : never;
export type Step = Drawn<typeof step>;
export type DrawnPart = Drawn<typeof part>;
export type DrawnEffect = Drawn<typeof effect>;
