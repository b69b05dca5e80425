import { collect, until } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { plainServer, rawServer } from './real-server.fixture.js';
import type { Transport, TransportListener } from './transport.js';
import { retryAfterMs, wsDial } from './ws-transport.js';

/** Notes what a transport reports. */
function reports(): TransportListener & { readonly words: string[] } {
  const words: string[] = [];
  return {
    words,
    opened: () => words.push('opened'),
    received: (data, binary) => words.push(`${binary ? 'bytes' : 'text'} ${String(data)}`),
    lost: (code, reason, retryMs) => words.push(`lost ${code} ${reason}${retryMs === undefined ? '' : ` ${retryMs}`}`),
    refusedSubprotocol: () => words.push('refused subprotocol'),
  };
}

const respondWith = (status: string, headers = '') =>
  rawServer((socket) => socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\n`));

describe('a transport over ws', () => {
  it('reports what comes, as text and bytes', async () => {
    await using server = await plainServer();
    const connection = server.nextSocket();
    const { words, ...listener } = reports();
    const transport = wsDial({})(server.url, [], listener);
    const socket = await connection;
    const messages = collect<string>(socket, 'message', {
      map: (data: Buffer, binary: boolean) => `${data.toString()} ${binary}`,
    });
    socket.send('é');
    socket.send(Buffer.from('ab'));
    await until(() => words.length === 3);
    transport.send('text');
    transport.send(Uint8Array.of(65));
    await messages.waitFor(2);
    socket.close(4001, 'go');
    await until(() => words.length === 4);
    expect(words).toEqual(['opened', 'text é', 'bytes ab', 'lost 4001 go']);
    expect(messages.items).toEqual(['text false', 'A true']);
  });

  it('offers no compression unless it is told to', async () => {
    await using server = await plainServer({ perMessageDeflate: true });
    const { words, ...listener } = reports();
    const one = wsDial({})(server.url, [], listener);
    const other = wsDial({ perMessageDeflate: true })(server.url, [], listener);
    await until(() => words.length === 2);
    expect([one.extensions, other.extensions]).toEqual(['', 'permessage-deflate']);
    one.abandon(1000, '');
    other.abandon(1000, '');
  });

  it('passes headers on', async () => {
    await using server = await plainServer();
    const { words, ...listener } = reports();
    const transport = wsDial({ headers: { 'x-tenant': 'seven' } })(server.url, [], listener);
    await until(() => words.length === 1);
    expect(server.requests[0]?.headers['x-tenant']).toBe('seven');
    transport.abandon(1000, '');
  });

  it.each([
    ['401 Unauthorized', '', 'lost 4503 HF_UNAUTHORIZED'],
    ['403 Forbidden', '', 'lost 4503 HF_UNAUTHORIZED'],
    ['429 Too Many Requests', 'Retry-After: 3\r\n', 'lost 1013 HF_BUSY 3000'],
    ['503 Service Unavailable', 'Retry-After: 120\r\n', 'lost 1013 HF_BUSY 120000'],
    ['503 Service Unavailable', '', 'lost 1013 HF_BUSY'],
    ['404 Not Found', '', 'lost 1006 HTTP 404'],
    ['302 Found', 'Location: /other\r\n', 'lost 1006 HTTP 302'],
    ['200 OK', 'Content-Length: 2\r\n', 'lost 1006 HTTP 200'],
  ])('reports a handshake that is answered with %s %s once, as %s', async (status, headers, expected) => {
    await using server = await respondWith(status, headers);
    const { words, ...listener } = reports();
    wsDial({})(server.url, [], listener);
    await until(() => words.length > 0);
    await new Promise((resolve) => server.http.getConnections(resolve));
    expect(words).toEqual([expected]);
  });

  it('reports a server that is not there', async () => {
    const server = await plainServer();
    await server[Symbol.asyncDispose]();
    const { words, ...listener } = reports();
    wsDial({})(server.url, [], listener);
    await until(() => words.length > 0);
    expect(words).toEqual([expect.stringMatching(/^lost 1006 .*ECONNREFUSED/)]);
  });

  it.each([1000, 4505])('reports nothing after it was abandoned with %i, in whatever state', async (code) => {
    await using server = await plainServer();
    const { words, ...listener } = reports();
    const dial = (): Transport => wsDial({})(server.url, [], listener);
    dial().abandon(code, '');
    const connection = server.nextSocket();
    const open = dial();
    const socket = await connection;
    await until(() => words.length === 1);
    const closes = collect<number>(socket, 'close');
    open.abandon(code, '');
    socket.send('late');
    expect((await closes.waitFor(1))[0]).toBe(code === 1000 ? 1000 : 1006);
    expect(words).toEqual(['opened']);
  });
});

describe('retryAfterMs', () => {
  const nowMs = Date.parse('2025-06-01T12:00:00Z');

  it.each([
    ['0', 0],
    ['30', 30_000],
    ['999999999', 86_400_000],
    ['Sun, 01 Jun 2025 12:01:00 GMT', 60_000],
    ['Sun, 01 Jun 2025 11:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
  ])('reads %j as %s', (value, expected) => {
    expect(retryAfterMs(value, nowMs)).toBe(expected);
  });
});
