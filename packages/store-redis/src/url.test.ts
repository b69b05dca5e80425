import { describe, expect, it } from 'vitest';
import { clientOptionsOf, parseRedisUrl, type Place } from './url.js';

describe('the URL of a Redis', () => {
  it.each<[string, Partial<Place>]>([
    ['redis://host', { kind: 'one', addresses: [{ host: 'host', port: 6379 }], isTls: false }],
    ['redis://host:6380/3', { addresses: [{ host: 'host', port: 6380 }], database: 3 }],
    ['rediss://[::1]:6390', { addresses: [{ host: '::1', port: 6390 }], isTls: true }],
    ['redis://ann:p%40ss%3A@host', { username: 'ann', password: 'p@ss:' }],
    ['redis://:secret@host', { password: 'secret' }],
    ['redis://ann@host', { username: 'ann' }],
    ['redis://ann:p@ss@host', { password: 'p@ss', addresses: [{ host: 'host', port: 6379 }] }],
    [
      'redis+cluster://one:7000,two',
      {
        kind: 'cluster',
        addresses: [
          { host: 'one', port: 7000 },
          { host: 'two', port: 6379 },
        ],
      },
    ],
    ['rediss+cluster://one/0', { kind: 'cluster', isTls: true, database: 0 }],
    [
      'redis+sentinel://:secret@one,two:26380/main/2?prefix=app:&ca=/etc/ca.pem',
      {
        kind: 'sentinel',
        addresses: [
          { host: 'one', port: 26_379 },
          { host: 'two', port: 26_380 },
        ],
        master: 'main',
        password: 'secret',
        database: 2,
        prefix: 'app:',
        ca: '/etc/ca.pem',
      },
    ],
  ])('%s is read', (url, place) => {
    expect(parseRedisUrl(url)).toMatchObject(place);
  });

  it('leaves out what it does not say', () => {
    expect(Object.keys(parseRedisUrl('redis://host'))).toEqual(['kind', 'addresses', 'isTls']);
  });

  it.each([
    ['', /no URL/],
    ['redis:host', /no URL/],
    ['redis+ring://host', /no URL/],
    ['redis://', /host is missing/],
    ['redis://:secret@', /host is missing/],
    ['redis://host:0', /HOST:PORT/],
    ['redis://host:99999', /HOST:PORT/],
    ['redis://::1', /\[IPV6\]/],
    ['redis://one,two', /several are a cluster or sentinels.*redis\+cluster:/],
    ['redis://:%secret@host', /percent-encoded/],
    ['redis://host/main', /number of the database/],
    ['redis+cluster://host,', /host is missing/],
    ['redis+cluster://host/1', /no other database than 0/],
    ['redis+sentinel://host', /name that the sentinels have.*master-name/],
    ['redis+sentinel://host/main/x', /number of the database/],
    ['redis://host?prefx=secret', /prefix=.*ca=/],
    ['redis://host?prefix=', /prefix=.*ca=/],
    ['redis://host?prefix=%7Ba%7D', /braces/],
  ])('%s is refused, and it is said what to write', (url, why) => {
    const refused = (): unknown => parseRedisUrl(url);
    expect(refused).toThrow(why);
    expect(refused).toThrow(/^HF_STORE_URL: .*as in redis/);
  });

  it.each([
    'redis://ann:hunter2@',
    'redis+sentinel://ann:hunter2@host',
    'redis+x://:hunter2@h',
    'redis://:hunter2@h?y=1',
  ])('is not repeated in the error, as it holds a password: %s', (url) => {
    expect(() => parseRedisUrl(url)).toThrow(/^(?!.*hunter2)/);
  });
});

it('says what the client of each server needs', () => {
  const place = parseRedisUrl('rediss+cluster://ann:secret@one,two');
  expect(clientOptionsOf(place, { host: 'two', port: 1 })).toEqual({
    socket: { host: 'two', port: 1, tls: true },
    username: 'ann',
    password: 'secret',
  });
  expect(clientOptionsOf(parseRedisUrl('redis://one/1'), { host: 'one', port: 6379 })).toEqual({
    socket: { host: 'one', port: 6379 },
    database: 1,
  });
  const missing = parseRedisUrl('rediss://one?ca=/nowhere/ca.pem');
  expect(() => clientOptionsOf(missing, { host: 'one', port: 6379 })).toThrow('HF_STORE_OPEN');
});
