// `npm start`: the main job. Builds what is missing or older than its source, then runs the chat as it would run in production: three
// pods, each a process of its own, and a gateway in front of them. SIGHUP restarts the pods one after another, Ctrl-C ends all.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Child } from './child.mjs';
import { root, succeeds } from './steps.mjs';

const MODULE = 'examples/chat/app.mjs';
const PODS = 3;

const { values: flags } = parseArgs({
  options: {
    port: { type: 'string', default: '8080' },
    host: { type: 'string', default: '127.0.0.1' },
    store: { type: 'string', default: 'lmdb:./data' },
    carry: { type: 'string', default: 'auto' },
  },
});

if (!(await succeeds('npm', ['run', '--silent', 'build']))) process.exit(1);
process.chdir(root);

const folder = mkdtempSync(join(tmpdir(), 'holdfast-start-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const token = randomBytes(24).toString('base64url');
const tokenFile = join(folder, 'admin-token');
writeFileSync(tokenFile, token, { mode: 0o600 });

const ports = await freePorts(PODS + 1);
const admin = `127.0.0.1:${ports.pop()}`;
const isLocal = /^(?:localhost|127\..+|::1)$/.test(flags.host);
const environment = {
  // The page's buttons: whom a pod asks to cut a client's connection, and to restart all pods.
  CHAT_GATEWAY: `http://${admin}`,
  CHAT_GATEWAY_TOKEN: token,
  CHAT_SUPERVISOR: String(process.pid),
  // A pod cannot see that strangers reach it through the gateway.
  CHAT_DANGERS: process.env['CHAT_DANGERS'] ?? (isLocal ? 'on' : 'off'),
};

const pods = ports.map((port, i) => {
  const args = ['serve', MODULE, '--port', String(port), '--store', flags.store, '--pod-prefix', `pod-${i + 1}`];
  return new Child(`pod-${i + 1}`, args, environment);
});
const listen = `${flags.host.includes(':') ? `[${flags.host}]` : flags.host}:${flags.port}`;
const to = ports.map((port) => `127.0.0.1:${port}`).join(',');
/** @type {Child[]} */
const front = [];
let isStopping = false;
for (const pod of pods) watch(pod);

/**
 * Without one of them there is nothing to show.
 * @param {Child} child
 */
function watch(child) {
  void child.exited.then((code) => {
    if (!isStopping) console.log(`${child.name} has ended, so the others are ended as well`);
    void stop(isStopping ? 0 : code || 1);
  });
}

/** @param {number} code */
async function stop(code) {
  if (isStopping) return;
  isStopping = true;
  // The gateway first, so that it does not seek pods in vain.
  for (const children of [front, pods]) {
    for (const child of children) child.end();
    await Promise.all(children.map(({ exited }) => exited));
  }
  process.exit(code);
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void stop(0));

/** @type {Promise<void> | undefined} */
let restarting;
process.on('SIGHUP', () => {
  restarting ??= restart().finally(() => (restarting = undefined));
});
async function restart() {
  for (const pod of pods) {
    pod.restart();
    await pod.logged('restart.done', 'restart.failed');
  }
  console.log('all pods restarted');
}

await Promise.all(pods.map(({ serves }) => serves));
const how = ['--carry', flags.carry, '--admin', admin, '--admin-token-file', tokenFile];
const gateway = new Child('gateway', ['gateway', '--listen', listen, '--to', to, ...how]);
front.push(gateway);
watch(gateway);
await gateway.serves;
console.log(`${gateway.url} serves ${MODULE} with ${PODS} pods behind a gateway`);

/** @param {number} count */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const found = servers.map((server) => Object(server.address()).port);
  for (const server of servers) server.close();
  await Promise.all(servers.map((server) => once(server, 'close')));
  return found;
}
