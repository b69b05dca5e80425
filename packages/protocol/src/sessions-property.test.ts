import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { announceSeed, randomSeed, seededRandom } from '@holdfast/testing';
import type { Hint } from './client-options.js';
import { encode } from './encode.js';
import * as errors from './errors.js';
import { frame, FRAMES } from './frames.fixture.js';
import { entry, slice, TestClient, TestServer } from './sessions.fixture.js';
import { runsOf } from './runs.fixture.js';

// A hunt may be long.
vi.setConfig({ testTimeout: 3_600_000 });

const seed = randomSeed();
const numRuns = runsOf(2_000);
announceSeed('machines', seed, {
  command: 'npx vitest run --project unit packages/protocol/src/sessions-property.test.ts',
});

interface Due {
  readonly dueMs: number;
  handleTimeout(nowMs: number): void;
}

/** Timers that are due come to an end: none asks again and again for the time that it is. */
function expectNoSpin(session: Due, nowMs: number): void {
  for (let i = 0; session.dueMs <= nowMs; i++) {
    expect(i, 'timeouts at one instant').toBeLessThan(20);
    session.handleTimeout(nowMs);
  }
}

const small = fc.integer({ min: 0, max: 6 });
const epoch = fc.constantFrom('e1', 'e2');
const topic = fc.constantFrom('', 'a', 'b');
const wait = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 0, max: 100_000 }));
/** Any frame, mostly those that are near what a session expects, or anything at all. */
const likely = fc.oneof(
  fc.record({ type: fc.constantFrom('m' as const, 'r' as const), n: small.map((n) => n + 1), ack: small }).map((f) => {
    return { ...f, data: 'x', binary: false };
  }),
  fc.record({ type: fc.constantFrom('ping' as const, 'pong' as const), stamp: small, ack: small }),
  fc.record({ n: small.map((n) => n + 1), name: fc.constantFrom('a', 'b') }).map(({ n, name }) => {
    return { type: 't' as const, n, topic: name, data: 'x', binary: false };
  }),
  fc
    .record({ ack: small, a: small })
    .map(({ ack, a }) => ({ type: 'ack' as const, ack, topics: [{ topic: 'a', offset: a }] })),
  fc.record({ type: fc.constant('sub' as const), n: small, epoch, topic: fc.constantFrom('a', 'b') }),
  fc.record({ type: fc.constant('unsub' as const), topic: fc.constantFrom('a', 'b') }),
  fc.tuple(small, small, epoch, topic).map(([a, b, e, t]) => {
    return { type: 'gap' as const, from: Math.min(a, b), to: Math.max(a, b), epoch: e, topic: t };
  }),
  FRAMES.bye,
  FRAMES.drain,
  fc.record({ type: fc.constant('again' as const), afterMs: fc.nat(100), withinMs: fc.nat(100) }),
  FRAMES.pace,
  FRAMES.welcome,
  fc.tuple(FRAMES.resumed, epoch, small, small, small).map(([f, e, received, offset, more]) => {
    return { ...f, body: { ...f.body, epoch: e, received, offset, end: offset + more } };
  }),
);
const said = fc.oneof(
  { weight: 10, arbitrary: likely.map((f) => encode(f)) },
  { weight: 2, arbitrary: frame.map((f) => encode(f)) },
  { weight: 1, arbitrary: fc.record({ data: fc.string(), binary: fc.constant(false) }) },
  { weight: 1, arbitrary: fc.record({ data: fc.uint8Array(), binary: fc.boolean() }) },
);
const transport = fc.integer({ min: 1, max: 6 });

const clientOps = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.record({ do: fc.constant('hear' as const), said, transport, wait }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('open' as const), transport, holdfast: fc.boolean(), wait }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('lost' as const),
        transport,
        code: fc.constantFrom(1000, 1006, 1012, 1013, 4501, 4502),
        wait,
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('send' as const), bytes: fc.nat(40), wait }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('plainServer' as const), transport, wait }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('hint' as const),
        hint: fc.constantFrom<Hint>('online', 'offline', 'visible', 'hidden', 'woken'),
        wait,
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const), wait }) },
  ),
  { maxLength: 60, size: 'max' },
);

describe('a client', () => {
  it('neither throws nor spins, whatever is said and done to it', () => {
    const property = fc.property(fc.boolean(), fc.nat(), clientOps, (isOpen, draw, ops) => {
      const client = new TestClient({ random: seededRandom(draw) });
      if (isOpen) client.open();
      else client.session.connect(0);
      for (const op of ops) {
        client.nowMs += op.wait;
        const { session, nowMs } = client;
        if (op.do === 'hear') session.handleData(op.transport, op.said.data, op.said.binary, nowMs);
        else if (op.do === 'open') session.handleOpen(op.transport, op.holdfast, nowMs);
        else if (op.do === 'lost') session.handleLost(op.transport, op.code, '', nowMs);
        else if (op.do === 'send') session.send({ data: 'x'.repeat(op.bytes), binary: false }, nowMs);
        else if (op.do === 'plainServer') session.handlePlainServer(op.transport, nowMs);
        else if (op.do === 'hint') session.handleHint(op.hint, nowMs);
        else session.close(3_000, '', nowMs);
        expectNoSpin(session, nowMs);
      }
      const closes = client.out.filter((line) => line.startsWith('close'));
      expect(closes).toHaveLength(client.session.state === 'closed' ? 1 : 0);
    });
    fc.assert(property, { seed, numRuns });
  });
});

const serverOps = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.record({ do: fc.constant('hear' as const), said, wait }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('welcome' as const), wait }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('resume' as const),
        epoch,
        received: small,
        a: small,
        aEpoch: epoch,
        wait,
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('entry' as const), topic, n: small, epoch, wait }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('grown' as const), topic, n: small, wait }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('slice' as const),
        topic,
        first: small,
        count: small,
        more: small,
        epoch,
        wait,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom('subscribe' as const, 'unsubscribe' as const),
        topic,
        n: small,
        wait,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom(
          'committed' as const,
          'writable' as const,
          'paused' as const,
          'closing' as const,
          'refresh' as const,
          'lost' as const,
        ),
        n: small,
        wait,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constantFrom('ended' as const, 'fenced' as const, 'hangUp' as const, 'readFailed' as const),
        wait,
      }),
    },
  ),
  { maxLength: 60, size: 'max' },
);
type ServerOp = typeof serverOps extends fc.Arbitrary<(infer T)[]> ? T : never;

function perform(server: TestServer, op: ServerOp, attempt: number): void {
  const { session, nowMs } = server;
  const window = { messages: 3, bytes: 3 };
  switch (op.do) {
    case 'hear':
      return session.handleData(session.transport ?? 0, op.said.data, op.said.binary, nowMs);
    case 'welcome':
      return session.state === 'gone' ? undefined : session.welcome(attempt, window, 'k', nowMs);
    case 'resume': {
      if (session.state === 'gone') return undefined;
      const topics = [{ topic: 'a', epoch: op.aEpoch, offset: op.a }];
      const body = { session: 's1', token: 'k', attempt, epoch: op.epoch, received: op.received, topics, window };
      return session.resume(attempt, body, 'k', nowMs);
    }
    case 'entry':
      return session.handleEntry(op.topic, entry(op.n + 1), op.epoch);
    case 'grown':
      return session.handleGrown(op.topic, op.n);
    case 'slice': {
      const offsets = Array.from({ length: op.count }, (_, i) => op.first + 1 + i);
      return session.handleSlice(op.topic, slice(op.first + 1, op.first + op.count + op.more, offsets, op.epoch));
    }
    case 'subscribe':
      return op.topic === '' ? undefined : session.handleSubscribed(op.topic, 'e1', op.n);
    case 'unsubscribe':
      return session.handleUnsubscribed(op.topic);
    case 'committed':
      return session.handleCommitted(Math.min(op.n, session.received), nowMs);
    case 'writable':
    case 'paused':
      return session.handleWritable(op.do === 'writable');
    case 'closing':
      return session.handleClosing(4_000, '', nowMs);
    case 'refresh':
      return session.refresh({ stream: { epoch: 'e1', end: op.n, acked: 0 }, topics: [] });
    case 'lost':
      return session.handleLost(session.transport ?? 0, 1006, '');
    case 'ended':
      return session.handleEnded();
    case 'fenced':
      return session.handleFenced();
    case 'hangUp':
      return session.hangUp(errors.BUSY);
    case 'readFailed':
      return session.handleReadFailed('');
  }
}

describe('a pod', () => {
  it('neither throws nor spins, whatever is said and done to it', () => {
    const property = fc.property(serverOps, (ops) => {
      const topics = [{ topic: 'a', epoch: 'e1', offset: 1, end: 3 }];
      const server = new TestServer({ stream: { epoch: 'e1', end: 3, acked: 0 }, topics }).open({
        messages: 3,
        bytes: 3,
      });
      let delivered = 0;
      for (const [i, op] of ops.entries()) {
        server.nowMs += op.wait;
        perform(server, op, i + 2);
        expectNoSpin(server.session, server.nowMs);
        server.collect();
        for (const output of server.outputs.splice(0)) {
          if (output.type === 'deliver') expect(output.n).toBe(++delivered);
        }
        expect(server.session.received).toBe(delivered);
        expect(server.session.transport !== undefined).toBe(server.session.state === 'attached');
      }
    });
    fc.assert(property, { seed, numRuns });
  });
});
