import { describe, expect, it } from 'vitest';
import { FakeSocket, journal, stage } from './fake-socket.fixture.js';

describe('the timer', () => {
  it('is one, whatever is due', () => {
    const net = stage();
    const socket = net.open();
    for (let n = 1; n <= 5; n++) {
      net.last.say({ type: 'm', n, ack: 0, data: 'x', binary: false });
      socket.send('y');
      expect(net.clock.pending).toBe(1);
    }
  });

  it('is set for what is due first, and not anew for every frame', () => {
    const net = stage();
    let armed = 0;
    const socket = net.open({
      clock: {
        now: net.clock.now,
        clearTimeout: net.clock.clearTimeout,
        setTimeout: (callback, delayMs) => {
          armed++;
          return net.clock.setTimeout(callback, delayMs);
        },
      },
    });
    net.last.say({ type: 'm', n: 1, ack: 0, data: 'x', binary: false });
    const before = armed;
    for (let n = 2; n <= 50; n++) {
      net.last.say({ type: 'm', n, ack: 0, data: 'x', binary: false });
      socket.send('y');
    }
    expect(armed).toBe(before);
  });

  it('never asks a platform for more than it can wait', () => {
    const net = stage();
    const socket = net.connect({ connectMs: 3_000_000_000, progressiveMs: [] });
    const events = journal(socket);
    net.clock.advance(2_147_483_647);
    expect(net.dialled).toHaveLength(1);
    net.clock.advance(1_000_000_000);
    expect(net.dialled.length).toBeGreaterThan(1);
    expect(events).toEqual([]);
  });
});

describe('liveness', () => {
  it('pings in silence, and gives up a transport that does not answer within 5 s', () => {
    const net = stage();
    const events = journal(net.open());
    net.clock.advance(2_000);
    expect(net.last.framesOf('ping')).toHaveLength(1);
    net.clock.advance(3_000);
    expect(events).toEqual(['recovering 4505 HF_SILENT']);
  });

  it('reads what is waiting before it judges, when its timer is late', () => {
    let nowMs = 0;
    const timers: (() => void)[] = [];
    const net = stage();
    const clock = {
      now: () => nowMs,
      setTimeout: (callback: () => void) => timers.push(callback),
      clearTimeout: () => undefined,
    };
    const events = journal(net.open({ clock }));
    // The machine slept for a minute. Its timer fires first, and only then what the server said meanwhile is read.
    nowMs = 60_000;
    timers.at(-1)?.();
    expect(net.last.framesOf('ping')).toHaveLength(1);
    nowMs = 60_100;
    net.last.say({ type: 'pong', stamp: 60_000, ack: 0 });
    nowMs = 64_000;
    timers.at(-1)?.();
    expect(events).toEqual([]);
  });
});

describe('a transport that fails', () => {
  it('is followed by another after the backoff, and by none at once', () => {
    const net = stage();
    net.connect();
    net.last.lose();
    expect(net.dialled).toHaveLength(1);
    net.clock.advance(249);
    expect(net.dialled).toHaveLength(1);
    net.clock.advance(10_000);
    expect(net.dialled.length).toBeGreaterThan(1);
  });

  it('is hung up when it takes longer to open than its step allows', () => {
    const net = stage();
    net.connect();
    net.clock.advance(3_000);
    expect(net.dialled[0]?.closedWith).toBeDefined();
    net.clock.advance(2_000);
    expect(net.dialled.length).toBeGreaterThan(1);
  });

  it('counts as lost when the platform refuses to make it, though not the first time', () => {
    const net = stage();
    let broken = false;
    class Moody extends (net.options.WebSocket as typeof FakeSocket) {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        if (broken) throw new Error('no more sockets');
      }
    }
    const socket = net.open({ WebSocket: Moody });
    const events = journal(socket);
    net.last.lose();
    broken = true;
    net.clock.advance(2_000);
    const failed = net.dialled.length;
    broken = false;
    while (net.dialled.length === failed) net.clock.advance(100);
    net.last.accept('holdfast.v1');
    net.resumed();
    expect(events).toEqual(['recovering 1006', 'recovered 0']);
  });
});
