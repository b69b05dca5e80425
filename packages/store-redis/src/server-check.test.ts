import { expect, it } from 'vitest';
import { checkServer } from './server-check.js';

const info = (fields: Record<string, string>): string => {
  const all = { redis_version: '7.0.15', redis_mode: 'standalone', maxmemory: '0', maxmemory_policy: 'noeviction' };
  const lines = Object.entries({ ...all, ...fields }).map(([name, value]) => `${name}:${value}`);
  return ['# Server', ...lines, 'cluster_enabled:0', ''].join('\r\n');
};

it.each<[string, Record<string, string>]>([
  ['Redis 7', {}],
  ['Redis 10', { redis_version: '10.0.0' }],
  ['Valkey, which says which Redis it can stand for', { redis_version: '7.2.4', server_name: 'valkey' }],
  ['one that evicts and has no bound', { maxmemory_policy: 'allkeys-lru' }],
])('takes %s', (_, fields) => {
  expect(() => checkServer(info(fields))).not.toThrow();
});

it.each<[string, Record<string, string>, string]>([
  ['a cluster', { redis_mode: 'cluster' }, 'HF_STORE_CLUSTER'],
  ['Redis 6', { redis_version: '6.2.14' }, 'HF_STORE_VERSION'],
  ['one that evicts', { maxmemory: '1000', maxmemory_policy: 'allkeys-random' }, 'HF_STORE_EVICTS'],
  ['one that evicts what expires', { maxmemory: '1000', maxmemory_policy: 'volatile-lru' }, 'HF_STORE_EVICTS'],
])('refuses %s', (_, fields, code) => {
  expect(() => checkServer(info(fields))).toThrow(code);
});
