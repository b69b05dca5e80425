// Commits as fast as it can, to be killed at any instant. Arguments: directory, its number, the file for what was answered.
import { openSync, writeSync } from 'node:fs';
import { LmdbStore } from '@holdfast/store-lmdb';

const [path, number, answered] = process.argv.slice(2);
const id = `writer-${number}`;
const pod = `${id}-${process.pid}`;
const token = (attempt) => `token-${attempt}`;
const text = (value) => ({ data: Buffer.from(value), binary: false });

const store = await LmdbStore.open({ path, retention: { entries: 10_000_000, bytes: 1e12 } });
const attempt = Date.now();
const made = await store
  .create({ id, pod, token: token(0), nowMs: attempt, lifeMs: 3_600_000, request: '{}' })
  .catch(() => undefined);
// No attach is confirmed, so the first token stays good: it is always the presented one.
const state =
  made ?? (await store.attach({ id, pod, presented: token(0), attempt, next: token(attempt), nowMs: attempt }));
if (typeof state === 'string') throw new Error(`attach: ${state}`);

const file = openSync(answered, 'r+');
/** What was answered is known to who is killed right behind: the page cache outlives it. */
function remember(message) {
  const count = Buffer.alloc(8);
  count.writeBigUInt64BE(BigInt(message));
  writeSync(file, count, 0, 8, 0);
}
remember(state.watermark);
process.stdout.write(`ready ${state.watermark}\n`);
for (let message = state.watermark + 1; ; message++) {
  const guard = { session: id, epoch: state.epoch };
  const effects = ['first', 'second', 'third'].map((name) => ({
    type: 'publish',
    topic: 'all',
    ...text(`${number} ${message} ${name}`),
  }));
  const send = { type: 'send', ...guard, ...text('x'.repeat((message * 37) % 3000)) };
  const { parts } = await store.commit({
    pod,
    nowMs: attempt,
    parts: [{ guard, watermark: message, acked: message - 5, effects: [effects[0], send, ...effects.slice(1)] }],
  });
  if (parts[0].fenced) throw new Error('fenced');
  remember(message);
  // Lets the doorbell and signals be heard.
  if (message % 50 === 0) await new Promise(setImmediate);
}
