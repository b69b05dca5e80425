import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { LmdbStore } from './lmdb-store.js';
import type { LmdbStoreInternals, LmdbStoreOptions } from './options.js';

/** A new directory, removed with the test. */
export function newDirectory(name = 'holdfast-lmdb-'): string {
  const directory = mkdtempSync(join(tmpdir(), name));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A store that is closed with the test. */
export async function openStore(options: LmdbStoreOptions, internals?: LmdbStoreInternals): Promise<LmdbStore> {
  const store = await LmdbStore.open(options, internals);
  onTestFinished(() => store.close());
  return store;
}

/** The files as they are now, elsewhere: as they would be found if everything stopped at once. */
export function copyOf(path: string): string {
  const copy = join(newDirectory(), 'copy');
  cpSync(path, copy, { recursive: true, filter: (name) => !name.endsWith('.sock') });
  return copy;
}

export const text = (value: string): { data: Buffer; binary: boolean } => ({ data: Buffer.from(value), binary: false });

/** Publishes one text. */
export async function publish(store: LmdbStore, topic: string, value: string, nowMs = 0): Promise<void> {
  await store.commit({ pod: 'a', nowMs, parts: [{ effects: [{ type: 'publish', topic, ...text(value) }] }] });
}

export async function textsOf(store: LmdbStore, topic: string): Promise<string[]> {
  const { entries } = await store.read(`t:${topic}`, 0, { entries: 100_000, bytes: 1e9 });
  return entries.map(({ data }) => Buffer.from(data).toString());
}
