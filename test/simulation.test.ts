import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { randomSeed } from '@holdfast/testing';

const root = join(import.meta.dirname, '..');

/** Runs the simulator as a process of its own, and returns what it prints. It fails if anything is violated. */
async function simulate(...args: string[]): Promise<string> {
  const child = promisify(execFile)(process.execPath, ['scripts/simulate.mjs', ...args], { cwd: root });
  const { stdout } = await child.catch((failed: { stdout: string; stderr: string }) => failed);
  process.stdout.write(stdout);
  return stdout;
}

it('keeps every promise in a fixed set of seeds', async () => {
  expect(await simulate('--from', '1', '--seeds', '250')).toMatch(/^250 seeds, .* 0 violations$/m);
});

it('keeps every promise in fresh seeds', async () => {
  const from = `${randomSeed()}`;
  expect(await simulate('--from', from, '--minutes', '0.35')).toMatch(/^\d+ seeds, .* 0 violations$/m);
});
