import { describe, expect, it } from 'vitest';
import { CLOSE } from './close-codes.js';
import type { Frame } from './frames.js';
import { TestClient } from './sessions.fixture.js';

const text = (data: string) => ({ data, binary: false });
const again = (afterMs = 0, withinMs = 0): Frame => ({ type: 'again', afterMs, withinMs });
const ping: Frame = { type: 'ping', stamp: 1, ack: 0 };

/** A session whose transport has worked. */
function open(options = {}): TestClient {
  const client = new TestClient(options).open();
  client.hear(1, ping);
  client.skip();
  return client;
}

describe('a client that is told to begin again', () => {
  it('resumes on the same transport, and sends again what was not acknowledged', () => {
    const client = open();
    client.session.send(text('a'), 0);
    client.session.send(text('b'), 0);
    client.hear(1, { type: 'ack', ack: 1, topics: [] });
    client.skip();
    client.hear(1, again());
    expect(client.said('resume').body).toMatchObject({ session: 's1', token: 'k1', attempt: 2, again: true });
    expect(client.out).toEqual(['1> resume|{}']);
    client.session.send(text('c'), 0);
    expect(client.out).toEqual([]);
    client.resumed({ received: 1 }, 1);
    expect(client.out).toEqual(['moved p2', '1> ack 0|', '1> r 2 0|b', '1> m 3 0|c']);
    expect(client.session).toMatchObject({ state: 'open', pod: 'p2' });
    expect(client.session.statistics).toMatchObject({ transports: 2, moves: 1, recoveries: 0, resent: 1 });
  });

  it('waits for a moment of its own inside the window that it is given, and is recovering until the answer', () => {
    const client = open();
    client.hear(1, again(1_000, 500));
    expect([client.session.dueMs, client.out]).toEqual([1_250, ['recovering 1012']]);
    client.pass(1_249);
    expect(client.out).toEqual([]);
    client.pass(1);
    expect(client.out).toEqual(['1> resume|{}']);
    client.resumed({}, 1);
    expect(client.out).toEqual(['1> ack 0|', 'recovered 0']);
  });

  it('says hello once more if it was not welcome yet', () => {
    const client = new TestClient();
    client.session.connect(0);
    client.session.handleOpen(1, true, 0);
    client.skip();
    client.hear(1, again());
    // Half of the backoff behind a failure: the transport has not proved anything.
    client.pass(500);
    expect(client.out).toEqual(['1> hello|{}']);
  });

  it('takes no message before the answer', () => {
    const client = open();
    client.hear(1, again());
    client.skip();
    client.hear(1, { type: 'm', n: 1, ack: 0, ...text('of the pod before') });
    expect(client.out).toEqual(['error HF_STATE', '1> hangup 4500 HF_STATE', 'recovering 1006 HF_STATE']);
  });

  it('raises its attempt each time, and backs off while no pod proves itself', () => {
    const client = open();
    const waits: number[] = [];
    const attempts: number[] = [];
    client.hear(1, again());
    for (let i = 0; i < 5; i++) {
      attempts.push(client.said('resume').body.attempt);
      client.hear(1, again());
      waits.push(client.session.dueMs - client.nowMs);
      client.skip();
      client.pass(client.session.dueMs - client.nowMs);
    }
    expect(attempts).toEqual([2, 3, 4, 5, 6]);
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000]);
    client.resumed({ token: 'k9' }, 1);
    client.hear(1, ping);
    client.skip();
    client.hear(1, again());
    expect(client.out).toEqual(['1> resume|{}']);
  });

  it('gives up where it would have given up with a transport for each attempt', () => {
    const client = open({ maxAttempts: 2 });
    client.hear(1, again());
    client.hear(1, again());
    client.pass(1_000);
    client.skip();
    client.hear(1, again());
    expect(client.out).toEqual(['error HF_UNREACHABLE', '1> hangup 1000', 'close 1006 HF_UNREACHABLE false']);
  });

  it('gives a transport up on which the answer does not come', () => {
    const client = open();
    client.hear(1, again(0, 200));
    client.pass(100);
    client.skip();
    client.pass(16_000);
    expect(client.out).toEqual([`1> hangup ${CLOSE.handshake} HF_HANDSHAKE`, 'dial 2 session s1']);
  });

  it('makes a new transport if this one is lost while it waits, and is interrupted then', () => {
    const client = open();
    client.hear(1, again());
    client.skip();
    client.session.handleLost(1, 1006, '', 0);
    expect(client.out).toEqual(['recovering 1006']);
    client.redial(2);
    expect(client.out).toEqual(['dial 2 session s1', '2> resume|{}']);
  });

  it('goes on with the transport that it is already making', () => {
    const client = open();
    client.hear(1, { type: 'drain', afterMs: 0, withinMs: 0 });
    client.pass(0);
    client.skip();
    client.hear(1, again());
    expect(client.out).toEqual([`1> hangup ${CLOSE.moved}`, 'recovering 1012']);
    client.session.handleOpen(2, true, 0);
    client.resumed({}, 2);
    expect(client.out).toEqual(['2> ack 0|', 'recovered 0']);
  });

  it('closes all the same: says bye to the pod that has answered', () => {
    const client = open();
    client.session.close(3_000, 'done', 0);
    client.skip();
    client.hear(1, again());
    expect(client.out).toEqual(['1> resume|{}']);
    client.resumed({}, 1);
    client.hear(1, { type: 'bye', code: 1000, reason: '' });
    expect(client.out).toEqual(['1> ack 0|', '1> bye 3000|done', '1> hangup 1000', 'close 3000 done true']);
  });

  it('does not take an old pod of a new session for a server without holdfast', () => {
    const client = new TestClient();
    client.session.connect(0);
    client.session.handleOpen(1, true, 0);
    client.hear(1, again(100));
    client.skip();
    client.session.handleLost(1, 1006, '', 0);
    client.redial(2);
    expect(client.out).toEqual(['dial 2 session', '2> hello|{}']);
  });
});
