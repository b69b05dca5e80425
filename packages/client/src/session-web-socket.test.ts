import { DEFAULT_POLICY } from '@holdfast/protocol';
import { deferred, until } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { FakeSocket, journal, stage } from './fake-socket.fixture.js';
import { WebSocket } from './index.js';

const thrownBy = (action: () => unknown): Error => {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
};

describe('the constructor', () => {
  it('has the constants of the standard, on the class and on its sockets', () => {
    const socket = stage().connect();
    for (const holder of [WebSocket, WebSocket.prototype, socket]) {
      expect([holder.CONNECTING, holder.OPEN, holder.CLOSING, holder.CLOSED]).toEqual([0, 1, 2, 3]);
    }
    expect(() => Object.assign(WebSocket, { OPEN: 7 })).toThrow(TypeError);
  });

  it('begins as the standard says', () => {
    const net = stage();
    const socket = net.connect();
    expect(socket).toMatchObject({
      readyState: 0,
      bufferedAmount: 0,
      protocol: '',
      extensions: '',
      binaryType: 'blob',
    });
    expect(socket).toMatchObject({ url: net.url, onopen: null, onmessage: null, onerror: null, onclose: null });
    expect(Object.prototype.toString.call(socket)).toBe('[object WebSocket]');
    expect(socket).toBeInstanceOf(EventTarget);
  });

  it.each([['not a url'], ['/chat'], ['ftp://server.test'], ['ws://server.test/#part'], ['ws://server.test/#']])(
    'refuses the URL %s with a SyntaxError',
    (url) => {
      const error = thrownBy(() => new WebSocket(url));
      expect(error).toBeInstanceOf(DOMException);
      expect(error.name).toBe('SyntaxError');
    },
  );

  it.each([[['']], [['a b']], [['a', 'a']], [['a', 'A']], ['a,b'], ['ä'], ['holdfast.v1'], ['holdfast.v1+a']])(
    'refuses the subprotocols %j with a SyntaxError',
    (protocols) => {
      expect(thrownBy(() => new WebSocket('ws://server.test', protocols)).name).toBe('SyntaxError');
    },
  );

  it('offers the subprotocols of the application as they are, and then over holdfast', () => {
    const net = stage();
    net.connect({}, ['chat', 'news']);
    expect(net.last.offered).toEqual(['chat', 'news', 'holdfast.v1+chat', 'holdfast.v1+news']);
  });

  it('throws what the constructor of the platform throws', () => {
    class Strict extends FakeSocket {
      constructor() {
        super('', []);
        throw new DOMException('mixed content', 'SecurityError');
      }
    }
    const net = stage();
    const error = thrownBy(() => net.connect({ WebSocket: Strict }));
    expect(error.name).toBe('SecurityError');
    net.clock.advance(60_000);
    expect(net.clock.pending).toBe(0);
  });

  it('can be had with other defaults, for code that knows no options', () => {
    const net = stage();
    const Socket = WebSocket.with({ ...net.options, auth: 'secret' });
    const socket = new Socket(net.url, 'chat');
    expect(socket).toBeInstanceOf(WebSocket);
    expect(Socket.OPEN).toBe(1);
    net.last.accept('holdfast.v1+chat');
    expect(net.last.framesOf('hello')[0]?.body.auth).toBe('secret');
    expect(() => WebSocket.with({ window: 3 as never })).toThrow('HF_OPTION');
  });
});

describe('an open socket', () => {
  it('opens once the server has welcomed it, and not when the transport opens', () => {
    const net = stage();
    const socket = net.connect({}, ['chat']);
    const events = journal(socket);
    net.last.accept('holdfast.v1+chat');
    expect(socket.readyState).toBe(0);
    net.welcome();
    expect(socket).toMatchObject({ readyState: 1, protocol: 'chat' });
    expect(events).toEqual(['open']);
  });

  it('delivers a text as text, with the origin of the URL', () => {
    const net = stage();
    const messages: MessageEvent[] = [];
    net.open().onmessage = (event) => messages.push(event);
    net.last.say({ type: 'm', n: 1, ack: 0, data: 'hello', binary: false });
    expect(messages[0]).toBeInstanceOf(MessageEvent);
    expect(messages[0]).toMatchObject({ data: 'hello', origin: new URL(net.url).origin, type: 'message' });
    expect(messages[0]).not.toHaveProperty('topic');
  });

  it('delivers bytes as the Blob or the ArrayBuffer that was asked for, with nothing around them', async () => {
    const net = stage();
    const socket = net.open();
    const got: unknown[] = [];
    socket.onmessage = ({ data }) => got.push(data);
    const bytes = Uint8Array.of(1, 2, 3);
    net.last.say({ type: 'm', n: 1, ack: 0, data: bytes, binary: true });
    socket.binaryType = 'arraybuffer';
    socket.binaryType = 'nodebuffer' as never;
    net.last.say({ type: 'm', n: 2, ack: 0, data: bytes, binary: true });
    expect(got[0]).toBeInstanceOf(Blob);
    expect(new Uint8Array(await (got[0] as Blob).arrayBuffer())).toEqual(bytes);
    expect(got[1]).toBeInstanceOf(ArrayBuffer);
    expect(new Uint8Array(got[1] as ArrayBuffer)).toEqual(bytes);
  });

  it('names the topic of a message that was published to one', () => {
    const net = stage();
    const events = journal(net.open());
    net.last.say({ type: 'sub', topic: 'news', epoch: 'n1', n: 4 });
    net.last.say({ type: 't', topic: 'news', n: 5, data: 'extra', binary: false });
    expect(events).toEqual(['message news: extra']);
  });

  it('delivers a message after the listener of the one before has returned, whatever that listener does', () => {
    const net = stage();
    const socket = net.open();
    const order: string[] = [];
    socket.onmessage = ({ data }) => {
      order.push(`in ${data}`);
      if (data === '1') net.last.say({ type: 'm', n: 2, ack: 0, data: '2', binary: false });
      order.push(`out ${data}`);
    };
    net.last.say({ type: 'm', n: 1, ack: 0, data: '1', binary: false });
    expect(order).toEqual(['in 1', 'out 1', 'in 2', 'out 2']);
  });
});

describe('send', () => {
  it('throws InvalidStateError before open', () => {
    const socket = stage().connect();
    expect(thrownBy(() => socket.send('x')).name).toBe('InvalidStateError');
  });

  it('sends what a message was when it was sent, whatever becomes of the buffer', () => {
    const net = stage();
    const socket = net.open();
    net.last.lose();
    const buffer = Uint8Array.of(0, 1, 2, 3, 4);
    socket.send(buffer.subarray(1, 3));
    socket.send(new DataView(buffer.buffer, 4));
    socket.send(buffer.buffer);
    buffer.fill(9);
    net.clock.advance(1_000);
    net.last.accept('holdfast.v1');
    net.resumed();
    expect(net.last.framesOf('m').map(({ data }) => [...(data as Uint8Array)])).toEqual([[1, 2], [4], [0, 1, 2, 3, 4]]);
  });

  it('makes a text of anything else, with U+FFFD for lone surrogates', () => {
    const net = stage();
    const socket = net.open();
    for (const value of ['a\ud800b', 7, null, { toString: () => 'own' }]) socket.send(value as never);
    expect(net.last.framesOf('m').map(({ data }) => data)).toEqual(['a\ufffdb', '7', 'null', 'own']);
    expect(() => socket.send(Symbol('s') as never)).toThrow(TypeError);
  });

  it('refuses shared memory', () => {
    const socket = stage().open();
    expect(() => socket.send(new SharedArrayBuffer(1))).toThrow(TypeError);
    expect(() => socket.send(new Uint8Array(new SharedArrayBuffer(1)))).toThrow(TypeError);
  });

  it('keeps the order of Blobs and what is sent after them, and counts them meanwhile', async () => {
    const net = stage();
    const socket = net.open();
    socket.send('1');
    socket.send(new Blob(['22']));
    socket.send('3é');
    socket.send(new Blob([]));
    expect(socket.bufferedAmount).toBe(2 + 3);
    await until(() => net.last.framesOf('m').length === 4, { everyMs: 1 });
    expect(net.last.framesOf('m').map(({ data }) => Buffer.from(data as string).toString())).toEqual([
      '1',
      '22',
      '3é',
      '',
    ]);
    expect(socket.bufferedAmount).toBe(0);
  });

  it('counts the bytes that wait for a connection or in the transport', () => {
    const net = stage();
    const socket = net.open();
    net.last.bufferedAmount = 5;
    expect(socket.bufferedAmount).toBe(5);
    net.last.deliver('no frame');
    net.clock.advance(1_000);
    net.last.bufferedAmount = 7;
    net.last.lose();
    socket.send('1234');
    socket.send('é');
    expect(socket.bufferedAmount).toBe(6);
  });

  it('throws HF_BUFFER_FULL at the bound, for Blobs too, and loses nothing that it accepted', async () => {
    const net = stage();
    const socket = net.open({ maxBufferedBytes: 10 });
    net.last.lose();
    socket.send('12345678');
    expect(() => socket.send('abc')).toThrow(expect.objectContaining({ code: 'HF_BUFFER_FULL' }));
    expect(() => socket.send(new Blob(['abc']))).toThrow(expect.objectContaining({ code: 'HF_BUFFER_FULL' }));
    socket.send(new Blob(['ab']));
    expect(() => socket.send('c')).toThrow(expect.objectContaining({ code: 'HF_BUFFER_FULL' }));
    await until(() => socket.getStatistics().waitingMessages === 2, { everyMs: 1 });
    net.clock.advance(1_000);
    net.last.accept('holdfast.v1');
    net.resumed();
    expect(net.last.framesOf('m').map(({ data }) => Buffer.from(data as string).toString())).toEqual([
      '12345678',
      'ab',
    ]);
  });

  it('throws HF_MESSAGE_TOO_LARGE for what the server would not take', () => {
    const net = stage();
    const socket = net.connect();
    net.last.accept('holdfast.v1');
    net.welcome({ maxPayloadBytes: 3 });
    socket.send('123');
    expect(() => socket.send('1234')).toThrow(expect.objectContaining({ code: 'HF_MESSAGE_TOO_LARGE' }));
    expect(() => socket.send(new Blob(['1234']))).toThrow(expect.objectContaining({ code: 'HF_MESSAGE_TOO_LARGE' }));
  });

  it('counts and drops what is sent after close', () => {
    const net = stage();
    const socket = net.open();
    socket.close();
    socket.send('123');
    socket.send(new Blob(['4']));
    expect(socket.bufferedAmount).toBe(4);
    expect(net.last.framesOf('m')).toEqual([]);
  });
});

describe('close', () => {
  it.each([[0], [999], [1001], [1005], [2999], [5000], [Number.NaN], [null], ['x']])('refuses the code %s', (code) => {
    const socket = stage().open();
    expect(thrownBy(() => socket.close(code as number)).name).toBe('InvalidAccessError');
    expect(socket.readyState).toBe(1);
  });

  it('refuses a reason of more than 123 bytes, and a bad code before it', () => {
    const socket = stage().open();
    expect(thrownBy(() => socket.close(1000, 'é'.repeat(62))).name).toBe('SyntaxError');
    expect(thrownBy(() => socket.close(1, 'é'.repeat(62))).name).toBe('InvalidAccessError');
    socket.close(3000, `${'é'.repeat(61)}x`);
    expect(socket.readyState).toBe(2);
  });

  it('ends the session with its code and reason, once the server has said bye too', () => {
    const net = stage();
    const socket = net.open();
    const events = journal(socket);
    socket.close(4001, 'enough\ud800');
    expect(socket.readyState).toBe(2);
    expect(net.last.framesOf('bye')).toEqual([{ type: 'bye', code: 4001, reason: 'enough\ufffd' }]);
    net.last.say({ type: 'bye', code: 4001, reason: '' });
    expect(socket.readyState).toBe(3);
    expect(events).toEqual(['close 4001 enough\ufffd clean']);
    expect(net.last.closedWith).toEqual([1000, '']);
    expect(net.clock.pending).toBe(0);
  });

  it('sends no code when it is given none: the application hears 1005, as from a browser', () => {
    const net = stage();
    const socket = net.open();
    const events = journal(socket);
    socket.close();
    net.last.say({ type: 'bye', code: 1005, reason: '' });
    expect(events).toEqual(['close 1005 clean']);
  });

  it('delivers no message after it was called', () => {
    const net = stage();
    const socket = net.open();
    const events = journal(socket);
    socket.close();
    net.last.say({ type: 'm', n: 1, ack: 0, data: 'late', binary: false });
    expect(events).toEqual([]);
  });

  it('before open is an error and a close with 1006, both after it has returned', () => {
    const net = stage();
    const socket = net.connect();
    const events = journal(socket);
    socket.close(1000);
    expect(socket.readyState).toBe(2);
    expect(events).toEqual([]);
    net.clock.advance(0);
    expect(events).toEqual(['error', 'close 1006 unclean']);
    expect(socket.readyState).toBe(3);
    expect(net.last.closedWith).toEqual([1000, '']);
  });

  it('waits for Blobs that were sent before', async () => {
    const net = stage();
    const socket = net.open();
    socket.send(new Blob(['last words']));
    socket.close(1000);
    expect(net.last.frames.some(({ type }) => type === 'bye')).toBe(false);
    await until(() => net.last.framesOf('bye').length === 1, { everyMs: 1 });
    expect(net.last.framesOf('m')).toHaveLength(1);
  });

  it('gives up after closeMs where the server is silent', () => {
    const net = stage();
    const socket = net.open({ closeMs: 2_000 });
    const events = journal(socket);
    socket.close(1000);
    net.clock.advance(1_999);
    expect(socket.readyState).toBe(2);
    net.clock.advance(1);
    expect(events).toEqual(['error', 'close 1006 unclean']);
    expect(net.clock.pending).toBe(0);
  });

  it('may be called again, and is without effect, also while a Blob is read', async () => {
    const net = stage();
    const socket = net.open();
    socket.send(new Blob(['x']));
    socket.close(3001);
    socket.close(3002);
    await until(() => net.last.framesOf('bye').length === 1, { everyMs: 1 });
    expect(net.last.framesOf('bye')).toMatchObject([{ code: 3001 }]);
  });

  it('leaves no timer when the server ends the session while a Blob is read', () => {
    const net = stage();
    const socket = net.open();
    const events = journal(socket);
    socket.send(new Blob(['x']));
    socket.close();
    net.last.say({ type: 'bye', code: 4100, reason: '' });
    expect(events).toEqual(['close 4100 clean']);
    expect(net.clock.pending).toBe(0);
  });
});

describe('a Blob that cannot be read', () => {
  const unreadable = (): Blob =>
    Object.assign(new Blob(['secret']), { arrayBuffer: () => Promise.reject(new Error('file has changed')) });

  it('ends the session, since its message was accepted and cannot be delivered', async () => {
    const net = stage();
    const socket = net.open();
    const events = journal(socket);
    socket.send(unreadable());
    socket.send('behind it');
    await until(() => net.last.framesOf('bye').length === 1, { everyMs: 1 });
    net.last.say({ type: 'bye', code: 1011, reason: '' });
    expect(events).toEqual(['error file has changed', 'close 1011 unclean']);
  });

  it('is given up after closeMs where reading takes longer', async () => {
    const net = stage();
    const socket = net.open({ closeMs: 2_000 });
    const events = journal(socket);
    const reading = deferred<ArrayBuffer>();
    socket.send(Object.assign(new Blob(['x']), { arrayBuffer: () => reading.promise }));
    socket.close();
    net.clock.advance(2_000);
    reading.resolve(new ArrayBuffer(1));
    await reading.promise;
    expect(net.last.framesOf('m')).toEqual([]);
    net.last.say({ type: 'bye', code: 1011, reason: '' });
    expect(events).toEqual(['error', 'close 1011 unclean']);
  });

  it('leaves the close its own time once it has been read', async () => {
    const net = stage();
    const socket = net.open({ closeMs: 2_000 });
    const events = journal(socket);
    const reading = deferred<ArrayBuffer>();
    socket.send(Object.assign(new Blob(['x']), { arrayBuffer: () => reading.promise }));
    socket.close(1000);
    net.clock.advance(1_500);
    reading.resolve(new ArrayBuffer(1));
    await until(() => net.last.framesOf('bye').length === 1, { everyMs: 1 });
    net.clock.advance(1_500);
    net.last.say({ type: 'ack', ack: 1, topics: [] });
    net.last.say({ type: 'bye', code: 1000, reason: '' });
    expect(events).toEqual(['close 1000 clean']);
  });

  it('changes nothing when the session has ended before', async () => {
    const net = stage();
    const socket = net.open();
    const events = journal(socket);
    socket.send(unreadable());
    net.last.say({ type: 'bye', code: 1000, reason: '' });
    await new Promise(setImmediate);
    expect(socket.readyState).toBe(3);
    expect(events).toEqual(['close 1000 clean']);
  });

  it('ends the session when another server takes less than the one that it was accepted for', async () => {
    const net = stage();
    const socket = net.open();
    const events = journal(socket);
    const reading = deferred<ArrayBuffer>();
    socket.send(Object.assign(new Blob(['1234']), { arrayBuffer: () => reading.promise }));
    net.last.lose();
    net.clock.advance(1_000);
    net.last.accept('holdfast.v1');
    net.resumed({ policy: { ...DEFAULT_POLICY, maxPayloadBytes: 3 } });
    reading.resolve(new ArrayBuffer(4));
    await until(() => net.last.framesOf('bye').length === 1, { everyMs: 1 });
    net.last.say({ type: 'bye', code: 1011, reason: '' });
    expect(events.slice(2)).toEqual([expect.stringMatching(/^error HF_MESSAGE_TOO_LARGE/), 'close 1011 unclean']);
  });
});
