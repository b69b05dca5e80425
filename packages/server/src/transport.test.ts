import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';
import { VirtualClock } from '@holdfast/testing';
import { WebSocket } from 'ws';
import { describe, expect, test } from 'vitest';
import { serverClock } from './server.fixture.js';
import { bytesOf, WsTransport } from './transport.js';
import { WriteWatch } from './write-watch.js';

/** A socket whose network takes what the test says. */
class SlowSocket extends Duplex {
  readonly #waiting: (() => void)[] = [];
  /** As the handle of a net.Socket tells how much of the write of now the system has not taken. */
  readonly _handle = { writeQueueSize: 0 };

  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    this.#waiting.push(done);
  }

  override _writev(_chunks: unknown[], done: () => void): void {
    this.#waiting.push(done);
  }

  override _read(): void {}

  /** The network takes the write of now. */
  networkTakes(): void {
    this.#waiting.shift()?.();
  }
}

/** A `ws` socket over it, as far as a transport uses one. */
class FakeWs extends EventEmitter {
  readyState: number = WebSocket.OPEN;
  closedWith: unknown[] | undefined;
  terminated = false;

  constructor(
    readonly socket: SlowSocket,
    readonly extensions: string,
  ) {
    super();
  }

  get bufferedAmount(): number {
    return this.socket.writableLength;
  }

  send(data: string | Uint8Array, _options: unknown, done?: (error?: Error | null) => void): void {
    this.socket.write(data, done ?? (() => undefined));
  }

  close(...args: unknown[]): void {
    this.closedWith = args;
  }

  terminate(): void {
    this.terminated = true;
  }
}

function setUp(extensions = '') {
  const clock = new VirtualClock({ startMs: 1_000 });
  const socket = new SlowSocket();
  const ws = new FakeWs(socket, extensions);
  const transport = new WsTransport(ws as unknown as WebSocket, socket, serverClock(clock));
  const heard: string[] = [];
  transport.onWritable = () => heard.push('writable');
  transport.onLost = (code, reason) => heard.push(`lost ${code} ${reason}`);
  transport.onData = (data, binary) => heard.push(`${Buffer.from(data).toString()} ${binary}`);
  const send = (data: string): void => {
    transport.send(data, false);
    transport.flush();
  };
  return { clock, socket, ws, transport, heard, send };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe.each(['', 'permessage-deflate'])('a write, with the extension %j,', (extensions) => {
  test('is watched from when it begins until the network has taken it', async () => {
    const { clock, socket, transport, send } = setUp(extensions);
    expect(transport.stalledSinceMs).toBe(Infinity);
    send('a');
    clock.advance(500);
    expect(transport.stalledSinceMs).toBe(1_000);
    socket.networkTakes();
    await turn();
    expect(transport.stalledSinceMs).toBe(Infinity);
  });

  test('behind another is watched when that has been taken', async () => {
    const { clock, socket, transport, send } = setUp(extensions);
    send('a');
    send('b');
    clock.advance(500);
    socket.networkTakes();
    await turn();
    expect(transport.stalledSinceMs).toBe(1_500);
    for (let i = 0; i < 3; i++) {
      socket.networkTakes();
      await turn();
    }
    expect(transport.stalledSinceMs).toBe(Infinity);
    expect(transport.bufferedBytes).toBe(0);
  });

  test('that the system takes bit by bit is not stalled', () => {
    const { clock, socket, transport, send } = setUp(extensions);
    send('a long one');
    for (const queued of [1_000, 800, 600]) {
      socket._handle.writeQueueSize = queued;
      clock.advance(400);
      expect(transport.stalledSinceMs).toBe(queued === 1_000 ? 1_000 : clock.now());
    }
    clock.advance(5_000);
    expect(transport.stalledSinceMs).toBe(clock.now() - 5_000);
  });
});

test('a transport takes no more above its high water, and tells when it does again', async () => {
  const { socket, transport, heard, send } = setUp();
  send('x'.repeat(200_000));
  expect(transport.full).toBe(false);
  send('x'.repeat(100_000));
  expect(transport.full).toBe(true);
  socket.networkTakes();
  await turn();
  expect(transport.full).toBe(false);
  expect(heard).toContain('writable');
});

test('what is sent between two flushes goes out as one write', async () => {
  const { socket, transport } = setUp();
  const writes: string[] = [];
  socket._write = (chunk: Buffer, _encoding, done) => {
    writes.push(chunk.toString('latin1'));
    done();
  };
  for (const text of ['a', 'b', 'c']) transport.send(text, false);
  expect(transport.bufferedBytes).toBe(9);
  transport.flush();
  await turn();
  expect(writes).toEqual(['\x81\x01a\x81\x01b\x81\x01c']);
});

test('nothing is written behind a close frame', async () => {
  const { socket, ws, transport } = setUp();
  let writes = 0;
  socket._write = (_chunk, _encoding, done) => {
    writes++;
    done();
  };
  ws.readyState = WebSocket.CLOSING;
  transport.send('late', false);
  transport.flush();
  await turn();
  expect(writes).toBe(0);
  expect(transport.bufferedBytes).toBe(0);
});

describe('a transport that is closed', () => {
  test('is silent from then on', () => {
    const { ws, transport, heard } = setUp();
    transport.close(4501, 'HF_FENCED');
    ws.emit('message', Buffer.from('late'), false);
    ws.emit('close', 1006, Buffer.from(''));
    expect(ws.closedWith).toEqual([4501, 'HF_FENCED']);
    expect(heard).toEqual([]);
    expect(ws.terminated).toBe(false);
  });

  test('while it is full and stalled is cut: a close frame would never get through', () => {
    const { ws, transport, send } = setUp();
    send('x'.repeat(300_000));
    transport.close(4506, 'HF_SLOW_WRITE');
    expect(ws.terminated).toBe(true);
  });
});

test('messages and the end of the socket are handed on', () => {
  const { ws, heard } = setUp();
  ws.emit('message', Buffer.from('text'), false);
  ws.emit('message', [Buffer.from('fr'), Buffer.from('ags')], true);
  ws.emit('error', new Error('reset'));
  ws.emit('close', 1006, Buffer.from('why'));
  expect(heard).toEqual(['text false', 'frags true', 'lost 1006 why']);
  expect(bytesOf(Uint8Array.from([1, 2]).buffer)).toEqual(new Uint8Array([1, 2]));
});

test('a socket that does not tell how much waits is watched by its writes alone', () => {
  const clock = new VirtualClock();
  const watch = new WriteWatch(new Duplex(), serverClock(clock));
  watch.begin();
  clock.advance(100);
  expect(watch.sinceMs).toBe(0);
  watch.end();
  expect(watch.active).toBe(false);
});
