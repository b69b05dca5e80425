import { collect, until, VirtualClock } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { WebSocket as WsSocket } from 'ws';
import { journal, stage } from './fake-socket.fixture.js';
import { WebSocket } from './index.js';
import { plainServer, rawServer } from './real-server.fixture.js';

/** Without jitter every wait of a backoff is none. */
const eager = { random: () => 0, environment: 'development' } as const;

/** As in a browser, a transport cannot tell why its handshake failed. */
const asInBrowser = { ...eager, WebSocket: WsSocket };

const echo = (socket: WsSocket): void => {
  socket.on('message', (data: Buffer, binary) => socket.send(data, { binary }));
};

describe('a server of ws that knows nothing of holdfast', () => {
  it.each([
    ['without subprotocols', undefined, ''],
    ['with one', 'chat', 'chat'],
    ['with several', ['chat', 'news'], 'chat'],
  ])('is a plain WebSocket at the first attempt, %s', async (_, protocols, expected) => {
    await using server = await plainServer();
    server.wss.on('connection', echo);
    const socket = new WebSocket(server.url, protocols, eager);
    const events = journal(socket);
    const messages = collect<MessageEvent>(socket, 'message');
    await until(() => socket.readyState === 1);
    expect(socket.protocol).toBe(expected);
    expect(socket.getStatistics()).toMatchObject({ state: 'plain', session: undefined, attempts: 1 });
    socket.binaryType = 'arraybuffer';
    socket.send('text');
    socket.send(new Blob(['blob']));
    socket.send(Uint8Array.of(1, 2));
    const [text, blob, bytes] = (await messages.waitFor(3)).map(({ data }) => data as unknown);
    expect(text).toBe('text');
    expect(Buffer.from(blob as ArrayBuffer).toString()).toBe('blob');
    expect(new Uint8Array(bytes as ArrayBuffer)).toEqual(Uint8Array.of(1, 2));
    socket.close();
    await until(() => socket.readyState === 3);
    expect(events.at(0)).toBe('open');
    expect(events.at(-1)).toBe('close 1005 clean');
  });

  it('may choose among the subprotocols of the application', async () => {
    await using server = await plainServer({ handleProtocols: (offered) => (offered.has('news') ? 'news' : false) });
    const socket = new WebSocket(server.url, ['chat', 'news'], eager);
    await until(() => socket.readyState === 1);
    expect(socket.protocol).toBe('news');
    socket.close();
    await until(() => socket.readyState === 3);
  });
});

describe('the close of a plain WebSocket', () => {
  it('by the server surfaces with its code and reason, and is not recovered from', async () => {
    await using server = await plainServer();
    server.wss.on('connection', (connection) => connection.close(4001, 'go away'));
    const socket = new WebSocket(server.url, [], eager);
    const events = journal(socket);
    await until(() => socket.readyState === 3);
    expect(events).toEqual(['open', 'close 4001 go away clean']);
    expect(server.requests).toHaveLength(1);
  });

  it('by the application reaches the server with its code and reason', async () => {
    await using server = await plainServer();
    const connection = server.nextSocket();
    const socket = new WebSocket(server.url, [], eager);
    const closes = collect<string>(await connection, 'close', {
      map: (code: number, reason: Buffer) => `${code} ${reason.toString()}`,
    });
    const events = journal(socket);
    await until(() => socket.readyState === 1);
    socket.send('before');
    socket.close(3001, 'done');
    expect(socket.readyState).toBe(2);
    await until(() => socket.readyState === 3);
    expect(events).toEqual(['open', 'close 3001 done clean']);
    expect(closes.items).toEqual(['3001 done']);
  });

  it('by nobody is an error and 1006', async () => {
    await using server = await plainServer();
    server.wss.on('connection', (connection) => connection.terminate());
    const socket = new WebSocket(server.url, [], eager);
    const events = journal(socket);
    await until(() => socket.readyState === 3);
    expect(events).toEqual(['open', 'error', 'close 1006 unclean']);
  });

  it('is over after closeMs where the server does not answer', () => {
    const net = stage();
    const socket = net.connect({ closeMs: 1_000 });
    net.last.accept('');
    const events = journal(socket);
    socket.close(1000);
    expect(net.last.closedWith).toEqual([1000, '']);
    net.clock.advance(1_000);
    expect(events).toEqual(['error', 'close 1006 unclean']);
    expect(net.clock.pending).toBe(0);
  });
});

describe('a server that selects no subprotocol', () => {
  const ignoring = () => plainServer({ handleProtocols: () => false });

  it('is found out by Node at once', async () => {
    await using server = await ignoring();
    server.wss.on('connection', echo);
    const socket = new WebSocket(server.url, [], eager);
    const messages = collect<string>(socket, 'message', { map: ({ data }: MessageEvent<string>) => data });
    await until(() => socket.readyState === 1);
    socket.send('hello');
    expect(await messages.waitFor(1)).toEqual(['hello']);
    expect(server.requests.map(({ headers }) => headers['sec-websocket-protocol'])).toEqual([
      'holdfast.plain,holdfast.v1',
      undefined,
    ]);
    socket.close();
    await until(() => socket.readyState === 3);
  });

  it('is found out by a browser with one attempt more, and nothing that it says meanwhile is lost', async () => {
    await using server = await ignoring();
    server.wss.on('connection', (connection) => {
      connection.send('first');
      connection.send('second');
      echo(connection);
    });
    const socket = new WebSocket(server.url, [], asInBrowser);
    const events = journal(socket);
    await until(() => socket.readyState === 1);
    socket.send('third');
    await until(() => events.length === 4);
    expect(events).toEqual(['open', 'message first', 'message second', 'message third']);
    expect(socket.getStatistics()).toMatchObject({ state: 'plain', attempts: 3 });
    socket.close(1000);
    await until(() => socket.readyState === 3);
  });

  it('is never settled for where that is forbidden', async () => {
    await using server = await ignoring();
    const socket = new WebSocket(server.url, [], { ...eager, fallback: false, maxAttempts: 3 });
    const events = journal(socket);
    await until(() => socket.readyState === 3);
    expect(events).toEqual([expect.stringMatching(/^error HF_UNREACHABLE/), 'close 1006 HF_UNREACHABLE unclean']);
    expect(server.requests.every(({ headers }) => headers['sec-websocket-protocol']?.includes('holdfast.v1'))).toBe(
      true,
    );
  });

  it('is a failure, and not asked again and again at once, where the application needs a subprotocol', async () => {
    await using server = await ignoring();
    const socket = new WebSocket(server.url, 'chat', { ...eager, maxAttempts: 4 });
    await until(() => socket.readyState === 3);
    expect(socket.getStatistics().attempts).toBeLessThan(12);
    expect(server.requests).toHaveLength(socket.getStatistics().attempts);
  });
});

describe('a browser and a server that is only slow to come up', () => {
  it('ends with a session, and hangs up the plain WebSocket that it had in reserve', () => {
    const net = stage();
    const events = journal(net.connect());
    net.last.lose();
    net.clock.advance(1_000);
    const spare = net.last;
    expect(spare.offered).toEqual([]);
    spare.accept('');
    expect(net.last.offered).toEqual(['holdfast.plain', 'holdfast.v1']);
    net.last.accept('holdfast.v1');
    net.welcome();
    expect(events).toEqual(['open']);
    expect(spare.closedWith).toEqual([1000, '']);
  });
});

describe('what a plain WebSocket holds', () => {
  it('is bounded by maxBufferedBytes, but for one message of any size', () => {
    const net = stage();
    const socket = net.connect({ maxBufferedBytes: 10 });
    net.last.accept('');
    socket.send('x'.repeat(100));
    net.last.bufferedAmount = 8;
    socket.send('12');
    expect(socket.bufferedAmount).toBe(8);
    expect(() => socket.send('123')).toThrow(expect.objectContaining({ code: 'HF_BUFFER_FULL' }));
    expect(() => socket.send(new Blob(['123']))).toThrow(expect.objectContaining({ code: 'HF_BUFFER_FULL' }));
  });
});

describe('a handshake that is refused with an HTTP status', () => {
  it('ends the socket where credentials are wrong, since trying again cannot help', async () => {
    await using server = await rawServer((socket) => socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n'));
    const socket = new WebSocket(server.url, [], eager);
    const events = journal(socket);
    await until(() => socket.readyState === 3);
    expect(events).toEqual(['error', 'close 4503 HF_UNAUTHORIZED unclean']);
    expect(server.requests).toHaveLength(1);
  });

  it('is tried again when Retry-After has passed, and not before', async () => {
    await using server = await rawServer((socket) => socket.end('HTTP/1.1 503 Unavailable\r\nRetry-After: 20\r\n\r\n'));
    const clock = new VirtualClock();
    const socket = new WebSocket(server.url, [], { ...eager, clock });
    await until(() => socket.getStatistics().breaker.failuresInARow === 1);
    clock.advance(19_999);
    expect(socket.getStatistics().attempts).toBe(1);
    clock.advance(1);
    expect(socket.getStatistics().attempts).toBe(2);
    socket.close();
    clock.advance(0);
    expect(socket.readyState).toBe(3);
  });
});
