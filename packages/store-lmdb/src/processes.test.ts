import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RunningProcess, startProcess } from '@holdfast/testing';
import type { StreamKey, Wake } from '@holdfast/store';
import { describe, expect, it, onTestFinished } from 'vitest';
import { audit } from './audit.fixture.js';
import { bellDirectory } from './bell-path.js';
import { newDirectory, openStore, textsOf } from './directory.fixture.js';
import { LmdbStore } from './lmdb-store.js';

async function run(
  script: string,
  args: string[],
  ready: RegExp,
  env: Record<string, string> = {},
): Promise<RunningProcess> {
  const child = await startProcess({
    command: process.execPath,
    args: [join(import.meta.dirname, script), ...args],
    env,
    ready,
  });
  onTestFinished(() => child[Symbol.asyncDispose]());
  return child;
}

function nextWake(store: LmdbStore, stream: StreamKey): Promise<Wake> {
  return new Promise((resolve) => store.tail('here', resolve).follow(stream));
}

describe('processes that share a store', { timeout: 60_000 }, () => {
  it('wake each other', async () => {
    const path = newDirectory();
    const store = await openStore({ path, checkMs: 2 ** 30 });
    const wake = nextWake(store, 't:x');
    await run('publisher.fixture.mjs', [path, 'x', 'hello'], /published/);
    expect([...(await wake).streams]).toEqual([['t:x', 1]]);
    expect(await textsOf(store, 'x')).toEqual(['hello']);
  });

  it('find out by themselves, a little later, what the doorbell did not tell them', async () => {
    // The sockets lie in the temporary directory, as the path is too long, and the two do not agree on which that is.
    const path = join(newDirectory(), 'x'.repeat(120));
    mkdirSync(path);
    const sockets = bellDirectory(path);
    onTestFinished(() => rmSync(sockets, { recursive: true }));
    const store = await openStore({ path, checkMs: 20 });
    const wake = nextWake(store, 't:x');
    await run('publisher.fixture.mjs', [path, 'x', 'hello'], /published/, { TMPDIR: newDirectory() });
    expect([...(await wake).streams]).toEqual([['t:x', 1]]);
  });

  it('open and close it while another commits, and that one loses nothing', async () => {
    const path = newDirectory();
    const answered = join(newDirectory(), 'answered');
    writeFileSync(answered, Buffer.alloc(8));
    const writer = await run('writer.fixture.mjs', [path, '0', answered], /ready/);
    const retention = { entries: 10_000_000, bytes: 1e12 };
    for (let round = 0; round < 60; round++) await (await LmdbStore.open({ path, retention })).close();
    writer.kill('SIGKILL');
    await writer.exited;
    const store = await openStore({ path, retention });
    const said = await textsOf(store, 'all');
    expect(said.length).toBeGreaterThan(300);
    expect(said).toEqual(
      said.map((_, index) => `0 ${Math.floor(index / 3) + 1} ${['first', 'second', 'third'][index % 3]}`),
    );
    await store.close();
    expect(await audit(path)).toEqual([]);
  });
});
