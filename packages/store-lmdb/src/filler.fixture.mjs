// Fills a store until the system refuses to let its file grow, and goes on behind that. Argument: directory.
import { LmdbStore } from '@holdfast/store-lmdb';

const store = await LmdbStore.open({ path: process.argv[2], retention: { entries: 1e6, bytes: 1e9, ageMs: 1000 } });
const data = Buffer.alloc(3000, 'x');
const publish = (topic, count, nowMs) =>
  store.commit({
    pod: 'a',
    nowMs,
    parts: [{ effects: Array.from({ length: count }, () => ({ type: 'publish', topic, data, binary: false })) }],
  });
const endOf = async (topic) => (await store.read(`t:${topic}`, 0, { entries: 1, bytes: 1 })).end;

let batches = 0;
let refusal;
while (refusal === undefined)
  await publish('full', 10, 0).then(
    () => batches++,
    (error) => (refusal = error),
  );
const again = await publish('full', 10, 0).catch((error) => error);
const report = { code: refusal.code, again: again.code, whole: (await endOf('full')) === batches * 10, batches };
await store.expire(5000, 10);
// What was freed is used again once no earlier state of the store can be looked at: two commits later.
for (let commit = 0; commit < 3; commit++) await store.lease('a', commit);
await publish('after', 10, 5000);
process.stdout.write(`${JSON.stringify({ ...report, after: await endOf('after') })}\n`);
await store.close();
