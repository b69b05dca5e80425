import { describe, expect, it } from 'vitest';
import { testRoute } from './environment.fixture.js';
import { Router } from './router.js';

const routes = [
  testRoute({ path: '/' }),
  testRoute({ path: '/ws' }),
  testRoute({ path: '/ws/admin' }),
  testRoute({ path: '/ws', match: 'exact' }),
  testRoute({ path: '/api', kind: 'rest' }),
  testRoute({ path: '/ws', hosts: ['chat.test'] }),
  testRoute({ path: '/wild', hosts: ['*.wild.test'] }),
  testRoute({ path: '/any', hosts: ['*'] }),
  testRoute({ path: '/wild', match: 'exact', hosts: ['*.wild.test'] }),
  testRoute({ path: '/', hosts: ['a.wild.test'] }),
];

describe('a route is found', () => {
  const router = new Router(routes);
  it.each([
    ['other.test', '/x', 0],
    ['other.test', '/wsx', 0],
    ['other.test', '/%77s', 0],
    ['other.test', '/ws/x', 1],
    ['other.test', '/ws/admin', 2],
    ['other.test', '/ws/admin/x', 2],
    ['other.test', '/ws', 3],
    ['other.test', '/api/x', 4],
    ['chat.test', '/ws', 5],
    ['chat.test', '/x', 0],
    ['b.wild.test', '/wild/x', 6],
    ['b.wild.test', '/wild', 8],
    ['a.wild.test', '/wild', 9],
    ['wild.test', '/wild', 0],
    ['a.b.wild.test', '/wild', 0],
    ['other.test', '/any', 7],
  ])('for %s%s', (host, path, index) => {
    expect(router.find(host, path, 'websocket')).toBe(routes[index]);
  });

  it('of the kind that is asked for, where both kinds lead there', () => {
    const [socket, rest] = [testRoute({ path: '/both' }), testRoute({ path: '/both', kind: 'rest' })];
    const both = new Router([socket, rest]);
    expect([both.find('a', '/both', 'websocket'), both.find('a', '/both', 'rest')]).toEqual([socket, rest]);
  });

  it('only if there is one', () => {
    expect(new Router([testRoute({ path: '/a' })]).find('a', '/b', 'rest')).toBeUndefined();
  });
});
