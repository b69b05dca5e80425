// Clients of holdfast through a gateway while all pods behind it are restarted one after another: what the clients notice of it.
import { subscribe } from 'node:diagnostics_channel';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { WebSocket } from '@holdfast/client';
import { DeliveryLedger, freePort, startProcess, until } from '@holdfast/testing';

const USAGE = `Restarts all pods behind a gateway under load, and counts what the clients notice.

  node bench/rolling.mjs [--clients 2000] [--pods 3] [--carry soft] [--interval-ms 1000] [--kill] [--json]

  --carry     soft, relay or hold
  --interval-ms  between two messages of a client
  --kill      end pods with SIGKILL instead of SIGTERM
`;

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '2000' },
    pods: { type: 'string', default: '3' },
    carry: { type: 'string', default: 'soft' },
    'interval-ms': { type: 'string', default: '1000' },
    kill: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const clients = Number(values.clients);
const intervalMs = Number(values['interval-ms']);
const say = (/** @type {string} */ line) => values.json || console.log(line);
const here = import.meta.dirname;

const directory = await mkdtemp(join(tmpdir(), 'holdfast-rolling-'));
const ports = await Promise.all(Array.from({ length: Number(values.pods) }, () => freePort()));
const startPod = (/** @type {number} */ port, /** @type {number} */ i) =>
  startProcess({
    command: process.execPath,
    args: [join(here, '../test/fixtures/gateway-pod.mjs'), `${port}`, directory, `pod${i}`],
    ready: /^ready$/,
  });
const pods = await Promise.all(ports.map(startPod));
const gateway = await startProcess({
  command: process.execPath,
  args: [join(here, 'servers/gateway.mjs'), String(values.carry), ...ports.map(String)],
  ready: /^listening on (\d+)$/,
});
const url = `ws://127.0.0.1:${gateway.readyMatch?.[1]}/`;

const tcp = { opened: 0, closed: 0 };
subscribe('net.client.socket', (message) => {
  const { socket } = /** @type {{ socket: import('node:net').Socket }} */ (message);
  tcp.opened++;
  socket.once('close', () => tcp.closed++);
});

const ledger = new DeliveryLedger();
const seen = { moved: 0, recovering: 0, recovered: 0, gap: 0, closed: 0 };
/** Why sessions were without a connection, or a pod. @type {Record<string, number>} */
const causes = {};
/** Longest time from a message to its echo. @type {number} */
let slowestMs = 0;

async function open(/** @type {number} */ i) {
  const name = `client-${i}`;
  const socket = new WebSocket(url, [], { breaker: { failures: 1_000, openMs: 100 }, sessionInUrl: true });
  /** @type {Map<number, number>} */
  const sentMs = new Map();
  socket.addEventListener('message', (event) => {
    const n = Number(event.data);
    slowestMs = Math.max(slowestMs, performance.now() - (sentMs.get(n) ?? 0));
    sentMs.delete(n);
    ledger.received(name, n);
  });
  for (const type of /** @type {const} */ (['moved', 'recovering', 'recovered', 'gap'])) {
    socket.addEventListener(type, () => seen[type]++);
  }
  socket.addEventListener('recovering', ({ code, reason }) => {
    const why = `${code} ${reason}`.trim();
    causes[why] = (causes[why] ?? 0) + 1;
  });
  socket.addEventListener('close', () => seen.closed++);
  await new Promise((resolve) => socket.addEventListener('open', resolve));
  let n = 0;
  const send = () => {
    sentMs.set(++n, performance.now());
    ledger.sent(name, n);
    socket.send(`${n}`);
  };
  return { socket, send, waiting: () => sentMs.size };
}

const all = [];
for (let i = 0; i < clients; i += 50) {
  const batch = Array.from({ length: Math.min(50, clients - i) }, (_, k) => open(i + k));
  all.push(...(await Promise.all(batch)));
}
say(`${clients} clients are connected`);
const before = { ...tcp };
let isTalking = true;
const talking = all.map(async ({ send }) => {
  await pause(Math.random() * intervalMs);
  while (isTalking) {
    send();
    await pause(intervalMs * (0.5 + Math.random()));
  }
});

await pause(1_000);
const startMs = performance.now();
for (const [i, port] of ports.entries()) {
  pods[i]?.kill(values.kill ? 'SIGKILL' : 'SIGTERM');
  const exit = await pods[i]?.exited;
  say(`pod ${i} has ended (${exit?.signal ?? exit?.code}): ${[...(pods[i]?.stdout.kept ?? [])].at(-1)}`);
  pods[i] = await startPod(port, i);
  await pause(1_500);
}
const tookMs = Math.round(performance.now() - startMs);
isTalking = false;
await Promise.all(talking);
await until(() => all.every(({ waiting }) => waiting() === 0), { what: 'all echoes', timeoutMs: 30_000 }).catch(
  () => undefined,
);

const { sent, received, lost, duplicated, outOfOrder, declared, firstProblem } = ledger.report();
const result = {
  clients,
  pods: ports.length,
  carry: values.carry,
  signal: values.kill ? 'SIGKILL' : 'SIGTERM',
  tookMs,
  tcpOpened: tcp.opened - before.opened,
  tcpClosed: tcp.closed - before.closed,
  sent,
  received,
  lost,
  duplicated,
  outOfOrder,
  declared,
  firstProblem,
  ...seen,
  causes,
  slowestMs: Math.round(slowestMs),
};
console.log(values.json ? JSON.stringify(result) : result);
for (const { socket } of all) socket.close();
await gateway.stop();
await Promise.all(pods.map((pod) => pod.stop(1)));
await rm(directory, { recursive: true, force: true });
process.exit(lost + duplicated + outOfOrder === 0 && sent === received ? 0 : 1);
