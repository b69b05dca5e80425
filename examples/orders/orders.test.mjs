// How an application tests its own behaviour under a bad network and a crash: `node --test examples/orders/`.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocket } from '@holdfast/client';
import {
  announceSeed,
  ChaosProxy,
  DeliveryLedger,
  freePort,
  randomSeed,
  seededRandom,
  startProcess,
  until,
} from '@holdfast/testing';

const ORDERS = 2_000;
const seed = randomSeed();
announceSeed('orders', seed, { command: 'node --test examples/orders/' });

/** The application as a real process, and how to start it again. */
async function application() {
  const directory = mkdtempSync(join(tmpdir(), 'orders-'));
  const port = await freePort();
  const start = () =>
    startProcess({
      command: process.execPath,
      args: [fileURLToPath(new URL('orders.mjs', import.meta.url))],
      env: { PORT: String(port), DATA: directory },
      ready: /listening on/,
    });
  return { port, start, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) };
}

/** A customer who gives the ledger an account of every receipt, and how to send an order. */
function customer(url, ledger, random) {
  const socket = new WebSocket(url, [], { random, breaker: { failures: 1_000, openMs: 100 } });
  const wrong = [];
  socket.addEventListener('message', ({ data }) => {
    const [, receipt, order] = /^(\d+) for order (\d+)$/.exec(data) ?? [];
    // One receipt for each order: so their numbers are the same.
    if (receipt === undefined || receipt !== order) wrong.push(data);
    else ledger.received('receipts', Number(receipt));
  });
  for (const event of ['gap', 'close']) socket.addEventListener(event, () => wrong.push(event));
  const order = (n) => {
    ledger.sent('receipts', n);
    socket.send(`order ${n}`);
  };
  const open = () => until(() => socket.readyState === WebSocket.OPEN, { what: 'the first connection' });
  const leave = async () => {
    socket.close();
    await until(() => socket.readyState === WebSocket.CLOSED, { timeoutMs: 15_000, what: 'the close' });
  };
  return { socket, order, wrong, open, leave };
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

void test(
  'each order gets its receipt, once and in order, however often the connection is cut',
  { timeout: 90_000 },
  async () => {
    const app = await application();
    const server = await app.start();
    const proxy = await ChaosProxy.listen({
      target: { port: app.port },
      seed,
      plan: (_link, random) => ({
        faults: [{ kind: 'cut', after: { direction: random.pick(['up', 'down']), bytes: random.int(500, 10_000) } }],
      }),
    });
    try {
      const ledger = new DeliveryLedger();
      const { order, wrong, open, leave } = customer(proxy.url('/'), ledger, seededRandom(seed));
      await open();
      for (let n = 1; n <= ORDERS; n++) {
        order(n);
        if (n % 20 === 0) await pause(10);
      }
      await until(() => ledger.report().received === ORDERS, {
        timeoutMs: 60_000,
        what: () => `all receipts: ${JSON.stringify(ledger.report())}`,
      });
      ledger.check();
      assert.deepEqual(wrong, []);
      assert.ok(proxy.statistics.faults.cut > 3, `${proxy.statistics.faults.cut} cuts`);
      await leave();
    } finally {
      await proxy.close();
      await server.stop();
      app[Symbol.dispose]();
    }
  },
);

void test('and however often the application is killed', { timeout: 90_000 }, async () => {
  const app = await application();
  let server = await app.start();
  try {
    const ledger = new DeliveryLedger();
    const { socket, order, wrong, open, leave } = customer(`ws://127.0.0.1:${app.port}/`, ledger, seededRandom(seed));
    await open();
    let kills = 0;
    for (let n = 1; n <= ORDERS; n++) {
      order(n);
      if (n % 20 === 0) await pause(5);
      if (n % 600 === 0) {
        server.kill('SIGKILL');
        await server.exited;
        server = await app.start();
        kills++;
        await until(() => socket.getStatistics().recoveries >= kills, { timeoutMs: 30_000, what: 'recovery' });
      }
    }
    await until(() => ledger.report().received === ORDERS, {
      timeoutMs: 60_000,
      what: () => `all receipts: ${JSON.stringify(ledger.report())}`,
    });
    ledger.check();
    assert.deepEqual(wrong, []);
    assert.equal(kills, 3);
    await leave();
  } finally {
    await server.stop();
    app[Symbol.dispose]();
  }
});
