import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { VirtualClock } from '@holdfast/testing';
import type { WebSocket } from 'ws';
import { describe, expect, test } from 'vitest';
import { Deadlines } from './deadlines.js';
import { DEFAULT_KEEPALIVE, Keepalive } from './keepalive.js';
import { serverClock } from './server.fixture.js';

/** A plain socket whose network takes a ping when the test says so. */
class FakeSocket extends EventEmitter {
  isPaused = false;
  takesWrites = true;
  readonly pingsMs: number[] = [];
  readonly waiting: (() => void)[] = [];
  terminatedMs: number | undefined;

  constructor(private readonly clock: VirtualClock) {
    super();
  }

  ping(_data: unknown, _mask: unknown, done: () => void): void {
    this.pingsMs.push(this.clock.now());
    if (this.takesWrites) done();
    else this.waiting.push(done);
  }

  terminate(): void {
    this.terminatedMs ??= this.clock.now();
    this.emit('close');
  }
}

function setUp() {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(serverClock(clock));
  const socket = new FakeSocket(clock);
  new Keepalive(socket as unknown as WebSocket, new PassThrough(), DEFAULT_KEEPALIVE, serverClock(clock), deadlines);
  return { clock, socket };
}

test('a client that ignores pings is gone within the pong wait', () => {
  const { clock, socket } = setUp();
  clock.advance(120_000);
  expect(socket.pingsMs[0]).toBe(30_000);
  expect(socket.terminatedMs).toBeGreaterThan(55_000);
  expect(socket.terminatedMs).toBeLessThanOrEqual(60_000);
  expect(clock.pending).toBe(0);
});

test.each(['pong', 'ping', 'message'])('a client that is heard by a %s lives on', (event) => {
  const { clock, socket } = setUp();
  for (let i = 0; i < 20; i++) {
    clock.advance(45_000);
    socket.emit(event);
  }
  expect(socket.terminatedMs).toBeUndefined();
});

test('a client that is busy is not pinged', () => {
  const { clock, socket } = setUp();
  for (let i = 0; i < 20; i++) {
    clock.advance(20_000);
    socket.emit('message');
  }
  expect(socket.pingsMs).toEqual([]);
});

describe('a ping that the network does not take', () => {
  test('ends the connection after the write wait', () => {
    const { clock, socket } = setUp();
    socket.takesWrites = false;
    clock.advance(60_000);
    expect(socket.terminatedMs).toBe(40_000);
  });

  test('and takes late, within the wait, ends nothing', () => {
    const { clock, socket } = setUp();
    socket.takesWrites = false;
    clock.advance(39_000);
    for (const done of socket.waiting) done();
    socket.emit('pong');
    clock.advance(10_000);
    expect(socket.terminatedMs).toBeUndefined();
  });
});

test('a socket that the application has paused is not judged by its silence', () => {
  const { clock, socket } = setUp();
  socket.isPaused = true;
  clock.advance(600_000);
  expect(socket.terminatedMs).toBeUndefined();
  socket.isPaused = false;
  clock.advance(90_000);
  expect(socket.terminatedMs).toBeDefined();
});

test('nothing is left when the connection closes', () => {
  const { clock, socket } = setUp();
  expect(clock.pending).toBe(1);
  socket.emit('close');
  clock.advance(120_000);
  expect(socket.pingsMs).toEqual([]);
  expect(clock.pending).toBe(0);
});
