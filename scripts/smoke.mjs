// Proves that what was built runs on this Node: imports every entry of every package from its dist, and has a session outlive its
// connection and the server that held it.
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from '@holdfast/client';
import { WebSocketServer } from '@holdfast/server';
import { LmdbStore } from '@holdfast/store-lmdb';
import { ChaosProxy } from '@holdfast/testing';
import { importableEntries, packages } from './workspace.mjs';

const node = `Node ${process.versions.node}`;

for (const { folder, manifest } of packages()) {
  for (const [entry, file] of importableEntries(manifest)) {
    await import(join(folder, file));
    console.log(`${node} imported ${join(manifest.name, entry)}`);
  }
}

const path = mkdtempSync(join(tmpdir(), 'holdfast-smoke-'));
const store = await LmdbStore.open({ path });
const policy = { retryMinMs: 10, retryMaxMs: 100 };
const pods = [1, 2].map(() => new WebSocketServer({ port: 0, host: '127.0.0.1', store, policy }));
await Promise.all(pods.map((pod) => once(pod, 'listening')));
for (const pod of pods) {
  pod.on('connection', (socket) => {
    socket.on('message', (/** @type {Buffer} */ data) => socket.send(`${pods.indexOf(pod)} ${data.toString()}`));
  });
}
const ports = pods.map((pod) => /** @type {import('node:net').AddressInfo} */ (pod.address()).port);
let port = ports[0] ?? 0;
const proxy = await ChaosProxy.listen({ target: () => ({ host: '127.0.0.1', port }) });

const client = new WebSocket(proxy.url());
/** @param {string} text */
const echo = async (text) => {
  client.send(text);
  const [event] = /** @type {[MessageEvent]} */ (await once(client, 'message'));
  return String(event.data);
};
await once(client, 'open');
assert.equal(await echo('a'), '0 a');
proxy.inject('reset');
assert.equal(await echo('b'), '0 b');
port = ports[1] ?? 0;
proxy.inject('cut');
assert.equal(await echo('c'), '1 c');
client.close(1000);
const [closed] = /** @type {[CloseEvent]} */ (await once(client, 'close'));
assert.equal(closed.wasClean, true);

for (const pod of pods) {
  pod.close();
  await once(pod, 'close');
}
await proxy.close();
await store.close();
rmSync(path, { recursive: true });
console.log(`${node} kept a session through a reset and from one server to another`);
