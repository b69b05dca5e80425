import { describe, expect, it } from 'vitest';
import { CLOSE } from './close-codes.js';
import type { Frame } from './frames.js';
import { DEFAULT_POLICY } from './policy.js';
import { TestClient } from './sessions.fixture.js';

const text = (data: string) => ({ data, binary: false });
const m = (n: number, data = `${n}`, ack = 0): Frame => ({ type: 'm', n, ack, ...text(data) });

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
    const policy = { ...DEFAULT_POLICY, window: { messages: 1, bytes: 100 } };
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

  it('ends when another one has taken its session, which it learns by trying to go on', () => {
    const client = new TestClient().open();
    client.session.handleLost(1, CLOSE.fenced, 'HF_FENCED', 5);
    client.redial(2).skip();
    client.session.handleLost(2, CLOSE.expired, 'HF_EXPIRED', client.nowMs);
    expect(client.out).toEqual(['close 4501 HF_FENCED false']);
  });

  it('ends as expired when it was away for longer than a session lives: whoever had taken it', () => {
    const client = new TestClient().open();
    client.session.handleLost(1, CLOSE.fenced, 'HF_FENCED', 5);
    client.redial(2).skip();
    client.session.handleLost(2, CLOSE.expired, 'HF_EXPIRED', 5 + DEFAULT_POLICY.sessionMs);
    expect(client.out).toEqual(['close 4502 HF_EXPIRED false']);
  });

  it('goes on when it was a pod that had taken its session, because the other one seemed dead', () => {
    const client = new TestClient().open();
    client.session.handleLost(1, CLOSE.fenced, 'HF_FENCED', 5);
    client.redial(2).resumed();
    expect(client.out).toEqual(['2> ack 0|', 'recovered 0']);
    client.session.handleLost(2, 1006, '', client.nowMs);
    client.redial(3).skip();
    client.session.handleLost(3, CLOSE.expired, 'HF_EXPIRED', client.nowMs);
    expect(client.out).toEqual(['close 4502 HF_EXPIRED false']);
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
