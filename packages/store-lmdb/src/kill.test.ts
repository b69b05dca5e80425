import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  announceSeed,
  type Random,
  randomSeed,
  type RunningProcess,
  seededRandom,
  startProcess,
} from '@holdfast/testing';
import { afterAll, expect, it } from 'vitest';
import { audit } from './audit.fixture.js';
import { LmdbStore } from './lmdb-store.js';

const seed = randomSeed();
announceSeed('killed writers', seed);

/** More of them find rarer things: HOLDFAST_KILLS=2000 npx vitest run packages/store-lmdb/src/kill.test.ts */
const KILLS = Number(process.env['HOLDFAST_KILLS'] ?? 36);
const WRITERS = 3;

const directory = mkdtempSync(join(tmpdir(), 'holdfast-kill-'));
const path = join(directory, 'store');
const answeredPath = (number: number): string => join(directory, `answered-${number}`);
const running = new Set<RunningProcess>();
afterAll(async () => {
  await Promise.all([...running].map((writer) => writer[Symbol.asyncDispose]()));
  rmSync(directory, { recursive: true });
});

/** The last message whose commit was answered before the writer died. */
function answeredOf(number: number): number {
  return existsSync(answeredPath(number)) ? Number(readFileSync(answeredPath(number)).readBigUInt64BE()) : 0;
}

/** Starts a writer and kills it, again and again: some while they open the store, most while they commit. */
async function killRepeatedly(number: number, times: number, random: Random): Promise<void> {
  writeFileSync(answeredPath(number), Buffer.alloc(8));
  for (let kill = 0; kill < times; kill++) {
    const before = answeredOf(number);
    const writer = await startProcess({
      command: process.execPath,
      args: [join(import.meta.dirname, 'writer.fixture.mjs'), path, String(number), answeredPath(number)],
    });
    running.add(writer);
    if (random.chance(0.25)) {
      await delay(random.int(30, 250));
    } else {
      const [, watermark] = await writer.waitForLine(/^ready (\d+)$/, 30_000);
      expect([before, before + 1]).toContain(Number(watermark));
      await delay(random.int(0, 60));
    }
    expect(writer.kill('SIGKILL'), String(writer.stderr)).toBe(true);
    await writer.exited;
    running.delete(writer);
  }
}

it(
  `keeps every answered commit whole, and none twice, when its writers are killed ${KILLS} times`,
  async () => {
    const random = seededRandom(seed);
    await Promise.all(
      Array.from({ length: WRITERS }, (_, number) => killRepeatedly(number, KILLS / WRITERS, random.fork(number))),
    );

    const store = await LmdbStore.open({ path, retention: { entries: 10_000_000, bytes: 1e12 } });
    const { entries, first, end } = await store.read('t:all', 0, { entries: 10_000_000, bytes: 1e12 });
    expect([first, entries.length]).toEqual([1, end]);
    const said = entries.map(({ data }) => Buffer.from(data).toString().split(' '));
    for (let number = 0; number < WRITERS; number++) {
      const mine = said.filter(([writer]) => Number(writer) === number);
      const messages = mine.length / 3;
      expect(mine.map(([, message, name]) => `${message} ${name}`)).toEqual(
        Array.from({ length: messages }, (_, index) =>
          ['first', 'second', 'third'].map((name) => `${index + 1} ${name}`),
        ).flat(),
      );
      expect([answeredOf(number), answeredOf(number) + 1]).toContain(messages);
      expect(messages).toBeGreaterThan(KILLS / WRITERS);
    }
    expect((await store.stats()).sessions).toBe(WRITERS);
    await store.close();
    expect(await audit(path)).toEqual([]);
  },
  KILLS * 3000,
);
