import { VirtualClock } from '@holdfast/testing';
import { expect, test } from 'vitest';
import { testEnvironment } from '../environment.fixture.js';
import { discover, DnsLookout, FileLookout, KubernetesLookout } from './index.js';

const base = testEnvironment({});

test.each([
  ['dns', { from: 'dns', name: 'web.invalid', record: 'A', refreshMs: 5_000 }, DnsLookout],
  ['file', { from: 'file', path: '/nowhere/pods.yaml' }, FileLookout],
  ['kubernetes', { from: 'kubernetes', namespace: 'shop', service: 'web' }, KubernetesLookout],
] as const)(
  'pods come from %s where the policy says so, and nothing is told once it is closed',
  async (_, discovery, kind) => {
    const clock = new VirtualClock();
    const told: unknown[] = [];
    const tell = (what: unknown): void => void told.push(what);
    const environment = { ...base, gateway: { ...base.gateway, discovery } };
    const lookout = discover(environment, { found: tell, troubled: tell }, clock);
    expect(lookout).toBeInstanceOf(kind);
    lookout.close();
    await clock.advanceAsync(60_000);
    expect([told, clock.pending]).toEqual([[], 0]);
  },
);

test('pods that are written in the policy are there at once', () => {
  const pods = [{ host: '127.0.0.1', port: 1, weight: 1, backup: false }];
  const told: unknown[] = [];
  const finder = { found: (found: unknown) => void told.push(found), troubled: () => {} };
  discover({ ...base, pods }, finder, new VirtualClock()).close();
  expect(told).toEqual([pods]);
});
