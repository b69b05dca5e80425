import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { originAllowed, verify, type ClientInfo } from './gatekeeper.js';

const request = (headers: Record<string, string>): IncomingMessage => ({ headers }) as unknown as IncomingMessage;

describe('without an allow-list', () => {
  test.each([
    ['https://app.example.com', 'app.example.com', true],
    ['https://app.example.com:8443', 'app.example.com:80', true],
    ['http://[::1]:3000', '[::1]:8080', true],
    ['https://evil.example', 'app.example.com', false],
    ['https://app.example.com.evil.example', 'app.example.com', false],
    ['null', 'app.example.com', false],
    ['not a url', 'app.example.com', false],
    ['not a url', '', false],
  ])('a page of %s may connect to %s: %s', (origin, host, allowed) => {
    expect(originAllowed(request({ origin, host }), undefined)).toBe(allowed);
  });

  test('a client that sends no origin is no browser', () => {
    expect(originAllowed(request({ host: 'app.example.com' }), undefined)).toBe(true);
  });

  test('a page is not let in where the host is not known', () => {
    expect(originAllowed(request({ origin: 'https://app.example.com' }), undefined)).toBe(false);
  });
});

describe('with an allow-list', () => {
  const allowed = ['https://app.example.com', /^https:\/\/[a-z]+\.example\.org$/g];

  test('the pages on it may connect, each time they ask', () => {
    for (let i = 0; i < 3; i++) {
      expect(originAllowed(request({ origin: 'https://app.example.com' }), allowed)).toBe(true);
      expect(originAllowed(request({ origin: 'https://beta.example.org' }), allowed)).toBe(true);
    }
  });

  test('no other may, not even of the host itself', () => {
    expect(originAllowed(request({ origin: 'https://example.com', host: 'example.com' }), allowed)).toBe(false);
    expect(originAllowed(request({ origin: 'https://app.example.com' }), [])).toBe(false);
  });
});

test("'*' lets every page connect", () => {
  expect(originAllowed(request({ origin: 'https://evil.example', host: 'example.com' }), '*')).toBe(true);
});

describe('verifyClient', () => {
  const info = { origin: 'https://app.example.com', secure: false, req: request({}) } as ClientInfo;

  test('is not asked where there is none', async () => {
    expect(await verify(info, undefined)).toBeUndefined();
  });

  test('that answers at once decides by its value', async () => {
    const seen: ClientInfo[] = [];
    expect(await verify(info, (client: ClientInfo) => seen.push(client) > 0)).toBeUndefined();
    expect(await verify(info, () => false)).toEqual({ status: 401 });
    expect(seen).toEqual([info]);
  });

  test('that answers later decides with status, message and headers', async () => {
    expect(await verify(info, (_, done) => queueMicrotask(() => done(true)))).toBeUndefined();
    expect(await verify(info, (_, done) => done(false))).toEqual({ status: 401 });
    expect(await verify(info, (_, done) => done(false, 429, 'Later', { 'Retry-After': '1' }))).toEqual({
      status: 429,
      message: 'Later',
      headers: { 'Retry-After': '1' },
    });
  });
});
