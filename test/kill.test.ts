import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocket, type WebSocketOptions } from '@holdfast/client';
import {
  announceSeed,
  deferred,
  DeliveryLedger,
  freePort,
  randomSeed,
  type RunningProcess,
  seededRandom,
  startProcess,
  until,
} from '@holdfast/testing';
import { expect, it } from 'vitest';

const MESSAGES = 100_000;
const KILLS = 30;
const WORKERS = 3;
const AHEAD_BYTES = 32_768;
/** How far the sender may run ahead of the observer: well inside what a topic keeps for those who are away. */
const AHEAD_OF_OBSERVER = 4_000;

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The processes that have said that they are workers, without those that are gone. */
function livingWorkers(lines: Iterable<string>): number[] {
  const pids = Array.from(lines, (line) => /^worker (\d+)$/.exec(line)?.[1]).filter((pid) => pid !== undefined);
  return pids.map(Number).filter((pid) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  });
}

const serve = (port: number, directory: string): Promise<RunningProcess> =>
  startProcess({
    command: process.execPath,
    args: [
      path('../packages/cli/dist/main.js'),
      'serve',
      path('fixtures/effects.mjs'),
      '--workers',
      `${WORKERS}`,
      '--port',
      `${port}`,
      '--store',
      `lmdb:${directory}`,
    ],
    ready: /127\.0\.0\.1:\d+/,
    linesMax: 100_000,
  });

it(`makes the effects of ${MESSAGES} messages exactly once while ${KILLS} workers are killed and all are restarted twice`, async () => {
  const seed = randomSeed();
  announceSeed('kill', seed, { command: 'npx vitest run test/kill.test.ts' });
  const random = seededRandom(seed);
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-kill-'));
  const port = await freePort();
  await using server = await serve(port, directory);
  const workers = () => livingWorkers(server.stdout.kept);
  await until(() => workers().length === WORKERS, { what: 'all workers' });

  const ledger = new DeliveryLedger();
  const options: WebSocketOptions = { random: random.fork(1), breaker: { failures: 1_000, openMs: 100 } };
  // Whatever is said may come with the welcome, so somebody listens from the beginning.
  const open = async (query: string, heard: (text: string) => void) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/${query}`, [], options);
    socket.onmessage = (event) => heard(String(event.data));
    await once(socket, 'open');
    return socket;
  };
  const observing = deferred<void>();
  const observer = await open('?observe', (text) => {
    if (text === 'observing') observing.resolve();
    else ledger.received('effects', Number.parseInt(text, 10));
  });
  await observing.promise;
  const client = await open('', (text) => ledger.received('echoes', Number.parseInt(text, 10)));
  let closed = 0;
  const gaps: Event[] = [];
  for (const socket of [observer, client]) {
    socket.onclose = () => closed++;
    socket.addEventListener('gap', (gap) => gaps.push(gap));
  }

  let sending = true;
  let kills = 0;
  const killing = (async () => {
    while (sending || kills < KILLS) {
      await pause(random.int(300, 900));
      const living = workers();
      // On a busy machine it takes a while until one is replaced: with none left, nothing would be tested but waiting.
      if (living.length < WORKERS) continue;
      process.kill(random.pick(living), 'SIGKILL');
      kills++;
      if (kills === 10 || kills === 20) await restartAll(server, workers);
    }
  })();

  for (let n = 1; n <= MESSAGES; n++) {
    while (client.bufferedAmount > AHEAD_BYTES) await new Promise((resolve) => setImmediate(resolve));
    ledger.sent('effects', n);
    ledger.sent('echoes', n);
    client.send(`${n} ${'.'.repeat(n % 40)}`);
    while (n - ledger.report('effects').received > AHEAD_OF_OBSERVER) await pause(5);
    // Slowly enough that the kills fall among the messages, and not behind them.
    if (n % 250 === 0)
      await until(() => n / MESSAGES <= (kills + 1) / KILLS, { timeoutMs: 60_000, what: 'more kills' });
  }
  sending = false;
  await killing;
  // If they do not all come, the ledger says below which.
  const complete = () => ledger.report().received === 2 * MESSAGES;
  await until(complete, { timeoutMs: 60_000, what: 'all effects and echoes' }).catch(() => {});

  const { transports, resent, replayed } = client.getStatistics();
  const report = ledger.report();
  process.stdout.write(
    `${kills} kills; ${report.received} received, ${report.lost} lost, ${report.duplicated} duplicated, ` +
      `${report.outOfOrder} out of order; ${transports} transports, ${resent} resent, ${replayed} replayed\n`,
  );
  ledger.check();
  expect(gaps).toEqual([]);
  expect(report).toMatchObject({
    sent: 2 * MESSAGES,
    received: 2 * MESSAGES,
    lost: 0,
    duplicated: 0,
    outOfOrder: 0,
    declared: 0,
  });
  expect(kills).toBeGreaterThanOrEqual(KILLS);
  expect(transports).toBeGreaterThan(3);
  expect(closed).toBe(0);

  client.close();
  observer.close();
  await until(() => closed === 2, { what: 'both clients to close' });
  await rm(directory, { recursive: true, force: true });
}, 240_000);

/** A rolling restart: every worker of now is gone, and as many others are there. */
async function restartAll(server: RunningProcess, workers: () => number[]): Promise<void> {
  const before = new Set(workers());
  const isDone = () => workers().length >= WORKERS && workers().every((pid) => !before.has(pid));
  // On a busy machine a successor may be too late, and then the restart is given up: the old workers stay.
  for (let attempt = 1; attempt <= 3 && !isDone(); attempt++) {
    server.kill('SIGHUP');
    await until(isDone, { timeoutMs: 30_000, what: 'a rolling restart' }).catch(() => {});
  }
  expect(isDone(), 'a rolling restart').toBe(true);
}
