import { describe, expect, it } from 'vitest';
import { breakerOf, isLoopback, parseProtocols, parseUrl, urlOf } from './endpoint.js';

describe('parseUrl', () => {
  it.each([
    ['ws://server.test', 'ws://server.test/'],
    ['WSS://Server.Test:443/a b?c d', 'wss://server.test/a%20b?c%20d'],
    ['http://server.test:80/x', 'ws://server.test/x'],
    ['https://server.test', 'wss://server.test/'],
    ['https://server.test:80', 'wss://server.test:80/'],
    ['http://server.test:443', 'ws://server.test:443/'],
    ['ws://user:word@server.test', 'ws://user:word@server.test/'],
  ])('reads %s as %s', (given, expected) => {
    expect(parseUrl(given, undefined).href).toBe(expected);
    expect(parseUrl(new URL(given), undefined).href).toBe(expected);
  });

  it.each([
    ['/chat', 'wss://page.test/chat'],
    ['chat?x', 'wss://page.test/app/chat?x'],
    ['//other.test', 'wss://other.test/'],
    ['', 'wss://page.test/app/index.html'],
  ])('reads %j on a page as %s', (given, expected) => {
    expect(parseUrl(given, 'https://page.test/app/index.html').href).toBe(expected);
  });

  it('leaves the URL that it was given as it is', () => {
    const given = new URL('http://server.test/');
    parseUrl(given, undefined);
    expect(given.href).toBe('http://server.test/');
  });
});

describe('parseProtocols', () => {
  it.each([
    [undefined, []],
    ['chat', ['chat']],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    [new Set(['a', 'b']), ['a', 'b']],
    [null, ['null']],
  ])('reads %j as %j', (given, expected) => {
    expect(parseProtocols(given)).toEqual(expected);
  });

  it('accepts every character of a token, and no other', () => {
    const tokens = "!#$%&'*+-.^_`|~09AZaz";
    for (let code = 0; code < 300; code++) {
      const character = String.fromCharCode(code);
      const isToken = tokens.includes(character) || /^[0-9A-Za-z]$/.test(character);
      if (isToken) expect(parseProtocols(character)).toEqual([character]);
      else expect(() => parseProtocols(character), JSON.stringify(character)).toThrow(DOMException);
    }
  });
});

describe('urlOf', () => {
  it.each([
    ['ws://a.test/', 'ws://a.test/?hf=s-1'],
    ['ws://a.test/p?', 'ws://a.test/p?hf=s-1'],
    ['ws://a.test/p?q=%20+x', 'ws://a.test/p?q=%20+x&hf=s-1'],
  ])('adds the session to %s and changes nothing else', (given, expected) => {
    expect(urlOf(new URL(given), 's-1')).toBe(expected);
    expect(urlOf(new URL(given), undefined)).toBe(given);
  });
});

describe('isLoopback', () => {
  it.each(['localhost', 'app.localhost', '127.0.0.1', '127.1.2.3', '[::1]'])('holds for %s', (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  it.each(['localhost.test', 'notlocalhost', '128.0.0.1', '10.0.0.1', '[::2]'])('does not hold for %s', (host) => {
    expect(isLoopback(host)).toBe(false);
  });
});

describe('breakerOf', () => {
  const options = { failures: 5, openMs: 1_000 };

  it('is one for each origin and path, whatever the query', () => {
    const breaker = breakerOf(new URL('ws://one.test/a?x'), options);
    expect(breakerOf(new URL('ws://one.test/a?y'), options)).toBe(breaker);
    expect(breakerOf(new URL('ws://one.test/b'), options)).not.toBe(breaker);
    expect(breakerOf(new URL('wss://one.test/a'), options)).not.toBe(breaker);
    expect(breakerOf(new URL('ws://one.test/a'), { ...options, failures: 6 })).not.toBe(breaker);
  });

  it('forgets the endpoint that was used least recently, so that their number is bounded', () => {
    const [first, second] = ['first', 'second'].map((name) => breakerOf(new URL(`ws://${name}.bound.test`), options));
    for (let n = 0; n < 63; n++) {
      breakerOf(new URL(`ws://n${n}.bound.test`), options);
      expect(breakerOf(new URL('ws://first.bound.test'), options)).toBe(first);
    }
    expect(breakerOf(new URL('ws://second.bound.test'), options)).not.toBe(second);
  });
});
