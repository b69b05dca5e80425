import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '@holdfast/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from './clock.js';
import { testEnvironment } from './environment.fixture.js';
import { Pods } from './pods.js';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).reverse()) await end();
});

const base = testEnvironment({});
const at = (...ports: number[]) => ports.map((port) => ({ host: '127.0.0.1', port, weight: 1, backup: false }));

function podsOf(environment: typeof base): { pods: Pods; troubles: string[] } {
  const troubles: string[] = [];
  const pods = new Pods(
    environment,
    systemClock,
    () => 0.5,
    (error) => void troubles.push(error.code),
  );
  leftovers.push(() => pods.close());
  return { pods, troubles };
}
const statesOf = (pods: Pods): string =>
  pods
    .report()
    .map(({ port, state }) => `${port} ${state}`)
    .join(', ');

describe('Pods', () => {
  it('has pods of the policy that are to be checked wait for it from the beginning, and then gives them their full share', () => {
    const { pods } = podsOf({ ...base, pods: at(1), health: { ...base.health, check: 'http' } });
    const told: string[] = [];
    pods.pool.watch(({ from, to }) => told.push(`${from} ${to}`));
    pods.start();
    expect([statesOf(pods), told]).toEqual(['1 checking', []]);
    pods.pool.checked('127.0.0.1:1', 'up');
    expect(told).toEqual(['checking ready']);
  });

  it('has those of the policy at once, and those of a new policy after a reload', () => {
    const { pods } = podsOf({ ...base, pods: at(1, 2) });
    expect(statesOf(pods)).toBe('1 ready, 2 ready');
    pods.reload({ ...base, pods: at(2, 3) });
    expect(statesOf(pods)).toBe('2 ready, 3 ready');
    pods.start();
    pods.reload({ ...base, pods: at(3) });
    expect(statesOf(pods)).toBe('3 ready');
  });

  it('follows a file, tells when it is bad, and goes over to another source after a reload', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pods-'));
    leftovers.push(() => rm(folder, { recursive: true }));
    const path = join(folder, 'pods.json');
    await writeFile(path, '["127.0.0.1:1"]');
    const environment = { ...base, gateway: { ...base.gateway, discovery: { from: 'file', path } as const } };
    const { pods, troubles } = podsOf({ ...environment, pods: at(9) });
    expect(pods.report()).toEqual([]);
    pods.start();
    await until(() => statesOf(pods) === '1 ready');
    await writeFile(`${path}.new`, '["nonsense"]');
    await rename(`${path}.new`, path);
    await until(() => troubles.length > 0);
    expect([troubles, statesOf(pods)]).toEqual([['HF_POD_FILE'], '1 ready']);
    pods.reload({ ...base, pods: at(5) });
    expect(statesOf(pods)).toBe('5 ready');
  });

  it('keeps what checks have found over a reload, and forgets it when checks are switched off', async () => {
    const server = createServer((_, response) => response.writeHead(503).end('{"draining":true}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    leftovers.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const checked = { ...base, pods: at(port), health: { ...base.health, check: 'http' as const } };
    const { pods } = podsOf(checked);
    pods.start();
    await until(() => statesOf(pods) === `${port} draining`);
    pods.reload(checked);
    expect(statesOf(pods)).toBe(`${port} draining`);
    pods.reload({ ...checked, health: { ...checked.health, check: 'off' } });
    expect(statesOf(pods)).toBe(`${port} ready`);
  });
});
