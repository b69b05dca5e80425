import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { WebSocket } from '@holdfast/client';
import { RedisStore } from '@holdfast/store-redis';
import {
  announceSeed,
  DeliveryLedger,
  randomSeed,
  seededRandom,
  startProcess,
  until,
  deferred,
} from '@holdfast/testing';
import { expect, it } from 'vitest';
import { RedisCluster } from './redis-cluster.fixture.js';
import { RedisServer } from './redis.fixture.js';
import { isAlive } from './serve.fixture.js';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const seed = randomSeed();
announceSeed('redis-processes', seed, { command: 'npx vitest run test/redis-processes.redis.test.ts' });

/** They keep what they have answered, as far as a killed process goes. */
const KEEPING = ['--appendonly', 'yes', '--appendfsync', 'no'];

interface Servers extends AsyncDisposable {
  readonly url: string;
}

/** Where the store is, and how it is disturbed while it is used. */
const places: readonly [string, () => Promise<{ servers: Servers; restart: () => Promise<void> }>][] = [
  [
    'one server',
    async () => {
      const servers = await RedisServer.start(KEEPING);
      return { servers, restart: () => servers.restart() };
    },
  ],
  [
    'a cluster',
    async () => {
      const servers = await RedisCluster.start({ flags: KEEPING });
      return { servers, restart: () => servers.masters[1].restart() };
    },
  ],
];

const WRITERS = 2;
const KILLS = 8;

it.each(places)(
  `keeps every answered batch of ${WRITERS} processes whole and once while they are killed ${KILLS} times, on %s`,
  async (_, start) => {
    const random = seededRandom(seed);
    const { servers } = await start();
    await using server = servers;
    const answered = Array.from({ length: WRITERS }, () => 0);
    const runs = answered.map(async (_, number) => {
      const own = random.fork(number);
      for (let kill = 0; kill < KILLS / WRITERS; kill++) {
        await using writer = await startProcess({
          command: process.execPath,
          args: [path('fixtures/redis-writer.mjs'), server.url, `${number}`],
          ready: /^ready (\d+)$/,
          linesMax: 100_000,
        });
        // What was answered is there, and at most one batch whose answer was never read.
        const watermark = Number(writer.readyMatch?.[1]);
        const before = answered.at(number) ?? 0;
        expect([before, before + 1]).toContain(watermark);
        await delay(own.int(100, 500));
        writer.kill('SIGKILL');
        await writer.exited;
        answered[number] = Math.max(watermark, ...writer.stdout.kept.map(Number).filter((said) => said > 0));
      }
    });
    await Promise.all(runs);

    const store = await RedisStore.open({ url: server.url });
    const { entries, first, end } = await store.read('t:all', 0, { entries: 1e7, bytes: 1e9 });
    expect([first, entries.length]).toEqual([1, end]);
    const said = entries.map(({ data }) => Buffer.from(data).toString());
    answered.forEach((count, number) => {
      const mine = said.filter((text) => text.startsWith(`${number} `));
      const messages = mine.length / 2;
      expect([count, count + 1]).toContain(messages);
      expect(messages).toBeGreaterThan(20);
      const expected = Array.from({ length: messages }, (_, i) => [
        `${number} ${i + 1} first`,
        `${number} ${i + 1} second`,
      ]);
      expect(mine).toEqual(expected.flat());
    });
    await store.close();
  },
);

/** The command line of two workers that share a server. */
function serveArgs(url: string): string[] {
  const command = path('../packages/cli/dist/main.js');
  return [command, 'serve', path('fixtures/effects.mjs'), '--json', '--workers', '2', '--port', '0', '--store', url];
}

const MESSAGES = 6_000;

it.each(places)(
  'lets sessions go on in `holdfast serve --store` while workers are killed and a server is killed once, on %s',
  async (_, start) => {
    const random = seededRandom(seed);
    const { servers, restart } = await start();
    await using redis = servers;
    await using server = await startProcess({
      command: process.execPath,
      args: serveArgs(redis.url),
      ready: /"event":"listening".*"url":"http([^"]+)"/,
      linesMax: 100_000,
    });
    expect(server.stdout.kept.join('\n')).not.toContain(redis.url);
    const workers = (): number[] =>
      server.stdout.kept.flatMap((line) => /^worker (\d+)$/.exec(line)?.slice(1).map(Number) ?? []).filter(isAlive);

    const ledger = new DeliveryLedger();
    // Whatever is said may come with the welcome, so somebody listens from the beginning.
    const open = async (query: string, heard: (text: string) => void): Promise<WebSocket> => {
      const socket = new WebSocket(`ws${server.readyMatch?.[1]}${query}`, [], {
        random: random.fork(1),
        breaker: { failures: 1_000, openMs: 100 },
      });
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
    const problems: Event[] = [];
    for (const socket of [observer, client]) {
      socket.addEventListener('gap', (gap) => problems.push(gap));
      socket.addEventListener('close', (close) => problems.push(close));
    }

    let kills = 0;
    let sending = true;
    const killing = (async () => {
      while (sending) {
        await delay(random.int(500, 1_000));
        // The oldest first: each of the two is killed, and so whoever holds a client.
        const living = workers();
        const [oldest] = living;
        if (oldest === undefined || living.length < 2) continue;
        if (++kills === 3) await restart();
        else process.kill(oldest, 'SIGKILL');
      }
    })();
    for (let n = 1; n <= MESSAGES; n++) {
      ledger.sent('effects', n);
      ledger.sent('echoes', n);
      client.send(`${n} ${'.'.repeat(n % 40)}`);
      if (n % 10 === 0) await delay(10);
    }
    await until(() => kills >= 5, { timeoutMs: 60_000, what: 'the kills' });
    sending = false;
    await killing;
    await until(() => ledger.report().received >= 2 * MESSAGES, { timeoutMs: 60_000, what: 'all messages' }).catch(
      () => {},
    );

    const report = ledger.report();
    const { transports, resent, replayed } = client.getStatistics();
    process.stdout.write(
      `${kills} kills; ${report.received} received, ${report.lost} lost, ${report.duplicated} duplicated, ` +
        `${report.outOfOrder} out of order; ${transports} transports, ${resent} resent, ${replayed} replayed\n`,
    );
    ledger.check();
    expect(problems).toEqual([]);
    expect(report).toMatchObject({ received: 2 * MESSAGES, lost: 0, duplicated: 0, outOfOrder: 0 });
    expect(transports).toBeGreaterThan(1);
    client.close();
    observer.close();
    await until(() => problems.length === 2, { what: 'both to close' });
  },
);

it('tells every client what it has lost when the server is flushed, and goes on with those that come anew', async () => {
  await using redis = await RedisServer.start();
  await using server = await startProcess({
    command: process.execPath,
    args: serveArgs(redis.url),
    ready: /"event":"listening".*"url":"http([^"]+)"/,
  });
  const clients = await Promise.all(
    Array.from({ length: 40 }, async (_, number) => {
      const socket = new WebSocket(`ws${server.readyMatch?.[1]}${number % 2 === 0 ? '?observe' : ''}`, []);
      const told: string[] = [];
      const wrong: unknown[] = [];
      socket.addEventListener('gap', () => told.push('gap'));
      socket.addEventListener('close', ({ code }) => told.push(`close ${code}`));
      await once(socket, 'open');
      socket.onmessage = ({ data }) => {
        if (data !== 'observing' && !/^\d+ (?:before|after)$/.test(String(data))) wrong.push(data);
      };
      if (number % 2 === 1) socket.send(`${number} before`);
      return { socket, told, wrong };
    }),
  );
  await until(() => clients.every(({ socket }) => socket.bufferedAmount === 0), { what: 'the first messages' });
  await delay(500);
  await redis.command('FLUSHALL');
  await until(() => clients.every(({ told }) => told.length > 0), {
    timeoutMs: 30_000,
    what: () => `a word to ${clients.filter(({ told }) => told.length === 0).length} clients`,
  });
  expect(clients.flatMap(({ wrong }) => wrong)).toEqual([]);
  await until(() => clients.every(({ told }) => told.includes('close 4502')), { what: 'the exact word' });
  for (const { told } of clients) expect(told.filter((word) => word !== 'gap')).toEqual(['close 4502']);

  const again = new WebSocket(`ws${server.readyMatch?.[1]}`, []);
  await once(again, 'open');
  again.send('1 after');
  const [message] = (await once(again, 'message')) as [MessageEvent<unknown>];
  expect(message.data).toBe('1 after');
  for (const { socket } of [{ socket: again }, ...clients]) socket.close();
});
