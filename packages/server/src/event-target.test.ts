import { EventEmitter } from 'node:events';
import type { WebSocket } from 'ws';
import { expect, test } from 'vitest';
import { SocketEventTarget, type SocketEvent } from './event-target.js';

function setUp() {
  const emitter = new EventEmitter();
  const target = emitter as unknown as WebSocket;
  const events: SocketEvent[] = [];
  const listener = (event: unknown): void => void events.push(event as SocketEvent);
  return { emitter, target, events, listener, socket: new SocketEventTarget(emitter, target) };
}

test('events have the members of the browser', () => {
  const { emitter, target, events, listener, socket } = setUp();
  for (const type of ['open', 'message', 'close', 'error']) socket.add(type, listener);
  const error = new Error('no');
  emitter.emit('message', Buffer.from('text'), false);
  emitter.emit('message', Buffer.from('bytes'), true);
  emitter.emit('error', error);
  emitter.emit('close', 4000, Buffer.from('bye'));
  expect(events).toEqual([
    { type: 'message', target, data: 'text' },
    { type: 'message', target, data: Buffer.from('bytes') },
    { type: 'error', target, error, message: 'no' },
    { type: 'close', target, code: 4000, reason: 'bye', wasClean: true },
  ]);
});

test('a listener is added once, can be an object, and can be removed', () => {
  const { emitter, events, listener, socket } = setUp();
  const object = { handleEvent: listener };
  for (const one of [listener, listener, object]) socket.add('open', one);
  emitter.emit('open');
  expect(events).toHaveLength(2);
  socket.remove('open', listener);
  socket.remove('open', object);
  emitter.emit('open');
  expect(events).toHaveLength(2);
  expect(emitter.eventNames()).toEqual([]);
});

test('a listener for once is called once', () => {
  const { emitter, events, listener, socket } = setUp();
  socket.add('open', listener, { once: true });
  emitter.emit('open');
  emitter.emit('open');
  expect(events).toHaveLength(1);
});

test('an attribute holds one listener, beside those that were added', () => {
  const { emitter, events, listener, socket } = setUp();
  const other = (): void => undefined;
  socket.setAttribute('open', other);
  socket.setAttribute('open', listener);
  socket.add('open', listener);
  expect(socket.getAttribute('open')).toBe(listener);
  emitter.emit('open');
  expect(events).toHaveLength(2);
  socket.setAttribute('open', null);
  expect(socket.getAttribute('open')).toBeNull();
  emitter.emit('open');
  expect(events).toHaveLength(3);
});

test('events that a socket does not have are ignored', () => {
  const { emitter, listener, socket } = setUp();
  socket.add('toString', listener);
  socket.add('ping', listener);
  expect(emitter.eventNames()).toEqual([]);
});
