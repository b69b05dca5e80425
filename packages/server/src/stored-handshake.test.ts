import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { restoreHandshake, storeHandshake } from './stored-handshake.js';

function requestWith(headers: Record<string, string>, url = '/room?x=1'): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  Object.defineProperty(request.socket, 'remoteAddress', { value: '192.0.2.1' });
  Object.assign(request, { method: 'GET', url });
  Object.assign(request.headers, headers);
  return request;
}

test('a handshake comes back with what an application looks at', () => {
  const request = requestWith({ host: 'example.com', 'user-agent': 'test', origin: 'https://example.com' });
  const restored = restoreHandshake(storeHandshake({ request, protocol: 'chat' }));
  expect(restored.protocol).toBe('chat');
  expect(restored.request).toBeInstanceOf(IncomingMessage);
  expect(restored.request).toMatchObject({ method: 'GET', url: '/room?x=1', headers: request.headers });
  expect(restored.request.socket.remoteAddress).toBe('192.0.2.1');
  expect(new URL(restored.request.url as string, 'http://x').searchParams.get('x')).toBe('1');
});

test('secrets are not kept, and long values are cut', () => {
  const request = requestWith(
    { cookie: 'sid=secret', authorization: 'Bearer secret', 'user-agent': 'x'.repeat(5_000) },
    `/${'y'.repeat(5_000)}`,
  );
  const json = storeHandshake({ request, protocol: '' });
  expect(json).not.toContain('secret');
  expect(json.length).toBeLessThan(2_500);
});

test('a record of another version is read as far as it goes', () => {
  expect(restoreHandshake('{}')).toMatchObject({ protocol: '', request: { method: 'GET', url: '/' } });
});
