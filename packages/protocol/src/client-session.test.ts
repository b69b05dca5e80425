import { describe, expect, it, vi } from 'vitest';
import { CircuitBreaker } from './breaker.js';
import { CLOSE } from './close-codes.js';
import * as errors from './errors.js';
import type { Frame } from './frames.js';
import { LIMITS } from './limits.js';
import { TestClient } from './sessions.fixture.js';

// Many runs, on a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 60_000 });

const text = (data: string) => ({ data, binary: false });
const m = (n: number, data = `${n}`, ack = 0): Frame => ({ type: 'm', n, ack, ...text(data) });

describe('a client that opens a session', () => {
  it('says hello, with what it lets the server send', () => {
    const client = new TestClient({ auth: () => 'me' });
    client.session.connect(0);
    client.session.handleOpen(1, true, 5);
    expect(client.said('hello').body).toEqual({ window: { messages: 100, bytes: 100_000 }, auth: 'me', again: true });
  });

  it('is open when it is welcome, and sends what was accepted before', () => {
    const client = new TestClient().open();
    expect([client.session.state, client.session.id, client.session.pod]).toEqual(['open', 's1', 'p1']);
    client.session.send(text('a'), 0);
    expect(client.out).toEqual(['1> m 1 0|a']);
  });

  it('gives each attempt to open so long, and the answer to its first frame so long', () => {
    const client = new TestClient();
    client.session.connect(0);
    expect(client.session.dueMs).toBe(3_000);
    client.session.handleOpen(1, true, 1_000);
    expect(client.session.dueMs).toBe(16_000);
    client.pass(16_000);
    expect(client.out).toContain('1> hangup 4504 HF_HANDSHAKE');
  });

  it('gives up after so many attempts, and says so', () => {
    const client = new TestClient({ maxAttempts: 3 });
    client.session.connect(0);
    for (let transport = 1; transport <= 3; transport++) {
      client.session.handleLost(transport, 1006, '', client.nowMs);
      client.pass(2_000);
    }
    const out = client.out;
    expect(out.slice(-2)).toEqual(['error HF_UNREACHABLE', 'close 1006 HF_UNREACHABLE false']);
    expect([client.session.state, client.session.dueMs]).toEqual(['closed', Infinity]);
  });

  it.each([CLOSE.unauthorized, CLOSE.protocol, CLOSE.expired])('ends when the server refuses it with %i', (code) => {
    const client = new TestClient();
    client.session.connect(0);
    client.session.handleOpen(1, true, 0);
    client.session.handleLost(1, code, 'why', 0);
    expect(client.out.at(-1)).toBe(`close ${code} why false`);
  });

  it('comes back no earlier than the server asks for', () => {
    const client = new TestClient();
    client.session.connect(0);
    client.session.handleOpen(1, true, 0);
    client.session.handleLost(1, CLOSE.later, 'HF_BUSY retry=20000', 0);
    expect(client.session.dueMs).toBe(30_000);
  });

  it('fails its connection when it is closed before it is open', () => {
    const client = new TestClient();
    client.session.connect(0);
    client.session.close(3_000, 'x', 1);
    expect(client.out).toEqual(['dial 1 session', '1> hangup 1000', 'close 1006  false']);
  });

  it('heeds the breaker that it shares with others', () => {
    const breaker = new CircuitBreaker({ failures: 1, openMs: 60_000 });
    breaker.failed(0);
    const client = new TestClient({ breaker });
    client.session.connect(0);
    expect([client.out, client.session.dueMs >= 60_000]).toEqual([[], true]);
    client.session.handleHint('online', 10);
    expect(client.out).toEqual(['dial 1 session']);
  });
});

describe('a client that sends', () => {
  it('refuses what is larger than the server takes, and what goes over its bound', () => {
    const client = new TestClient().open({ maxPayloadBytes: 900 });
    const { session } = client;
    expect(session.send(text('x'.repeat(901)), 0)).toBe(errors.MESSAGE_TOO_LARGE);
    expect(session.send(text('x'.repeat(900)), 0)).toBeUndefined();
    expect(session.send(text('x'.repeat(101)), 0)).toBe(errors.BUFFER_FULL);
    expect(session.send(text('x'.repeat(100)), 0)).toBeUndefined();
    client.hear(1, { type: 'ack', ack: 1, topics: [] });
    expect(session.send(text('x'.repeat(101)), 0)).toBeUndefined();
  });

  it('refuses to hold more messages than it may, however small', () => {
    const client = new TestClient().open();
    client.session.handleLost(1, 1006, '', 0);
    for (let i = 0; i < LIMITS.waitingMessages; i++) client.session.send(text(''), 0);
    expect(client.session.send(text(''), 0)).toBe(errors.BUFFER_FULL);
  });

  it('waits for the window, and goes on with every ack', () => {
    const client = new TestClient().open({ window: { messages: 2, bytes: 100 } });
    for (const data of ['a', 'b', 'c']) client.session.send(text(data), 0);
    expect(client.out).toEqual(['1> m 1 0|a', '1> m 2 0|b']);
    expect(client.session.bufferedBytes).toBe(1);
    client.hear(1, { type: 'ping', stamp: 5, ack: 1 });
    expect(client.out).toEqual(['1> pong 5 0|', '1> ping 0 0|', '1> m 3 0|c']);
  });

  it('refuses everything once it is closed', () => {
    const client = new TestClient().open();
    client.hear(1, { type: 'bye', code: 3_000, reason: '' });
    expect(client.session.send(text('a'), 0)).toBe(errors.ENDED);
  });
});

describe('a client whose server always asks first', () => {
  it('measures its own round trip all the same, once on each transport', () => {
    const client = new TestClient().open();
    client.hear(1, { type: 'ping', stamp: 5, ack: 0 });
    expect(client.out).toEqual(['1> pong 5 0|', '1> ping 0 0|']);
    client.hear(1, { type: 'ping', stamp: 6, ack: 0 });
    expect(client.out).toEqual(['1> pong 6 0|']);
    client.session.handleData(1, 'pong 0 0\n', false, 37);
    expect(client.session.statistics.rttMs).toBe(37);
    client.session.handleLost(1, 1006, '', 40);
    client.redial(2).resumed();
    client.skip();
    client.hear(2, { type: 'ping', stamp: 9, ack: 0 });
    expect(client.out).toEqual(['2> pong 9 0|', expect.stringMatching(/^2> ping \d+ 0\|$/)]);
  });
});

describe('a client that receives', () => {
  it('gives out each message once, and acknowledges within the time it was given', () => {
    const client = new TestClient().open();
    client.hear(1, m(1, 'a'));
    expect(client.out).toEqual(['message /a']);
    expect(client.session.dueMs).toBe(50);
    client.pass(50);
    expect(client.out).toEqual(['1> ack 1|']);
  });

  it('acknowledges at once when a quarter of its window waits, without waiting for a timer', () => {
    const client = new TestClient({ window: { messages: 8, bytes: 1_000 } }).open();
    client.hear(1, m(1));
    client.hear(1, m(2));
    expect(client.out).toEqual(['message /1', 'message /2', '1> ack 2|']);
  });

  it('lets an ack ride on what it sends anyway', () => {
    const client = new TestClient().open();
    client.hear(1, m(1));
    client.session.send(text('x'), 0);
    expect(client.out).toEqual(['message /1', '1> m 1 1|x']);
    expect(client.session.dueMs).toBeGreaterThan(1_000);
  });

  it('follows topics as the server says', () => {
    const client = new TestClient().open();
    client.hear(1, { type: 'sub', n: 7, epoch: 'te1', topic: 'news' });
    client.hear(1, { type: 't', n: 8, topic: 'news', ...text('x') });
    client.hear(1, { type: 't', n: 1, topic: 'other', ...text('y') });
    client.pass(60);
    expect(client.out).toEqual(['message news/x', '1> ack 0 news=8|']);
    client.hear(1, { type: 'unsub', topic: 'news' });
    client.hear(1, { type: 't', n: 9, topic: 'news', ...text('z') });
    expect(client.out).toEqual([]);
  });

  it('gives out volatile messages, and owes nothing for them', () => {
    const client = new TestClient().open();
    client.hear(1, { type: 'v', ...text('x') });
    expect(client.out).toEqual(['message /x']);
    expect(client.session.dueMs).toBeGreaterThan(1_000);
  });

  it('tells of a gap, and counts what is missing', () => {
    const client = new TestClient().open();
    client.hear(1, { type: 'gap', from: 1, to: 4, epoch: 'e1', topic: '' });
    client.hear(1, m(5));
    expect(client.out).toEqual(['gap  1 4', 'message /5']);
    expect(client.session.statistics).toMatchObject({ missing: 4, received: 1 });
  });

  it('measures the round trip', () => {
    const client = new TestClient().open();
    client.nowMs = 2_000.7;
    client.session.handleTimeout(client.nowMs);
    expect(client.out).toEqual(['1> ping 2000 0|']);
    client.nowMs = 2_030.2;
    client.hear(1, { type: 'pong', stamp: 2_000, ack: 0 });
    expect(client.session.statistics.rttMs).toBe(30);
  });
});

describe('a client whose server breaks the protocol', () => {
  const faults: readonly [string, string, Frame | string][] = [
    ['speaks out of turn', 'HF_STATE', { type: 'hello', body: { window: { messages: 1, bytes: 1 } } }],
    ['welcomes it twice', 'HF_STATE', 'welcome\n{}'],
    ['says what is no frame', 'HF_FRAME', 'nonsense\n'],
    ['writes a number in letters', 'HF_FIELD', 'm one 0\n'],
    ['skips a message', 'HF_ORDER', m(3)],
    ['repeats one on the same transport', 'HF_ORDER', m(1)],
    ['skips with a gap', 'HF_ORDER', { type: 'gap', from: 3, to: 4, epoch: 'e1', topic: '' }],
    ['acknowledges what was never sent', 'HF_ACK', m(2, 'x', 2)],
    ['acknowledges it in a heartbeat', 'HF_ACK', { type: 'pong', stamp: 1, ack: 2 }],
  ];
  it.each(faults)('that %s: hangs up with a code, goes on from where it was, and loses nothing', (_, error, frame) => {
    const client = new TestClient().open();
    client.session.send(text('a'), 0);
    client.hear(1, m(1));
    client.skip();
    const before = client.session.statistics;
    if (typeof frame === 'string') client.session.handleData(1, frame, false, 0);
    else client.hear(1, frame);
    const expected = error === 'HF_STATE' && typeof frame === 'string' ? 'HF_BODY' : error;
    expect(client.out).toEqual([`error ${expected}`, `1> hangup 4500 ${expected}`, `recovering 1006 ${expected}`]);
    expect(client.session.statistics).toEqual(before);
    // What comes after it on that transport is not heard.
    client.hear(1, m(2));
    expect(client.out).toEqual([]);
    client.pass(1_000);
    client.session.handleOpen(2, true, client.nowMs);
    expect(client.said('resume').body).toMatchObject({ received: 1, epoch: 'e1', attempt: 2, token: 'k1' });
    client.resumed({ received: 0, offset: 1, end: 2 });
    client.hear(2, m(2));
    expect(client.out).toEqual(['2> ack 1|', '2> r 1 1|a', 'message /2', 'recovered 1']);
  });

  it('follows no more topics than it may', () => {
    const client = new TestClient().open();
    for (let i = 0; i < LIMITS.topics; i++) client.hear(1, { type: 'sub', n: 0, epoch: 'e', topic: `t${i}` });
    expect(client.out).toEqual([]);
    client.hear(1, { type: 'sub', n: 0, epoch: 'e', topic: 'one more' });
    expect(client.out[0]).toBe('error HF_TOPICS');
  });

  it('takes no resumed for a session that it never had', () => {
    const client = new TestClient();
    client.session.connect(0);
    client.session.handleOpen(1, true, 0);
    client.resumed({}, 1);
    expect(client.out.slice(0, 2)).toEqual(['error HF_STATE', '1> hangup 4500 HF_STATE']);
  });

  it.each([
    ['claims messages that were never sent', { received: 3 }, 'HF_ACK'],
    ['leaves entries out', { offset: 2, end: 5 }, 'HF_ORDER'],
    ['leaves entries of a new stream out', { epoch: 'e2', offset: 1, end: 5 }, 'HF_ORDER'],
  ])('that %s when it resumes: tries elsewhere, with the token it was given', (_, change, error) => {
    const client = new TestClient().open();
    client.session.send(text('a'), 0);
    client.cut().resumed(change);
    expect(client.out).toEqual([`error ${error}`, `2> hangup 4500 ${error}`]);
    expect(client.session.state).toBe('recovering');
    client.redial(3);
    expect(client.said('resume').body).toMatchObject({ token: 'k2', received: 0, epoch: 'e1' });
  });

  it('that has lost what it had acknowledged: ends the session, for neither end can mend that', () => {
    const client = new TestClient().open();
    client.session.send(text('a'), 0);
    client.hear(1, { type: 'ack', ack: 1, topics: [] });
    client.cut().resumed({ received: 0 });
    expect(client.out).toEqual(['2> hangup 1000', 'close 4502 HF_EXPIRED false']);
  });

  it('again and again: waits longer each time, though every resume succeeds', () => {
    const client = new TestClient().open();
    client.hear(1, m(2));
    const waits: number[] = [];
    for (let transport = 2; transport < 8; transport++) {
      waits.push(client.session.dueMs - client.nowMs);
      client.pass(waits.at(-1) as number);
      client.session.handleOpen(transport, true, client.nowMs);
      client.resumed({ end: 2 }, transport);
      client.hear(transport, m(2));
    }
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000]);
  });
});
