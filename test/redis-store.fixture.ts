import { setTimeout as delay } from 'node:timers/promises';
import type { Batch, BatchResult, Effect, NewSession, Store } from '@holdfast/store';
import { RedisStore, type RedisStoreOptions } from '@holdfast/store-redis';
import { expect, onTestFinished } from 'vitest';
import { RedisServer } from './redis.fixture.js';

export const NOW = 1_750_000_000_000;
export const ALL = { entries: 100_000, bytes: 1e9 };
export const HASH = 'h'.repeat(43);

export async function startServer(...flags: string[]): Promise<RedisServer> {
  const server = await RedisServer.start(flags);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

export async function openStore(server: RedisServer, options: RedisStoreOptions = {}): Promise<RedisStore> {
  const store = await RedisStore.open({ url: server.url, commandMs: 300, checkMs: 50, ...options });
  onTestFinished(() => store.close());
  return store;
}

export const publish = (topic: string, text: string): Effect => ({
  type: 'publish',
  topic,
  data: Buffer.from(text),
  binary: false,
});

export const batchOf = (...effects: Effect[]): Batch => ({ pod: 'a', nowMs: NOW, parts: [{ effects }] });

export const newSession = (id: string, pod = 'a'): NewSession => {
  return { id, pod, token: HASH, nowMs: NOW, lifeMs: 60_000, request: '{}' };
};

export async function textsOf(store: Store, topic: string): Promise<string[]> {
  const { entries } = await store.read(`t:${topic}`, 0, ALL);
  return entries.map(({ data }) => Buffer.from(data).toString());
}

/** Gives the same batch again until it is through, as a server does. */
export async function untilDone(store: Store, batch: Batch): Promise<BatchResult> {
  for (;;) {
    try {
      return await store.commit(batch);
    } catch (error) {
      expect(error).toMatchObject({ retryable: true });
      await delay(20);
    }
  }
}
