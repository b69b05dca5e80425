import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');

/** Restarts three pods one after another behind a gateway, with clients that talk; what the clients noticed. */
async function roll(...args: string[]): Promise<Record<string, unknown>> {
  const { stdout } = await promisify(execFile)(process.execPath, ['bench/rolling.mjs', '--json', ...args], {
    cwd: root,
  });
  process.stdout.write(stdout);
  return JSON.parse(stdout) as Record<string, unknown>;
}

const COMPLETE = { lost: 0, duplicated: 0, outOfOrder: 0, declared: 0, gap: 0, closed: 0 };

it('leads 100 clients through a rolling restart of all pods without closing a connection, and loses nothing', async () => {
  const noticed = await roll('--clients', '100', '--interval-ms', '200');
  expect(noticed).toMatchObject({ ...COMPLETE, tcpOpened: 0, tcpClosed: 0, recovering: 0 });
  expect(noticed['received']).toBe(noticed['sent']);
  expect(noticed['moved']).toBeGreaterThanOrEqual(100);
});

it('leads them through pods that are killed as well', async () => {
  const noticed = await roll('--clients', '100', '--interval-ms', '200', '--kill');
  expect(noticed).toMatchObject({ ...COMPLETE, tcpOpened: 0, tcpClosed: 0 });
  expect(noticed['received']).toBe(noticed['sent']);
  expect(noticed['recovered']).toBeGreaterThanOrEqual(100);
});

it('would have seen connections that are closed: a relay closes them, and the sessions survive that too', async () => {
  const noticed = await roll('--clients', '20', '--carry', 'relay', '--kill');
  expect(noticed).toMatchObject(COMPLETE);
  expect(noticed['tcpClosed']).toBeGreaterThanOrEqual(20);
});
