import { fileURLToPath } from 'node:url';
import { startProcess } from '@holdfast/testing';
import { expect, it } from 'vitest';

it('runs the tests of the example that tests itself under faults', async () => {
  await using run = await startProcess({
    command: process.execPath,
    args: ['--test', '--test-reporter', 'tap', fileURLToPath(new URL('../examples/orders/', import.meta.url))],
    // Not what the runner of this test tells its own children.
    env: { NODE_OPTIONS: undefined, NODE_TEST_CONTEXT: undefined },
  });
  const exit = await run.exited;
  expect(exit, String(run.stdout)).toEqual({ code: 0, signal: null });
  expect(String(run.stdout)).toMatch(/^# pass 2$/m);
}, 120_000);
