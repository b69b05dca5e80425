import { LIMITS } from '@holdfast/protocol';
import { describe, expect, it } from 'vitest';
import { journal, stage, type Stage } from './fake-socket.fixture.js';

/** Lets the backoff pass, and answers the resume on the transport that follows. */
function reattach(net: Stage, body?: Parameters<Stage['resumed']>[0]): void {
  const before = net.dialled.length;
  net.clock.advance(1_000);
  expect(net.dialled.length).toBe(before + 1);
  net.last.accept('holdfast.v1');
  net.resumed(body);
}

describe('a socket whose transport is lost', () => {
  it('stays OPEN, tells that it recovers and that it has recovered, and nothing else', () => {
    const net = stage();
    const socket = net.open();
    const events = journal(socket);
    net.last.lose(1006);
    expect(socket.readyState).toBe(1);
    expect(socket.getStatistics().state).toBe('recovering');
    reattach(net, { end: 2 });
    net.last.say({ type: 'm', n: 1, ack: 0, data: 'missed', binary: false });
    net.last.say({ type: 'm', n: 2, ack: 0, data: 'too', binary: false });
    net.last.say({ type: 'm', n: 3, ack: 0, data: 'new', binary: false });
    expect(events).toEqual(['recovering 1006', 'message missed', 'message too', 'recovered 2', 'message new']);
  });

  it('sends what was not acknowledged again, and then what was sent meanwhile', () => {
    const net = stage();
    const socket = net.open();
    socket.send('a');
    socket.send('b');
    net.last.lose();
    socket.send('c');
    reattach(net, { received: 1 });
    expect(net.last.frames.filter(({ type }) => type === 'r' || type === 'm')).toMatchObject([
      { type: 'r', n: 2, data: 'b' },
      { type: 'm', n: 3, data: 'c' },
    ]);
  });

  it('resumes with its token in the first frame, and its public id alone in the URL', () => {
    const net = stage();
    net.open({ auth: () => 'fresh' });
    expect(net.last.url).toBe(net.url);
    net.last.lose();
    net.clock.advance(1_000);
    expect(net.last.url).toBe(`${net.url}?hf=s1`);
    net.last.accept('holdfast.v1');
    expect(net.last.framesOf('resume')[0]?.body).toMatchObject({ session: 's1', token: 't1', auth: 'fresh' });
  });

  it('keeps the URL as it is where that is asked for', () => {
    const net = stage();
    const socket = net.open({ sessionInUrl: false });
    net.last.lose();
    net.clock.advance(1_000);
    expect(net.last.url).toBe(net.url);
    expect(socket.url).toBe(net.url);
  });

  it('drops late reports of a transport that was hung up', () => {
    const net = stage();
    const socket = net.open();
    const events = journal(socket);
    const first = net.last;
    net.clock.advance(4_000);
    expect(first.closedWith).toEqual([4505, 'HF_SILENT']);
    first.deliver('anything');
    first.lose(1000);
    expect(events).toEqual(['recovering 4505 HF_SILENT']);
    expect(first.onclose).toBeNull();
  });

  it('hangs up with a code that a page may send', () => {
    const net = stage();
    net.connect();
    net.last.accept('holdfast.v1');
    net.last.deliver(`welcome\n${' '.repeat(LIMITS.handshakeBytes + 1)}`);
    expect(net.last.closedWith).toEqual([4500, 'HF_TOO_LARGE']);
  });

  it('closes with the code of the server when the session cannot go on', () => {
    const net = stage();
    const events = journal(net.open());
    net.last.lose(1006);
    net.clock.advance(1_000);
    net.last.accept('holdfast.v1');
    net.last.lose(4502, 'HF_EXPIRED');
    expect(events).toEqual(['recovering 1006', 'error', 'close 4502 HF_EXPIRED unclean']);
    expect(net.clock.pending).toBe(0);
  });

  it('closes with HF_UNREACHABLE after maxAttempts', () => {
    const net = stage();
    const socket = net.open({ maxAttempts: 2 });
    const events = journal(socket);
    net.last.lose(1006);
    for (let attempt = 0; attempt < 2; attempt++) {
      net.clock.advance(1_000);
      net.last.lose(1006);
    }
    expect(events).toEqual([
      'recovering 1006',
      expect.stringMatching(/^error HF_UNREACHABLE: /),
      'close 1006 HF_UNREACHABLE unclean',
    ]);
  });

  it('does not blame an error that it has survived for a later end', () => {
    const net = stage();
    const socket = net.open();
    const events = journal(socket);
    net.last.deliver('no frame\n');
    expect(events).toEqual(['recovering 1006 HF_FRAME']);
    reattach(net);
    net.last.lose(4503, 'HF_UNAUTHORIZED');
    expect(events.slice(1)).toEqual(['recovered 0', 'error', 'close 4503 HF_UNAUTHORIZED unclean']);
  });

  it('still says goodbye when it was closed while it recovered', () => {
    const net = stage();
    const socket = net.open();
    const events = journal(socket);
    net.last.lose();
    socket.send('last');
    socket.close(1000, 'done');
    reattach(net);
    expect(net.last.frames.map(({ type }) => type)).toEqual(['resume', 'ack', 'm', 'bye']);
    net.last.say({ type: 'ack', ack: 1, topics: [] });
    net.last.say({ type: 'bye', code: 1000, reason: '' });
    expect(events).toEqual(['recovering 1006', 'recovered 0', 'close 1000 done clean']);
  });
});

describe('a gap', () => {
  it('is told with its topic and its numbers', () => {
    const net = stage();
    const events = journal(net.open());
    net.last.say({ type: 'sub', topic: 'news', epoch: 'n1', n: 4 });
    net.last.say({ type: 'gap', topic: 'news', from: 5, to: 9, epoch: 'n1' });
    net.last.say({ type: 'gap', topic: '', from: 1, to: 3, epoch: 'e1' });
    expect(events).toEqual(['gap news 5 9', 'gap  1 3']);
  });
});

describe('a drain', () => {
  it('moves the session to another transport before the first is left', () => {
    const net = stage();
    const socket = net.open();
    const events = journal(socket);
    const first = net.last;
    first.say({ type: 'drain', afterMs: 100, withinMs: 200 });
    net.clock.advance(200);
    expect(net.dialled).toHaveLength(2);
    first.say({ type: 'm', n: 1, ack: 0, data: 'meanwhile', binary: false });
    net.last.accept('holdfast.v1');
    net.resumed({ end: 1 });
    expect(events).toEqual(['message meanwhile', 'moved p2']);
    expect(first.closedWith?.[0]).toBe(4507);
    expect(socket.getStatistics()).toMatchObject({ pod: 'p2', moves: 1, transports: 2 });
  });
});

describe('a bye of the server', () => {
  it('is a clean close with its code and reason', () => {
    const net = stage();
    const events = journal(net.open());
    net.last.say({ type: 'bye', code: 4100, reason: 'kicked' });
    expect(events).toEqual(['close 4100 kicked clean']);
    expect(net.last.framesOf('bye')).toHaveLength(1);
  });
});

describe('getStatistics', () => {
  it('tells how things stand, from the first attempt to the end', () => {
    const net = stage();
    const socket = net.connect();
    expect(socket.getStatistics()).toMatchObject({
      state: 'connecting',
      session: undefined,
      uptimeMs: 0,
      attempts: 1,
      environment: { name: 'development', from: 'options' },
      breaker: { state: 'closed', failuresInARow: 0 },
    });
    net.last.accept('holdfast.v1');
    net.welcome();
    socket.send('abc');
    net.clock.advance(500);
    expect(socket.getStatistics()).toMatchObject({
      state: 'open',
      session: 's1',
      pod: 'p1',
      uptimeMs: 500,
      sent: 1,
      waitingBytes: 3,
      bufferedBytes: 0,
    });
  });

  it('shows the breaker that sockets to one endpoint share', () => {
    const net = stage();
    const breaker = { failures: 2, openMs: 10_000 };
    const [one, other] = [net.connect({ breaker }), net.connect({ breaker })];
    for (const transport of net.dialled.slice()) transport.lose();
    expect(one.getStatistics().breaker).toMatchObject({ state: 'open', failuresInARow: 2 });
    expect(other.getStatistics().breaker).toEqual(one.getStatistics().breaker);
    net.clock.advance(9_000);
    expect(net.dialled).toHaveLength(2);
    net.clock.advance(4_000);
    expect(net.dialled).toHaveLength(3);
  });
});
