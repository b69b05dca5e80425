import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket } from '@holdfast/client';
import { WebSocketServer } from '@holdfast/server';
import { announceSeed, ChaosProxy, DeliveryLedger, randomSeed, seededRandom, until } from '@holdfast/testing';
import { expect, it } from 'vitest';

const MESSAGES = 100_000;
const CUTS = 300;
/** A connection is cut after at most this many bytes, in one direction or the other: several hundred times in all. */
const CUT_WITHIN_BYTES = 10_000;
/** What either end lets wait for the other before it pauses. */
const AHEAD_BYTES = 8_192;

/** Numbers from 1 to `count`, each as long as a chat message, sent no further ahead than the socket has taken. */
async function sendAll(
  socket: { send(text: string): void; readonly bufferedAmount: number },
  count: number,
  sent: (n: number) => void,
) {
  for (let n = 1; n <= count; n++) {
    while (socket.bufferedAmount > AHEAD_BYTES) await new Promise((resolve) => setImmediate(resolve));
    sent(n);
    socket.send(`${n} ${'.'.repeat(n % 40)}`);
    if (n % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

const numberOf = (data: unknown): number => Number.parseInt(String(data), 10);

it(`loses, repeats and reorders none of ${MESSAGES} messages each way while the connection is cut at random bytes`, async () => {
  const seed = randomSeed();
  announceSeed('cuts', seed, { command: 'npx vitest run test/cuts.test.ts' });
  const random = seededRandom(seed);
  const ledger = new DeliveryLedger();
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1', policy: { retryMinMs: 5, retryMaxMs: 50 } });
  await once(wss, 'listening');
  const { port } = wss.address() as AddressInfo;
  const proxy = await ChaosProxy.listen({
    target: { host: '127.0.0.1', port },
    seed,
    plan: (_link, linkRandom) => ({
      faults: [
        {
          kind: linkRandom.pick(['cut', 'reset']),
          after: { direction: linkRandom.pick(['up', 'down']), bytes: linkRandom.int(1, CUT_WITHIN_BYTES) },
        },
      ],
    }),
  });

  wss.on('connection', (socket) => {
    socket.on('message', (data) => ledger.received('up', numberOf(data)));
    void sendAll(socket, MESSAGES, (n) => ledger.sent('down', n));
  });
  const client = new WebSocket(proxy.url(), [], { random: random.fork(1), breaker: { failures: 1_000, openMs: 50 } });
  const gaps: unknown[] = [];
  client.addEventListener('gap', (event) => gaps.push(event));
  client.addEventListener('message', (event) => ledger.received('down', numberOf(event.data)));
  await once(client, 'open');
  await sendAll(client, MESSAGES, (n) => ledger.sent('up', n));

  const total = 2 * MESSAGES;
  await until(() => ledger.report().received + ledger.report().lost >= total && ledger.report().received === total, {
    timeoutMs: 60_000,
    what: `all ${total} messages`,
  });
  const report = ledger.check();
  const statistics = client.getStatistics();
  const { cut, reset } = proxy.statistics.faults;
  process.stdout.write(
    `${report.received} received, ${report.lost} lost, ${report.duplicated} duplicated, ${report.outOfOrder} out of order; ` +
      `${cut + reset} cuts, ${statistics.transports} transports, ${statistics.resent} resent, ${statistics.replayed} replayed\n`,
  );
  expect(report).toMatchObject({ sent: total, received: total, lost: 0, duplicated: 0, outOfOrder: 0, declared: 0 });
  expect(gaps).toEqual([]);
  expect(cut + reset).toBeGreaterThanOrEqual(CUTS);

  client.close(1000);
  await once(client, 'close');
  await proxy.close();
  wss.close();
  await once(wss, 'close');
}, 180_000);
