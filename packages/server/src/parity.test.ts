import * as ws from 'ws';
import { expect, test } from 'vitest';
import * as ours from './index.js';
import { PlainSocket } from './plain-socket.js';
import { RawClient } from './raw-client.fixture.js';
import { serve } from './server.fixture.js';

/** Members that ws marks as private, in its own words. */
const PRIVATE = new Set(['constructor', 'setSocket', 'emitClose', 'completeUpgrade']);
/** The parts that ws is made of: a program that builds frames itself has no session. */
const PARTS = new Set(['Receiver', 'Sender', 'PerMessageDeflate', 'extension', 'subprotocol']);

const publicOf = (members: object): string[] =>
  Object.getOwnPropertyNames(members).filter((name) => !name.startsWith('_') && !PRIVATE.has(name));

test('a socket of a session has every public member of a socket of ws, as it is to be used', async () => {
  const { url, nextSocket } = await serve();
  const opened = nextSocket();
  await RawClient.begin(url);
  const session: object = await opened;
  const plain = Reflect.construct(PlainSocket, [null, undefined, {}]) as object;
  const members = publicOf(ws.WebSocket.prototype);
  expect(members).toEqual(expect.arrayContaining(['send', 'ping', 'terminate', 'bufferedAmount', 'onmessage', 'OPEN']));
  for (const name of members) {
    const descriptor = Object.getOwnPropertyDescriptor(ws.WebSocket.prototype, name);
    expect(name in session, name).toBe(true);
    expect(name in plain, name).toBe(true);
    const value = (session as Record<string, unknown>)[name];
    if (typeof descriptor?.value === 'function') expect(value, name).toBeTypeOf('function');
    if (typeof descriptor?.value === 'number') expect(value, name).toBe(descriptor.value);
  }
});

test('a server has every public member of a server of ws', () => {
  const server: object = new ours.WebSocketServer({ noServer: true });
  const original = new ws.WebSocketServer({ noServer: true });
  const members = [...publicOf(ws.WebSocketServer.prototype), ...publicOf(original)];
  expect(members).toEqual(expect.arrayContaining(['address', 'close', 'handleUpgrade', 'clients', 'options']));
  for (const name of members) expect(name in server, name).toBe(true);
});

test('the module exports what ws does, but for the parts that it is made of', () => {
  for (const name of Object.keys(ws).filter((exported) => !PARTS.has(exported))) {
    expect(Object.keys(ours), name).toContain(name);
  }
  const statics = Object.keys(ws.default).filter((name) => !PARTS.has(name));
  for (const name of statics) expect(name in ours.default, name).toBe(true);
  expect(ours.default).toBe(ours.WebSocket);
  expect(ours.default.Server).toBe(ours.WebSocketServer);
  expect(ours.default.OPEN).toBe(1);
});

test('sockets of sessions, plain sockets and those of ws are instances of WebSocket, and nothing else is', async () => {
  const { wss, url, nextSocket } = await serve();
  const first = nextSocket();
  await RawClient.begin(url);
  const session: unknown = await first;
  const second = nextSocket();
  const client = new ours.WebSocket(url);
  const plain: unknown = await second;
  for (const socket of [session, plain, client]) expect(socket instanceof ours.WebSocket).toBe(true);
  expect(client instanceof ws.WebSocket).toBe(true);
  expect((wss as unknown) instanceof ours.WebSocket).toBe(false);
  class Derived extends ours.WebSocket {}
  expect(session instanceof Derived).toBe(false);
});
