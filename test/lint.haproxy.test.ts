import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { disk, readExamples } from '@holdfast/hops';
import { expect, it } from 'vitest';
import { env } from './nginx-check.fixture.js';

const directory = join(import.meta.dirname, '../packages/hops/src/lint/fixtures');
const names = readExamples(disk, directory)
  .map(({ name }) => name)
  .filter((name) => name.startsWith('HAP'));

/** Those that HAProxy has something to say about, and what. */
const SAYS: Readonly<Record<string, RegExp>> = {
  'HAP002-fires.cfg': /'timeout tunnel' will be ignored because frontend 'web' has no backend capability/,
  'HAP009-fires.cfg': /nbproc is not supported any more/,
};

it.each(names)('HAProxy takes or refuses %s as the rule says', (name) => {
  const { status, stderr } = spawnSync('haproxy', ['-c', '-f', join(directory, name)], { env, encoding: 'utf8' });
  expect(status === 0, stderr).toBe(name !== 'HAP009-fires.cfg');
  const said = SAYS[name];
  if (said) expect(stderr).toMatch(said);
});
