import { describe, expect, it } from 'vitest';
import { CircuitBreaker } from './breaker.js';
import { CLOSE } from './close-codes.js';
import * as errors from './errors.js';
import type { Frame } from './frames.js';
import { LIMITS } from './limits.js';
import { TestClient } from './sessions.fixture.js';

const text = (data: string) => ({ data, binary: false });
const m = (n: number, data = `${n}`, ack = 0): Frame => ({ type: 'm', n, ack, ...text(data) });

describe('a client that opens a session', () => {
  it('says hello, with what it lets the server send', () => {
    const client = new TestClient({ auth: () => 'me' });
    client.session.connect(0);
    client.session.handleOpen(1, true, 5);
    expect(client.said('hello').body).toEqual({ window: { messages: 100, bytes: 100_000 }, auth: 'me' });
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
    expect(client.out).toEqual(['1> pong 5 0|', '1> m 3 0|c']);
  });

  it('refuses everything once it is closed', () => {
    const client = new TestClient().open();
    client.hear(1, { type: 'bye', code: 3_000, reason: '' });
    expect(client.session.send(text('a'), 0)).toBe(errors.ENDED);
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

describe('a client that closes', () => {
  it('says bye behind all that it has accepted, and is closed when the server answers', () => {
    const client = new TestClient().open({ window: { messages: 1, bytes: 100 } });
    client.session.send(text('a'), 0);
    client.session.send(text('b'), 0);
    client.session.close(3_000, 'done', 0);
    expect(client.out).toEqual(['1> m 1 0|a']);
    client.hear(1, { type: 'ack', ack: 1, topics: [] });
    expect(client.out).toEqual(['1> m 2 0|b', '1> bye 3000|done']);
    client.hear(1, { type: 'ack', ack: 2, topics: [] });
    client.hear(1, { type: 'bye', code: 1000, reason: '' });
    expect(client.out).toEqual(['1> hangup 1000', 'close 3000 done true']);
    expect([client.session.state, client.session.dueMs]).toEqual(['closed', Infinity]);
  });

  it('still takes what the server sends until then', () => {
    const client = new TestClient().open();
    client.session.close(1000, '', 0);
    client.skip();
    client.hear(1, m(1));
    client.hear(1, { type: 'drain', afterMs: 1, withinMs: 0 });
    expect(client.out).toEqual(['message /1']);
  });

  it('says when the server closed at the same time and has not taken everything', () => {
    const client = new TestClient().open();
    client.session.send(text('a'), 0);
    client.session.close(3_000, 'done', 0);
    client.skip();
    client.hear(1, { type: 'bye', code: 4_000, reason: 'mine' });
    expect(client.out).toEqual(['1> hangup 1000', 'close 4000 mine false']);
  });

  it('is as clean when the server closed at the same time and has taken everything', () => {
    const client = new TestClient().open();
    client.session.close(3_000, 'done', 0);
    client.skip();
    client.hear(1, { type: 'bye', code: 4_000, reason: 'mine' });
    expect(client.out.at(-1)).toBe('close 3000 done true');
  });

  it('answers a bye of the server, and ends with its code', () => {
    const client = new TestClient().open();
    client.hear(1, { type: 'bye', code: 4_000, reason: 'enough' });
    expect(client.out).toEqual(['1> bye 4000|', '1> hangup 1000', 'close 4000 enough true']);
  });

  it('waits no longer than its limit, whatever the network does', () => {
    const client = new TestClient().open();
    client.session.close(3_000, 'done', 0);
    client.skip();
    client.pass(60_000);
    expect(client.out.at(-1)).toBe('close 1006  false');
    const offline = new TestClient().open();
    offline.session.handleHint('offline', 0);
    offline.session.handleLost(1, 1006, '', 0);
    offline.session.close(3_000, 'done', 0);
    offline.pass(60_000);
    expect(offline.out.at(-1)).toBe('close 1006  false');
  });

  it('while it recovers: sends what waits, says bye, and is closed', () => {
    const client = new TestClient().open();
    client.session.handleLost(1, 1006, '', 0);
    client.session.send(text('a'), 0);
    client.session.close(3_000, 'done', 0);
    client.pass(1_000);
    client.session.handleOpen(2, true, client.nowMs);
    client.resumed();
    expect(client.out).toEqual(['2> ack 0|', 'recovered 0', '2> m 1 0|a', '2> bye 3000|done']);
  });

  it('says bye again on a new transport, and takes no bye from there for the answer to the old one', () => {
    const client = new TestClient().open({ window: { messages: 1, bytes: 100 } });
    client.session.send(text('a'), 0);
    client.session.close(3_000, 'done', 0);
    expect(client.out).toEqual(['1> m 1 0|a', '1> bye 3000|done']);
    const busy = new TestClient().open();
    busy.session.send(text('a'), 0);
    busy.session.send(text('b'), 0);
    busy.session.close(3_000, 'done', 0);
    busy.cut();
    busy.skip();
    const policy = { ...busyPolicy, window: { messages: 1, bytes: 100 } };
    busy.hear(2, {
      type: 'resumed',
      body: { token: 'k2', epoch: 'e1', pod: 'p2', policy, received: 0, offset: 0, end: 0, topics: [] },
    });
    expect(busy.out).toEqual(['2> ack 0|', '2> r 1 0|a']);
    busy.hear(2, { type: 'bye', code: 4_000, reason: 'mine' });
    expect(busy.out.at(-1)).toBe('close 4000 mine true');
  });

  it('is content when the session is gone that it had closed, and nothing was left', () => {
    const client = new TestClient().open();
    client.session.close(3_000, 'done', 0);
    client.cut();
    client.skip();
    client.session.handleLost(2, CLOSE.expired, 'HF_EXPIRED', client.nowMs);
    expect(client.out.at(-1)).toBe('close 3000 done true');
  });

  it('says so when the session is gone and it does not know what was taken', () => {
    const client = new TestClient().open();
    client.session.send(text('a'), 0);
    client.session.close(3_000, 'done', 0);
    client.cut();
    client.skip();
    client.session.handleLost(2, CLOSE.expired, 'HF_EXPIRED', client.nowMs);
    expect(client.out.at(-1)).toBe('close 4502 HF_EXPIRED false');
  });
});

describe('a client that changes its transport', () => {
  it('makes the new one before it leaves the old, at a random moment of the time it was given', () => {
    const client = new TestClient().open();
    client.hear(1, { type: 'drain', afterMs: 1_000, withinMs: 500 });
    client.pass(1_249);
    expect(client.out).toEqual([]);
    client.pass(1);
    expect(client.out).toEqual(['dial 2 session s1']);
    client.session.handleOpen(2, true, client.nowMs);
    client.hear(1, m(1));
    client.resumed({ offset: 0, end: 1 });
    expect(client.out).toEqual(['1> hangup 4507', 'moved p2', '2> ack 0|']);
    expect([client.session.state, client.session.pod]).toEqual(['open', 'p2']);
    expect(client.session.statistics).toMatchObject({ moves: 1, recoveries: 0, transports: 2 });
  });

  it('acknowledges on the new one only what came on it', () => {
    const client = new TestClient().open();
    client.hear(1, { type: 'drain', afterMs: 0, withinMs: 0 });
    client.session.handleTimeout(0);
    client.session.handleOpen(2, true, 0);
    client.hear(1, m(1));
    client.hear(1, m(2));
    client.resumed({ offset: 0, end: 2 });
    client.hear(2, m(1));
    client.pass(60);
    expect(client.out.slice(2)).toEqual(['2> ack 0|', '2> ack 1|']);
    client.hear(2, m(2));
    client.hear(2, m(3));
    expect(client.out).toEqual(['message /3']);
    expect(client.session.statistics).toMatchObject({ duplicates: 2, received: 3 });
  });

  it('does not give up a session that has a transport because it cannot move', () => {
    const client = new TestClient({ maxAttempts: 2 }).open();
    client.hear(1, { type: 'drain', afterMs: 0, withinMs: 0 });
    for (let transport = 2; transport < 6; transport++) {
      client.pass(client.session.dueMs - client.nowMs);
      client.session.handleLost(transport, 1006, '', client.nowMs);
      client.hear(1, { type: 'ping', stamp: 1, ack: 0 });
    }
    expect(client.session.state).toBe('open');
  });

  it('forgets older wishes to move', () => {
    const client = new TestClient().open();
    for (const afterMs of [0, 700]) client.hear(1, { type: 'drain', afterMs, withinMs: 0 });
    client.session.handleTimeout(0);
    client.session.handleOpen(2, true, 0);
    client.hear(1, { type: 'drain', afterMs: 700, withinMs: 0 });
    client.resumed();
    client.skip();
    client.pass(1_500);
    expect(client.out).toEqual([]);
  });

  it('calls it no interruption when its own resume has fenced the old one first', () => {
    const client = new TestClient().open();
    client.hear(1, { type: 'drain', afterMs: 0, withinMs: 0 });
    client.session.handleTimeout(0);
    client.session.handleOpen(2, true, 0);
    client.skip();
    client.session.handleLost(1, CLOSE.fenced, 'HF_FENCED', 5);
    expect([client.out, client.session.state]).toEqual([[], 'open']);
    client.resumed();
    expect(client.out).toEqual(['moved p2', '2> ack 0|']);
  });

  it('says that it was interrupted when the new one fails after all', () => {
    const client = new TestClient().open();
    client.hear(1, { type: 'drain', afterMs: 0, withinMs: 0 });
    client.session.handleTimeout(0);
    client.session.handleOpen(2, true, 0);
    client.session.handleLost(1, CLOSE.fenced, 'HF_FENCED', 5);
    client.skip();
    client.session.handleLost(2, 1006, '', 10);
    expect([client.out, client.session.state]).toEqual([['recovering 1006 '.trimEnd()], 'recovering']);
    client.pass(1_000);
    expect(client.out).toEqual(['dial 3 session s1']);
  });

  it('ends when another one has taken its session', () => {
    const client = new TestClient().open();
    client.session.handleLost(1, CLOSE.fenced, 'HF_FENCED', 5);
    expect(client.out).toEqual(['close 4501 HF_FENCED false']);
  });

  it('counts its attempts up, so that one that is late can be told', () => {
    const client = new TestClient().open();
    const attempts: number[] = [];
    client.session.handleLost(1, 1006, '', 0);
    for (let transport = 2; transport < 6; transport++) {
      client.redial(transport);
      attempts.push(client.said('resume').body.attempt);
      client.session.handleLost(transport, 1006, '', client.nowMs);
    }
    expect(attempts).toEqual([...attempts].sort((a, b) => a - b));
    expect(new Set(attempts).size).toBe(4);
  });
});

describe('a client whose page is hidden or whose network changes', () => {
  it('saves the radio while hidden, on the transports to come as well', () => {
    const client = new TestClient().open();
    client.session.handleHint('hidden', 0);
    client.session.handleHint('hidden', 0);
    expect(client.out).toEqual(['1> pace background|']);
    client.cut().resumed();
    expect(client.out).toContain('2> pace background|');
  });

  it('probes when there is a reason to doubt, and finds a dead transport within 2 s', () => {
    for (const hint of ['online', 'visible', 'woken'] as const) {
      const client = new TestClient().open();
      client.session.handleHint('hidden', 0);
      client.skip();
      client.nowMs = 100;
      client.session.handleHint(hint, 100);
      client.session.handleHint(hint, 100);
      expect(client.out.filter((line) => line.includes('ping'))).toEqual(['1> ping 100 0|']);
      client.pass(5_000);
      expect(client.out).toContain('1> hangup 4505 HF_SILENT');
    }
  });

  it('does not dial while offline, and at once when the network is back', () => {
    const client = new TestClient().open();
    client.session.handleHint('offline', 0);
    client.session.handleLost(1, 1006, '', 0);
    client.pass(60_000);
    expect([client.out, client.session.dueMs]).toEqual([['recovering 1006'], Infinity]);
    client.session.handleHint('online', 60_000);
    expect(client.out).toEqual(['dial 2 session s1']);
  });

  it('says nothing on a transport that it has just given up', () => {
    const client = new TestClient().open();
    client.hear(1, m(1));
    client.skip();
    // The ack and the verdict on the silence are due in the same late timer.
    for (const nowMs of [3_960, 9_000, 18_000, 30_000]) {
      client.nowMs = nowMs;
      client.session.handleTimeout(nowMs);
    }
    const out = client.out;
    const hungUp = out.indexOf('1> hangup 4505 HF_SILENT');
    expect(hungUp).toBeGreaterThan(0);
    expect(out.slice(hungUp + 1).filter((line) => line.startsWith('1>'))).toEqual([]);
  });
});

const busyPolicy = {
  pingMs: 2_000,
  deadMs: 4_000,
  backgroundPingMs: 25_000,
  backgroundDeadMs: 50_000,
  ackMs: 50,
  maxPayloadBytes: 1_000,
  sessionMs: 1_000,
  retryMinMs: 500,
  retryMaxMs: 30_000,
};
