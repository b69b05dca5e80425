// Publishes one message and stays. Arguments: directory, topic, text.
import { LmdbStore } from '@holdfast/store-lmdb';

const [path, topic, value] = process.argv.slice(2);
const store = await LmdbStore.open({ path });
await store.commit({
  pod: `publisher-${process.pid}`,
  nowMs: Date.now(),
  parts: [{ effects: [{ type: 'publish', topic, data: Buffer.from(value), binary: false }] }],
});
process.stdout.write('published\n');
setInterval(() => undefined, 60_000);
