import { statSync } from 'node:fs';
import { join } from 'node:path';
import { startProcess } from '@holdfast/testing';
import type { Batch, Effect } from '@holdfast/store';
import { describe, expect, it } from 'vitest';
import { audit } from './audit.fixture.js';
import { newDirectory, openStore, text } from './directory.fixture.js';
import type { LmdbStore } from './lmdb-store.js';

const MIB = 1_048_576;
const fileBytes = (path: string): number => statSync(join(path, 'data.mdb')).size;

function batchOf(effects: Effect[], nowMs = 0): Batch {
  return { pod: 'a', nowMs, parts: [{ effects }] };
}

function messages(topic: string, count: number, bytes: number): Effect[] {
  return Array.from({ length: count }, () => ({ type: 'publish', topic, ...text('x'.repeat(bytes)) }));
}

async function refusalOf(store: LmdbStore, batch: () => Batch): Promise<unknown> {
  for (;;) {
    try {
      await store.commit(batch());
    } catch (error) {
      return error;
    }
  }
}

describe('a store that is full', { timeout: 60_000 }, () => {
  it('refuses what adds to it as a whole, and takes what frees it', async () => {
    const path = newDirectory();
    const store = await openStore({ path, mapBytes: 4 * MIB, retention: { bytes: 1e9, ageMs: 1000 } });
    await store.create({ id: 's', pod: 'a', token: 't', nowMs: 0, lifeMs: 1000, request: '{}' });
    const send = { type: 'send', session: 's', epoch: 1, ...text('x'.repeat(20_000)) } as const;
    let topic = 0;
    const error = await refusalOf(store, () => batchOf([send, ...messages(`t${++topic}`, 5, 1000)]));
    expect(error).toMatchObject({ code: 'HF_STORE_FULL', retryable: true });
    expect(await store.read(`t:t${topic}`, 0, { entries: 9, bytes: 9 })).toMatchObject({ end: 0 });
    expect(fileBytes(path)).toBeLessThan(6 * MIB);

    const guard = { session: 's', epoch: 1 };
    const { stream } = (await store.attach({ id: 's', pod: 'a', presented: 't', attempt: 1, next: 'u', nowMs: 1 })) as {
      stream: { end: number };
    };
    await store.commit({
      pod: 'a',
      nowMs: 1,
      parts: [{ guard: { ...guard, epoch: 2 }, acked: stream.end, effects: [] }],
    });
    await store.commit(batchOf(messages('after', 5, 1000), 1));
    await store.close();
    expect(await audit(path)).toEqual([]);
  });

  it('says so where the system lets its file not grow, with nothing of the batch applied, and goes on when there is room', async () => {
    const path = newDirectory();
    await using filler = await startProcess({
      command: '/bin/sh',
      args: [
        '-c',
        // Blocks of 512 bytes: 4 MiB.
        'ulimit -f 8192 && exec "$0" "$@"',
        process.execPath,
        join(import.meta.dirname, 'filler.fixture.mjs'),
        path,
      ],
    });
    const [line] = await filler.waitForLine(/^\{.*\}$/, 20_000);
    expect(JSON.parse(line)).toEqual({
      code: 'HF_STORE_FULL',
      again: 'HF_STORE_FULL',
      whole: true,
      after: 10,
      batches: expect.any(Number) as number,
    });
    expect(await filler.exited).toEqual({ code: 0, signal: null });
    expect(await audit(path)).toEqual([]);
  });
});

describe('the file of a store', { timeout: 60_000 }, () => {
  it('stays as large as what is kept needs, however much comes and goes', async () => {
    const path = newDirectory();
    const store = await openStore({ path, retention: { entries: 50, bytes: 200_000, ageMs: 1000 } });
    const sizes: number[] = [];
    let nowMs = 0;
    for (let round = 0; round < 60; round++) {
      for (let step = 0; step < 20; step++) {
        nowMs += 10;
        const id = `s${round}-${step}`;
        await store.create({ id, pod: 'a', token: 't', nowMs, lifeMs: 500, request: 'r'.repeat(500) });
        const guard = { session: id, epoch: 1 };
        const effects: Effect[] = [
          { type: 'subscribe', ...guard, topic: `room-${step % 7}` },
          { type: 'data', ...guard, data: '{}' },
          { type: 'send', ...guard, ...text('x'.repeat((step * 997) % 9000)) },
          ...messages(`room-${step % 7}`, 3, (step * 2131) % 5000),
          ...messages(`once-${round}-${step}`, 1, 100),
        ];
        await store.commit({ pod: 'a', nowMs, parts: [{ guard, watermark: 1, detachedMs: nowMs, effects }] });
        await store.read(`t:room-${step % 7}`, 0, { entries: 10, bytes: 10_000 });
      }
      await store.expire(nowMs, 100);
      sizes.push(fileBytes(path));
    }
    expect((await store.stats()).sessions).toBeLessThan(100);
    expect(Math.max(...sizes.slice(30))).toBeLessThanOrEqual(Math.max(...sizes.slice(0, 30)) * 1.1);
    await store.close();
    expect(await audit(path)).toEqual([]);
  });
});
