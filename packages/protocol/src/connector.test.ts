import { describe, expect, it } from 'vitest';
import * as errors from './errors.js';
import { TestClient } from './sessions.fixture.js';

/** A client whose first attempt has failed, as it does in a browser when the server knows no subprotocol. */
const refusedOnce = (options = {}): TestClient => {
  const client = new TestClient(options);
  client.session.connect(0);
  client.session.handleLost(1, 1006, '', 0);
  client.pass(1_000);
  return client;
};

describe('a client of a server that may not speak holdfast', () => {
  it('offers holdfast first', () => {
    const client = new TestClient();
    client.session.connect(0);
    expect(client.out).toEqual(['dial 1 session']);
  });

  it('is plain at once when the server chooses another subprotocol', () => {
    const client = new TestClient();
    client.session.connect(0);
    client.session.handleOpen(1, false, 5);
    client.session.handleData(1, 'hi', false, 6);
    client.session.send({ data: 'ho', binary: false }, 7);
    expect(client.out).toEqual(['dial 1 session', 'open 1', 'message /hi', '1> ho']);
    expect(client.session.state).toBe('plain');
  });

  it('offers none after a failure, and believes the answer only when holdfast has failed once more', () => {
    const client = refusedOnce();
    expect(client.out).toEqual(['dial 1 session', 'dial 2 plain']);
    client.session.handleOpen(2, false, 1_000);
    client.session.handleData(2, 'early', false, 1_001);
    expect(client.out).toEqual(['dial 3 session']);
    client.session.handleLost(3, 1006, '', 1_002);
    expect(client.out).toEqual(['open 2', 'message /early']);
    expect(client.session.state).toBe('plain');
  });

  it('speaks holdfast when it was the network that failed, and hangs up the other transport', () => {
    const client = refusedOnce();
    client.session.handleOpen(2, false, 1_000);
    client.skip();
    client.session.handleOpen(3, true, 1_001);
    expect(client.out).toEqual(['3> hello|{}']);
    client.session.handleData(3, welcome, false, 1_002);
    expect(client.out).toEqual(['2> hangup 1000', 'open 3']);
    client.session.handleData(2, 'late', false, 1_003);
    client.session.handleLost(2, 1006, '', 1_004);
    expect([client.out, client.session.state]).toEqual([[], 'open']);
  });

  it('believes a plain server that says very much, though it says it in empty messages', () => {
    const client = refusedOnce();
    client.session.handleOpen(2, false, 1_000);
    client.skip();
    let said = 0;
    for (; client.session.state === 'connecting' && said < 100_000; said++)
      client.session.handleData(2, '', false, 1_001);
    const out = client.out;
    expect(out.slice(0, 2)).toEqual(['3> hangup 1000', 'open 2']);
    expect(out.length - 2).toBe(said);
    expect(said).toBeLessThan(20_000);
  });

  it('goes on trying both ways when the plain transport is lost before it was believed', () => {
    const client = refusedOnce();
    client.session.handleOpen(2, false, 1_000);
    client.session.handleLost(2, 1006, '', 1_001);
    client.session.handleLost(3, 1006, '', 1_002);
    client.skip();
    client.pass(5_000);
    expect(client.out.filter((line) => line.startsWith('dial'))).toEqual(['dial 4 plain', 'dial 5 session']);
  });

  it('needs no proof when its driver knows that the server refused for want of a subprotocol', () => {
    const client = new TestClient();
    client.session.connect(0);
    client.session.handlePlainServer(1, 0);
    client.session.handleOpen(2, false, 1);
    expect(client.out).toEqual(['dial 1 session', 'dial 2 plain', 'open 2']);
  });

  it('takes no plain server where it must not', () => {
    const client = new TestClient({ fallback: false });
    client.session.connect(0);
    client.session.handleOpen(1, false, 0);
    client.pass(1_000);
    client.session.handlePlainServer(2, 1_000);
    client.pass(2_000);
    expect(client.out).toEqual(['dial 1 session', '1> hangup 1000', 'dial 2 session', 'dial 3 session']);
  });

  it('takes no plain server for a session that there is already', () => {
    const client = new TestClient().open();
    client.session.handleLost(1, 1006, '', 0);
    client.pass(1_000);
    client.session.handleOpen(2, false, 1_000);
    client.pass(2_000);
    client.session.handlePlainServer(3, 3_000);
    client.pass(2_000);
    const out = client.out;
    expect(out.filter((line) => !line.startsWith('recovering'))).toEqual([
      'dial 2 session s1',
      '2> hangup 1000',
      'dial 3 session s1',
      'dial 4 session s1',
    ]);
  });

  it('closes as a plain socket does, and does not wait for ever', () => {
    const plain = (): TestClient => {
      const client = new TestClient();
      client.session.connect(0);
      client.session.handleOpen(1, false, 0);
      client.session.close(3_000, 'done', 1_000);
      client.nowMs = 1_000;
      return client;
    };
    const orderly = plain();
    orderly.session.handleLost(1, 3_000, 'done', 1_100);
    expect(orderly.out.slice(2)).toEqual(['1> shut 3000 done', 'close 3000 done true']);
    const silent = plain();
    silent.pass(20_000);
    expect(silent.out.slice(2)).toEqual(['1> shut 3000 done', '1> hangup 1000', 'close 1006  false']);
    expect([silent.nowMs, silent.session.dueMs]).toEqual([21_000, Infinity]);
  });

  it('tells how a plain transport has closed', () => {
    for (const [code, wasClean] of [
      [1000, true],
      [1006, false],
    ] as const) {
      const client = new TestClient();
      client.session.connect(0);
      client.session.handleOpen(1, false, 0);
      client.skip();
      client.session.handleLost(1, code, 'why', 5);
      expect(client.out).toEqual([`close ${code} why ${wasClean}`]);
      expect(client.session.send({ data: 'x', binary: false }, 6)).toBe(errors.ENDED);
    }
  });
});

const welcome = `welcome\n${JSON.stringify({
  session: 's1',
  token: 'k1',
  epoch: 'e1',
  pod: 'p1',
  policy: {
    pingMs: 2_000,
    deadMs: 4_000,
    backgroundPingMs: 25_000,
    backgroundDeadMs: 50_000,
    ackMs: 50,
    window: { messages: 10, bytes: 1_000 },
    maxPayloadBytes: 1_000,
    sessionMs: 1_000,
    retryMinMs: 500,
    retryMaxMs: 30_000,
  },
})}`;
