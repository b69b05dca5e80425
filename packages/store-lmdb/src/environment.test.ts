import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { copyOf, newDirectory, openStore, publish, textsOf } from './directory.fixture.js';
import { LmdbStore } from './lmdb-store.js';

describe('the directory of a store', () => {
  it('is made, readable by its user only', async () => {
    const path = join(newDirectory(), 'deep', 'inside');
    await openStore({ path });
    expect(statSync(path).mode & 0o777).toBe(0o700);
    for (const name of ['data.mdb', 'data.mdb-lock', 'holdfast.json'])
      expect(statSync(join(path, name)).mode & 0o077).toBe(0);
  });

  it('may be a new volume', async () => {
    const path = newDirectory();
    mkdirSync(join(path, 'lost+found'));
    writeFileSync(join(path, '.hidden'), '');
    await expect(openStore({ path })).resolves.toBeInstanceOf(LmdbStore);
  });

  it.each([
    [
      'holds files of something else',
      (path: string) => writeFileSync(join(path, 'package.json'), '{}'),
      'HF_STORE_FOREIGN',
    ],
    [
      'has the marker of something else',
      (path: string) => writeFileSync(join(path, 'holdfast.json'), '{"store":"x"}'),
      'HF_STORE_FOREIGN',
    ],
    [
      'has a marker that cannot be read',
      (path: string) => writeFileSync(join(path, 'holdfast.json'), 'x'),
      'HF_STORE_FOREIGN',
    ],
    [
      'was written by a newer version',
      (path: string) => writeFileSync(join(path, 'holdfast.json'), '{"store":"holdfast-lmdb","format":2}'),
      'HF_STORE_NEWER',
    ],
  ])('is left alone when it %s', async (_, prepare, code) => {
    const path = newDirectory();
    prepare(path);
    const before = readdirSync(path);
    await expect(LmdbStore.open({ path })).rejects.toMatchObject({ code });
    expect(readdirSync(path)).toEqual(before);
  });

  it.each([
    ['is noise', (file: string) => writeFileSync(file, randomBytes(20_000))],
    ['is text', (file: string) => writeFileSync(file, 'hello')],
    ['is cut within its first page', (file: string) => truncateSync(file, 100)],
    ['is cut within its second page', (file: string) => truncateSync(file, 5000)],
    ['is cut behind its second page', (file: string) => truncateSync(file, 8192)],
    ['is of another version of LMDB', (file: string) => writeFileSync(file, otherVersion(readFileSync(file)))],
  ])('is refused when its data file %s', async (_, damage) => {
    const path = newDirectory();
    const store = await LmdbStore.open({ path });
    for (let number = 0; number < 50; number++) await publish(store, `t${number}`, 'x'.repeat(5000));
    await store.close();
    damage(join(path, 'data.mdb'));
    const size = statSync(join(path, 'data.mdb')).size;
    await expect(LmdbStore.open({ path })).rejects.toMatchObject({ code: 'HF_STORE_CORRUPT' });
    expect(statSync(join(path, 'data.mdb')).size).toBe(size);
  });

  it('is refused when a process of it is closed, and the store says so', async () => {
    const store = await openStore({ path: newDirectory() });
    await store.close();
    await expect(publish(store, 't', 'x')).rejects.toMatchObject({ code: 'HF_STORE_CLOSED' });
    await expect(store.read('t:t', 0, { entries: 1, bytes: 1 })).rejects.toMatchObject({ code: 'HF_STORE_CLOSED' });
  });

  it.each([
    [{ mapBytes: 1000 }, 'mapBytes is 1000'],
    [{ retention: { entries: 0 } }, 'retention.entries is 0'],
    [{ retention: { ageMs: Number.NaN } }, 'retention.ageMs is NaN'],
  ])('is not touched when the options are %j', async (options, message) => {
    const path = join(newDirectory(), 'store');
    await expect(LmdbStore.open({ path, ...options })).rejects.toThrow(message);
    expect(existsSync(path)).toBe(false);
  });
});

describe('after the machine was off', () => {
  const [monday, tuesday] = [{ bootId: 'monday' }, { bootId: 'tuesday' }];

  it('a store that was in use is empty: the disk may hold a mixture', async () => {
    const path = newDirectory();
    await publish(await openStore({ path }, monday), 't', 'x');
    const found = copyOf(path);
    const store = await openStore({ path: found }, tuesday);
    expect(await textsOf(store, 't')).toEqual([]);
    await publish(store, 't', 'y');
    expect(await textsOf(store, 't')).toEqual(['y']);
    // Files of an earlier run are gone, whoever made them.
    expect(readdirSync(found).filter((name) => name.includes('monday'))).toEqual([]);
  });

  it('a store that was closed is as it was', async () => {
    const path = newDirectory();
    const [first, last] = [await openStore({ path }, monday), await openStore({ path }, monday)];
    await publish(first, 't', 'x');
    await first.close();
    await last.close();
    expect(await textsOf(await openStore({ path }, tuesday), 't')).toEqual(['x']);
  });

  it('a store that one of its processes had closed, and another not, is empty', async () => {
    const path = newDirectory();
    const [left, stayed] = [await openStore({ path }, monday), await openStore({ path }, monday)];
    await publish(left, 't', 'x');
    await left.close();
    await publish(stayed, 't', 'y');
    expect(await textsOf(await openStore({ path: copyOf(path) }, tuesday), 't')).toEqual([]);
  });

  it('a store of durability disk is as it was', async () => {
    const path = newDirectory();
    await publish(await openStore({ path, durability: 'disk' }, monday), 't', 'x');
    expect(await textsOf(await openStore({ path: copyOf(path), durability: 'disk' }, tuesday), 't')).toEqual(['x']);
  });

  it('a store is as it was where the system does not tell its runs apart: there commits are flushed', async () => {
    const path = newDirectory();
    const nameless = { bootId: undefined };
    await publish(await openStore({ path }, nameless), 't', 'x');
    expect(await textsOf(await openStore({ path: copyOf(path) }, nameless), 't')).toEqual(['x']);
  });

  it('only a restart under the same run of the machine finds what killed processes have committed', async () => {
    const path = newDirectory();
    await publish(await openStore({ path }, monday), 't', 'x');
    expect(await textsOf(await openStore({ path: copyOf(path) }, monday), 't')).toEqual(['x']);
  });
});

/** The same data file, with another number where both of its first pages have the version of the format. */
function otherVersion(file: Buffer): Buffer {
  for (const page of [0, 4096]) file.writeUInt32LE(9, page + 28);
  return file;
}
