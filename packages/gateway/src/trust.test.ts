import { describe, expect, it } from 'vitest';
import { notedClients, plainAddress, TrustedProxies } from './trust.js';

describe('the address of a client', () => {
  const proxies = new TrustedProxies(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32']);

  it.each([
    ['is the peer who is not trusted, whatever it says', '203.0.113.1', ['198.51.100.1'], '203.0.113.1'],
    ['is what a trusted proxy has noted', '10.0.0.1', ['203.0.113.1'], '203.0.113.1'],
    ['is read from the right', '10.0.0.1', ['1.1.1.1', '203.0.113.1', '10.0.0.2'], '203.0.113.1'],
    ['is the first, where all are trusted', '10.0.0.1', ['10.0.0.3', '10.0.0.2'], '10.0.0.3'],
    ['is the proxy itself, where it has noted nothing', '10.0.0.1', [], '10.0.0.1'],
    ['is the proxy, where what it noted is no address', '10.0.0.1', ['unknown'], '10.0.0.1'],
    ['may be behind an IPv6 proxy', '2001:db8::1', ['[2001:db9::7]:4000'], '2001:db9::7'],
    ['may have a port', '192.0.2.1', ['203.0.113.1:4000'], '203.0.113.1'],
  ])('%s', (_what, peer, noted, expected) => expect(proxies.clientOf(peer, noted)).toBe(expected));

  it.each([
    [{ 'x-forwarded-for': '1.1.1.1, 2.2.2.2' }, ['1.1.1.1', '2.2.2.2']],
    [{ forwarded: 'for=1.1.1.1;proto=http, For="[2001:db8::1]:80"' }, ['1.1.1.1', '[2001:db8::1]:80']],
    [{ forwarded: 'proto=http' }, ['']],
    [{}, []],
  ])('is noted in %j', (headers, expected) => expect(notedClients(headers)).toEqual(expected));

  it.each([
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['[::1]', '::1'],
    ['nobody', undefined],
    ['1.2.3', undefined],
    ['', undefined],
  ])('is plain: %s', (text, expected) => expect(plainAddress(text)).toBe(expected));
});

it.each(['10.0.0.0/33', '10.0.0', 'x', '10.0.0.0/8/8', '::/129', '10.0.0.0/'])('refuses the network %s', (network) => {
  expect(() => new TrustedProxies([network])).toThrow('HF_OPTION');
});
