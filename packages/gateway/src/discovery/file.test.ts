import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until, VirtualClock } from '@holdfast/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileLookout } from './file.js';

let folder: string;
let path: string;
let clock: VirtualClock;
let lookout: FileLookout | undefined;
let found: string[];
let troubles: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pods-'));
  path = join(folder, 'pods.yaml');
  clock = new VirtualClock();
  [found, troubles] = [[], []];
});
afterEach(async () => {
  lookout?.close();
  await until(() => clock.pending === 0, { what: 'no timer to be left' });
  await rm(folder, { recursive: true });
});

/** Reads the file for the first time. */
async function look(): Promise<void> {
  lookout = new FileLookout(
    path,
    {
      found: (pods) => void found.push(pods.map(({ host }) => host).join(' ')),
      troubled: (error) => void troubles.push(error.message),
    },
    clock,
  );
  await until(() => clock.pending === 1);
}
/** Lets an event of the folder come, and the time pass that it is waited for. */
async function changed(): Promise<void> {
  await until(() => (clock.nextDeadline() ?? Infinity) - clock.now() <= 50);
  clock.advance(50);
  await until(() => clock.pending === 1);
}
async function replace(text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

describe('FileLookout', () => {
  it('takes the pods of the file, and those of the file that replaces it', async () => {
    await writeFile(path, '[a:1, b:1]');
    await look();
    await replace('- c:1');
    await changed();
    expect([found.at(0), found.at(-1)]).toEqual(['a b', 'c']);
  });

  it('notices a file that is written where it is', async () => {
    await writeFile(path, '[a:1]');
    await look();
    await writeFile(path, '[b:1]');
    await changed();
    expect(found.at(-1)).toBe('b');
  });

  it('notices a link that is turned to another folder, as in a ConfigMap', async () => {
    for (const version of ['one', 'two']) {
      await mkdir(join(folder, version));
      await writeFile(join(folder, version, 'pods.yaml'), `[${version}:1]`);
    }
    await symlink('one', join(folder, '..data'));
    await symlink(join('..data', 'pods.yaml'), path);
    await look();
    await symlink('two', join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    await changed();
    expect(found).toEqual(['one', 'two']);
  });

  it.each([
    ['has bad content', () => replace('- nonsense'), 'pod 1 is not written as'],
    ['is gone', () => rm(path), 'ENOENT'],
    ['is too large', () => replace(`# ${'x'.repeat(1_100_000)}`), 'at most 1048576'],
  ])('keeps the pods when the file %s, tells it, and takes the file again when it is good', async (_, spoil, words) => {
    await replace('[a:1]');
    await look();
    await spoil();
    await changed();
    expect(found).toEqual(['a']);
    expect(troubles).toEqual([expect.stringMatching(/^HF_POD_FILE: /)]);
    expect(troubles[0]).toContain(words);
    await replace('[a:1]');
    await changed();
    expect(found).toEqual(['a', 'a']);
  });

  it('finds a file, and even a folder, that is not there yet', async () => {
    path = join(folder, 'later', 'pods.yaml');
    await look();
    expect([found, troubles.length]).toEqual([[], 1]);
    await mkdir(join(folder, 'later'));
    await writeFile(path, '[a:1]');
    clock.advance(10_000);
    await until(() => clock.pending === 1);
    expect(found).toEqual(['a']);
  });

  it('tells nothing new while the file says the same', async () => {
    await writeFile(path, '[a:1]');
    await look();
    for (let n = 0; n < 3; n++) {
      clock.advance(10_000);
      await until(() => clock.pending === 1);
    }
    expect(found).toEqual(['a']);
  });
});
