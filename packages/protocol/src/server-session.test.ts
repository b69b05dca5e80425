import { describe, expect, it, vi } from 'vitest';
import { CLOSE } from './close-codes.js';
import * as errors from './errors.js';
import type { Frame } from './frames.js';
import { LIMITS } from './limits.js';
import { DEFAULT_POLICY } from './policy.js';
import { entry, slice, TestServer } from './sessions.fixture.js';

// Many runs, on a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 60_000 });

const m = (n: number, ack = 0, type: 'm' | 'r' = 'm'): Frame => ({ type, n, ack, data: `${n}`, binary: false });
const ack = (n: number, topics: { topic: string; offset: number }[] = []): Frame => ({ type: 'ack', ack: n, topics });
const stream = (end: number, acked = 0, epoch = 'e1') => ({ stream: { epoch, end, acked } });
const news = (offset: number, end: number, epoch = 'te1') => ({ topics: [{ topic: 'news', epoch, offset, end }] });

describe('a pod that takes a session on', () => {
  it('welcomes a new one', () => {
    const server = new TestServer();
    server.session.welcome(1, { messages: 1, bytes: 1 }, 'k1', 0);
    expect(server.said('welcome').body).toEqual({
      session: 's1',
      token: 'k1',
      epoch: 'e1',
      pod: 'p1',
      policy: DEFAULT_POLICY,
    });
    expect([server.session.state, server.session.transport]).toEqual(['attached', 1]);
  });

  it('resumes one from the cursors of its client, and reads what is behind them', () => {
    const server = new TestServer({ watermark: 4, ...stream(9, 2), ...news(5, 8) });
    server.resume({ received: 7, topics: [{ topic: 'news', epoch: 'te1', offset: 6 }] });
    expect(server.said('resumed').body).toMatchObject({
      token: 'k2',
      received: 4,
      epoch: 'e1',
      offset: 7,
      end: 9,
      topics: [{ topic: 'news', epoch: 'te1', offset: 6, end: 8 }],
    });
    expect(server.out).toEqual([
      'acked  7',
      'acked news 6',
      '2> resumed|{}',
      'read  7 50 50000',
      'read news 6 50 50000',
    ]);
  });

  it('goes on from what was acknowledged where the client names no cursor', () => {
    const server = new TestServer({ ...stream(0), ...news(5, 8) }).resume();
    expect(server.said('resumed').body.topics).toEqual([{ topic: 'news', epoch: 'te1', offset: 5, end: 8 }]);
  });

  it('goes on from where a topic was followed again while the client was away', () => {
    const server = new TestServer(news(9, 9)).resume({ topics: [{ topic: 'news', epoch: 'te1', offset: 3 }] });
    expect(server.said('resumed').body.topics).toEqual([{ topic: 'news', epoch: 'te1', offset: 9, end: 9 }]);
  });

  it('knows that the client has the new token when it speaks, and says so once', () => {
    const server = new TestServer().resume();
    server.skip();
    server.hear(ack(0));
    server.hear(ack(0));
    expect(server.out).toEqual(['confirm']);
  });

  it('fences the transport before', () => {
    const server = new TestServer().open().resume();
    expect(server.out[0]).toBe('1> hangup 4501 HF_FENCED');
    server.hear(m(1), 1);
    server.session.handleLost(1, 1006, '');
    expect([server.out, server.session.state]).toEqual([[], 'attached']);
  });

  it('keeps what it has received and not committed through a resume', () => {
    const server = new TestServer().open();
    for (const n of [1, 2, 3]) server.hear(m(n));
    server.session.handleCommitted(1, 0);
    server.resume();
    expect(server.said('resumed').body.received).toBe(1);
    server.skip();
    for (const n of [2, 3, 4]) server.hear(m(n, 0, 'r'));
    expect(server.out).toEqual(['confirm', 'deliver 4 again 4']);
  });
});

describe('a pod that receives', () => {
  it('gives out each message once, and acknowledges what is committed', () => {
    const server = new TestServer().open();
    server.hear(m(1));
    server.hear(m(2));
    server.hear(m(2, 0, 'r'));
    expect(server.out).toEqual(['deliver 1 1', 'deliver 2 2']);
    server.session.handleTimeout(50);
    expect(server.out).toEqual(['1> ack 0|']);
    server.session.handleCommitted(2, 60);
    server.session.handleCommitted(1, 60);
    expect([server.out, server.session.dueMs]).toEqual([[], 110]);
    server.session.handleTimeout(110);
    expect(server.out).toEqual(['1> ack 2|']);
  });

  it('acknowledges at once when a quarter of the window is committed', () => {
    const server = new TestServer({}, { policy: { ...DEFAULT_POLICY, window: { messages: 8, bytes: 1_000 } } }).open();
    server.hear(m(1));
    server.hear(m(2));
    server.session.handleCommitted(2, 0);
    expect(server.out).toEqual(['deliver 1 1', 'deliver 2 2', '1> ack 2|']);
  });

  it('answers pings, and measures the round trip with its own', () => {
    const server = new TestServer().open();
    server.hear({ type: 'ping', stamp: 77, ack: 0 });
    server.session.ping(1_000.5);
    server.nowMs = 1_020;
    server.hear({ type: 'pong', stamp: 1_000, ack: 0 });
    expect(server.out).toEqual(['1> pong 77 0|', '1> ping 1000 0|', 'pong']);
    expect(server.session.rttMs).toBe(20);
  });

  it('answers only the last ping of a client that does not read', () => {
    const server = new TestServer().open();
    server.session.handleWritable(false);
    for (let stamp = 0; stamp < 1_000; stamp++) server.hear({ type: 'ping', stamp, ack: 0 });
    expect(server.out).toEqual([]);
    server.session.handleWritable(true);
    server.session.handleWritable(true);
    expect(server.out).toEqual(['1> pong 999 0|']);
  });

  it('gives a hidden page more time', () => {
    const server = new TestServer().open();
    server.hear({ type: 'pace', pace: 'background' });
    for (let nowMs = 0; nowMs < 24_000; nowMs += 100) server.session.handleTimeout(nowMs);
    expect(server.out).toEqual([]);
    server.session.handleTimeout(25_000);
    expect(server.out).toEqual(['1> ping 25000 0|']);
  });

  it('finds a client that is gone, and keeps its session', () => {
    const server = new TestServer().open();
    while (server.session.state === 'attached') {
      server.nowMs = server.session.dueMs;
      server.session.handleTimeout(server.nowMs);
    }
    expect(server.nowMs).toBe(4_000);
    expect(server.out).toEqual(['1> ping 2000 0|', '1> hangup 4505 HF_SILENT', 'detached 4505 HF_SILENT']);
    expect(server.session.dueMs).toBe(Infinity);
  });
});

describe('a pod whose client breaks the protocol', () => {
  it.each<[string, string, number, Frame | string]>([
    ['says hello again', 'HF_STATE', 4500, { type: 'hello', body: { window: { messages: 1, bytes: 1 } } }],
    ['speaks for the server', 'HF_STATE', 4500, { type: 'unsub', topic: 'x' }],
    ['says what is no frame', 'HF_HEADER', 4500, 'nonsense'],
    ['skips a message', 'HF_ORDER', 4500, m(3)],
    ['acknowledges what was never sent', 'HF_ACK', 4500, ack(3)],
    ['acknowledges it with a message', 'HF_ACK', 4500, m(2, 3)],
    [
      'sends a message that is too large',
      'HF_TOO_LARGE',
      1009,
      { type: 'm', n: 2, ack: 0, data: 'x'.repeat(101), binary: false },
    ],
  ])('and %s: hangs up with a code, and its session stays as it was', (_, error, code, frame) => {
    const server = new TestServer(stream(2), { policy: { ...DEFAULT_POLICY, maxPayloadBytes: 100 } }).open();
    server.hear(m(1));
    server.session.handleSlice('', slice(1, 2, [1, 2]));
    server.skip();
    if (typeof frame === 'string') server.session.handleData(1, frame, false, 0);
    else server.hear(frame);
    const out = server.out;
    expect(out[0]).toBe(`1> hangup ${code} ${error}`);
    expect(out[1]).toContain(`detached ${code} ${error}`);
    expect(out).toHaveLength(2);
    expect([server.session.state, server.session.received, server.session.watermark]).toEqual(['detached', 1, 0]);
    server.hear(m(2), 1);
    expect(server.out).toEqual([]);
    server.resume({ received: 2 });
    server.hear(m(2, 2, 'r'));
    expect(server.out).toEqual(['acked  2', '2> resumed|{}', 'confirm', 'deliver 2 again 2']);
  });

  it('and sends more than its window lets it', () => {
    const server = new TestServer({}, { policy: { ...DEFAULT_POLICY, window: { messages: 2, bytes: 100 } } }).open();
    for (const n of [1, 2, 3]) server.hear(m(n));
    expect(server.out).toEqual(['deliver 1 1', 'deliver 2 2', '1> hangup 4500 HF_WINDOW', 'detached 4500 HF_WINDOW 3']);
  });

  it('and says bye twice', () => {
    const server = new TestServer().open();
    server.hear({ type: 'bye', code: 1000, reason: '' });
    server.hear({ type: 'bye', code: 1000, reason: '' });
    expect(server.out).toEqual(['bye 1000', '1> hangup 4500 HF_STATE', 'detached 4500 HF_STATE bye']);
  });

  it('and claims in its resume to have what the log never had', () => {
    const server = new TestServer(stream(2)).resume({ received: 3 });
    expect(server.out.at(-1)).toBe('read  3 100 100000');
    server.session.handleSlice('', slice(1, 2, []));
    expect(server.out).toEqual(['2> hangup 4500 HF_ACK', 'detached 4500 HF_ACK  3']);
  });
});

describe('a pod that delivers', () => {
  it('sends a new entry at once, and reads one that is not the next', () => {
    const server = new TestServer().open();
    server.session.handleEntry('', entry(1));
    server.session.handleEntry('', entry(3));
    expect(server.out).toEqual(['1> m 1 0|1', 'read  1 99 99999']);
    server.session.handleSlice('', slice(1, 3, [2, 3]));
    expect(server.out).toEqual(['1> m 2 0|2', '1> m 3 0|3']);
  });

  it('stops at the window of the client, and goes on as it acknowledges', () => {
    const server = new TestServer(stream(3)).open({ messages: 2, bytes: 100 });
    server.session.handleSlice('', slice(1, 3, [1, 2]));
    expect(server.out).toEqual(['1> m 1 0|1', '1> m 2 0|2']);
    server.hear(ack(1));
    expect(server.out).toEqual(['acked  1', 'read  2 1 99']);
  });

  it('reads nothing while the transport has enough to write', () => {
    const server = new TestServer().open();
    server.session.handleWritable(false);
    server.session.handleEntry('', entry(1));
    expect(server.out).toEqual([]);
    server.session.handleWritable(true);
    expect(server.out).toEqual(['read  0 100 100000']);
  });

  it('sends past the log to whoever is there, or to nobody', () => {
    const server = new TestServer();
    const volatile = () => server.session.volatile({ data: 'x', binary: false });
    expect(volatile()).toBe(false);
    server.open();
    expect([volatile(), server.out]).toEqual([true, ['1> v|x']]);
    server.session.handleWritable(false);
    expect([volatile(), server.out]).toEqual([false, []]);
  });

  it('reads no more at a time than it may, whatever window a client asks for, and shares that between the streams', () => {
    const huge = { messages: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER };
    const server = new TestServer({ ...stream(9), ...news(0, 9) });
    server.session.welcome(1, huge, 'k', 0);
    expect(server.out.slice(1)).toEqual(['read  0 512 524288', 'read news 0 512 524288']);
  });

  it('remembers no more messages in flight than it may, for a client that never acknowledges', () => {
    const huge = { messages: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER };
    const server = new TestServer().open(huge);
    let sent = 0;
    for (let n = 1; n <= LIMITS.inFlightMessages + 1; n++) {
      server.session.handleEntry('', entry(n, ''));
      server.collect();
      if (server.outputs.splice(0).some(({ type }) => type === 'transmit')) sent++;
    }
    expect(sent).toBe(LIMITS.inFlightMessages);
  });

  it('asks a log that brings nothing again only when something else happens', () => {
    const server = new TestServer(stream(5)).open();
    server.session.handleSlice('', slice(1, 0, []));
    expect(server.out).toEqual([]);
    server.session.handleGrown('', 6);
    expect(server.out).toEqual(['read  0 100 100000']);
    server.session.handleReadFailed('');
    expect(server.out).toEqual([]);
    server.hear({ type: 'ping', stamp: 1, ack: 0 });
    expect(server.out).toEqual(['1> pong 1 0|', 'read  0 100 100000']);
  });

  it('follows and leaves topics, and gives back the window that their messages held', () => {
    const server = new TestServer().open({ messages: 1, bytes: 100 });
    server.session.handleSubscribed('news', 'te1', 5);
    server.session.handleSubscribed('news', 'te1', 5);
    server.session.handleEntry('news', entry(6));
    server.session.handleEntry('', entry(1));
    expect([server.out, server.session.topics]).toEqual([['1> sub 5 te1 news|', '1> t 6 news|6'], ['news']]);
    server.session.handleUnsubscribed('news');
    server.session.handleUnsubscribed('news');
    expect(server.out).toEqual(['1> unsub news|', 'read  0 1 100']);
    server.hear(ack(0, [{ topic: 'news', offset: 6 }]));
    expect(server.out).toEqual([]);
  });

  it('reads what a topic has got while the subscription was being committed', () => {
    const server = new TestServer().open();
    server.session.handleSubscribed('news', 'te1', 5, 7);
    expect(server.out).toEqual(['1> sub 5 te1 news|', 'read news 5 100 100000']);
  });

  it('takes an odd ack of a topic for one of a subscription that is over', () => {
    const server = new TestServer().open();
    server.session.handleSubscribed('news', 'te1', 5);
    server.hear(ack(0, [{ topic: 'news', offset: 9 }]));
    expect([server.out, server.session.state]).toEqual([['1> sub 5 te1 news|'], 'attached']);
  });

  it('heeds no answer to a read of a transport that is gone', () => {
    const server = new TestServer(stream(5)).open();
    server.resume({ received: 3 });
    server.skip();
    server.session.handleSlice('', slice(9, 8, []));
    expect(server.out).toEqual([]);
    server.session.handleSlice('', slice(1, 5, [4, 5]));
    expect(server.out).toEqual(['2> m 4 0|4', '2> m 5 0|5']);
  });

  it('heeds no answer to a read of a topic that was left, when it is followed again', () => {
    const server = new TestServer(news(0, 5)).resume();
    server.session.handleUnsubscribed('news');
    server.session.handleSubscribed('news', 'te1', 9);
    server.skip();
    server.session.handleSlice('news', slice(1, 5, [1, 2]));
    expect([server.out, server.session.state]).toEqual([[], 'attached']);
  });
});

describe('a pod whose store has lost a stream', () => {
  it('tells a client that comes back, and delivers what there is', () => {
    const server = new TestServer(stream(2, 0, 'e2')).resume({ epoch: 'e1', received: 7 });
    expect(server.said('resumed').body).toMatchObject({ epoch: 'e2', offset: 0, end: 2 });
    server.skip();
    server.session.handleSlice('', slice(1, 2, [1, 2], 'e2'));
    expect(server.out.slice(0, 3)).toEqual(['2> gap 0 0 e2|', '2> m 1 0|1', '2> m 2 0|2']);
  });

  it('has the client come back when it happens under its hands', () => {
    const server = new TestServer(stream(2)).open();
    server.session.handleSlice('', slice(1, 1, [1], 'e2'));
    expect(server.out).toEqual(['1> hangup 1012 HF_STORE', 'detached 1012 HF_STORE a new epoch of the session']);
  });

  it('hears of it from the epoch that comes with a new entry', () => {
    const server = new TestServer(stream(2, 2)).open();
    server.session.handleEntry('', entry(3), 'e1');
    server.session.handleEntry('', entry(1), 'e2');
    expect(server.out.slice(0, 2)).toEqual(['1> m 3 0|3', '1> hangup 1012 HF_STORE']);
  });

  it('tells of a topic in band, when nothing of it was sent on this transport', () => {
    const server = new TestServer(news(7, 7)).resume({ topics: [{ topic: 'news', epoch: 'te1', offset: 7 }] });
    server.skip();
    server.session.handleGrown('news', 1, 'te2');
    expect(server.out).toEqual(['read news 7 100 100000']);
    server.session.handleSlice('news', slice(1, 1, [1], 'te2'));
    expect(server.out.slice(0, 2)).toEqual(['2> gap 0 0 te2 news|', '2> t 1 news|1']);
  });

  it('believes the log, not the store, on which epoch of a topic the client is right to name', () => {
    const server = new TestServer(news(7, 3)).resume({ topics: [{ topic: 'news', epoch: 'te2', offset: 2 }] });
    expect(server.said('resumed').body.topics).toEqual([{ topic: 'news', epoch: 'te2', offset: 2, end: 3 }]);
    server.skip();
    server.session.handleSlice('news', slice(1, 3, [3], 'te2'));
    expect(server.out).toEqual(['2> t 3 news|3']);
  });

  it('asks the log when the store says that a topic has another epoch now', () => {
    const topics = [{ topic: 'news', epoch: 'te1', offset: 1, end: 1, streamEpoch: 'te2' }];
    const server = new TestServer({ topics }).resume();
    expect(server.out.at(-1)).toBe('read news 1 100 100000');
    server.session.handleSlice('news', slice(1, 1, [1], 'te2'));
    expect(server.out.slice(0, 2)).toEqual(['2> gap 0 0 te2 news|', '2> t 1 news|1']);
  });
});

describe('a pod that ends a session', () => {
  it('answers a bye when all is committed, with an ack before it', () => {
    const server = new TestServer().open();
    server.hear(m(1));
    server.hear({ type: 'bye', code: 3_000, reason: 'done' });
    expect(server.out).toEqual(['deliver 1 1', 'bye 3000 done']);
    server.session.handleCommitted(1, 0);
    server.session.handleEnded();
    expect(server.out).toEqual(['1> ack 1|', '1> bye 1000|', '1> hangup 1000']);
    expect(server.session.state).toBe('gone');
  });

  it('says bye behind all that it has sent, and is told that the client has heard', () => {
    const server = new TestServer(stream(2)).open();
    server.session.handleClosing(4_000, 'enough', 0);
    expect(server.out).toEqual([]);
    server.session.handleSlice('', slice(1, 2, [1, 2]));
    expect(server.out).toEqual(['1> m 1 0|1', '1> m 2 0|2', '1> ack 0|', '1> bye 4000|enough']);
    server.hear({ type: 'bye', code: 4_000, reason: '' });
    server.session.handleEnded();
    expect(server.out).toEqual(['told', '1> hangup 1000']);
  });

  it('takes no message that crosses its bye', () => {
    const server = new TestServer().open();
    server.session.handleClosing(4_000, '', 0);
    server.skip();
    server.hear(m(1));
    server.hear({ type: 'bye', code: 3_000, reason: '' });
    expect([server.out, server.session.received]).toEqual([['told'], 0]);
  });

  it('does not wait for ever for a client that does not answer, on this transport or the next', () => {
    const server = new TestServer().open();
    server.session.handleClosing(4_000, '', 0);
    for (let nowMs = 0; nowMs <= 10_000; nowMs += 1_000) {
      server.nowMs = nowMs;
      server.session.handleTimeout(nowMs);
      server.hear({ type: 'ping', stamp: 1, ack: 0 });
    }
    expect(server.out.at(-1)).toBe('detached 4505 HF_SILENT');
    server.resume();
    expect([server.out.slice(-2), server.session.dueMs]).toEqual([
      ['2> ack 0|', '2> bye 4000'].map((s) => s.replace('4000', '4000|')),
      12_000,
    ]);
    server.nowMs = 20_000;
    server.hear({ type: 'ping', stamp: 1, ack: 0 });
    server.session.handleTimeout(20_000);
    expect(server.session.state).toBe('detached');
  });

  it('tells a client that comes back that its session was closed', () => {
    const server = new TestServer({ closing: { code: 4_000, reason: 'enough' } }).resume();
    expect(server.out).toEqual(['2> resumed|{}', '2> ack 0|', '2> bye 4000|enough']);
  });

  it('is gone once, however often it hears of it', () => {
    const server = new TestServer().open();
    server.session.handleFenced();
    server.session.handleFenced();
    server.session.handleEnded();
    expect([server.out, server.session.state]).toEqual([['1> hangup 4501 HF_FENCED'], 'gone']);
    const ended = new TestServer();
    ended.session.handleEnded();
    ended.session.handleFenced();
    expect([ended.out, ended.session.state]).toEqual([[], 'gone']);
  });

  it('does nothing with what still arrives when it is gone', () => {
    const server = new TestServer(stream(1)).open();
    server.session.handleFenced(errors.EXPIRED);
    expect(server.out).toEqual([`1> hangup ${CLOSE.expired} HF_EXPIRED`]);
    server.hear(m(1), 1);
    server.session.handleEntry('', entry(2));
    server.session.handleSlice('', slice(1, 1, [1]));
    server.session.handleCommitted(1, 0);
    server.session.handleSubscribed('news', 'te1', 0);
    server.session.handleUnsubscribed('news');
    server.session.handleClosing(1000, '', 0);
    server.session.handleWritable(true);
    server.session.handleTimeout(99_999);
    server.session.drain(0, 0);
    server.session.ping(0);
    server.session.hangUp(errors.BUSY);
    server.session.handleLost(1, 1006, '');
    expect([server.out, server.session.dueMs]).toEqual([[], Infinity]);
  });

  it('refuses to be attached when it is gone', () => {
    const server = new TestServer();
    server.session.handleFenced();
    expect(() => server.resume()).toThrow('attach in state gone');
  });
});

describe('a pod that drains', () => {
  it('asks its client to move, and gives it up with a code that brings it back', () => {
    const server = new TestServer().open();
    server.session.drain(100, 900);
    server.session.hangUp(errors.FAILED, '', CLOSE.restart);
    expect(server.out).toEqual(['1> drain 100 900|', '1> hangup 1012 HF_FAILED', 'detached 1012 HF_FAILED']);
  });
});
