import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { WebSocket } from '@holdfast/client';
import type { StreamKey } from '@holdfast/store';
import { RedisStore } from '@holdfast/store-redis';
import { ChaosProxy, DeliveryLedger, type RunningProcess, startProcess, until } from '@holdfast/testing';
import { expect, it } from 'vitest';
import { RedisServer } from './redis.fixture.js';
import { Service } from './service.fixture.js';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** About the length of a lease, after which the sessions of clients that are away are adopted too. HOLDFAST_STOP_MS=60000 for longer. */
const STOP_MS = Number(process.env['HOLDFAST_STOP_MS'] ?? 12_000);
const CLIENTS = 30;
/** Of those, so many are away while their pod is stopped. */
const AWAY = 5;
/** A client speaks so rarely that the topic of effects, of which a store keeps 10,000 by default, still has them all at the end. */
const TALK_MS = Math.max(150, (STOP_MS * CLIENTS) / 7_500);
const ALL = { entries: 1e6, bytes: 1e9 };

/** Who has said something, and when. */
interface Said {
  readonly pod: string;
  readonly atMs: number;
}

function read(text: string): Said {
  const [, pod = '', ms] = text.split(' ');
  return { pod: pod.replace(/-.*/, ''), atMs: Number(ms) };
}

async function startPod(name: string, store: string): Promise<{ process: RunningProcess; port: number; pid: number }> {
  const flags = ['--json', '--port', '0', '--store', store, '--pod-prefix', name];
  const process = await startProcess({
    command: globalThis.process.execPath,
    args: [path('../packages/cli/dist/main.js'), 'serve', path('fixtures/stopped-app.mjs'), ...flags],
    ready: /"event":"listening".*"url":"http:\/\/127\.0\.0\.1:(\d+)/,
    readyTimeoutMs: 30_000,
    linesMax: 100_000,
  });
  const [, pid] = await process.waitForLine(/^worker (\d+)$/, 20_000);
  return { process, port: Number(process.readyMatch?.[1]), pid: Number(pid) };
}

it(
  `lets a pod that was stopped for ${STOP_MS / 1_000} s, while its sessions moved, reach nobody and write nothing when it wakes up`,
  async () => {
    await using redis = await RedisServer.start();
    const [stopped, one, other] = await Promise.all(
      ['stopped', 'one', 'other'].map((name) => startPod(name, redis.url)),
    );
    if (!stopped || !one || !other) throw new Error('three pods');
    await using _stopped = stopped.process;
    await using _one = one.process;
    await using _other = other.process;
    await using service = await Service.listen();
    service.endpoints = [stopped.port];
    await using proxy = await ChaosProxy.listen({ target: { port: Number(new URL(service.url).port) } });

    const ledger = new DeliveryLedger();
    const said: Said[] = [];
    const problems: string[] = [];
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, number) => {
        const name = `client${number}`;
        const socket = new WebSocket(number < AWAY ? proxy.url('/') : service.url, [], {
          breaker: { failures: 1_000, openMs: 50 },
          // Little patience: backoff grows to half a minute otherwise.
          random: () => 0.05,
        });
        socket.onmessage = ({ data }) => {
          const text = String(data);
          said.push(read(text));
          if (text.startsWith('echo')) ledger.received(name, Number(text.split(' ')[3]));
        };
        for (const event of ['gap', 'close']) socket.addEventListener(event, () => problems.push(`${name} ${event}`));
        await once(socket, 'open');
        return { name, socket, sent: 0 };
      }),
    );
    const talking = setInterval(() => {
      for (const client of clients) {
        ledger.sent(client.name, ++client.sent);
        client.socket.send(`${client.name} ${client.sent}`);
      }
    }, TALK_MS);
    await until(() => said.length > 20 * CLIENTS, { timeoutMs: 20_000, what: 'echoes and ticks' });
    expect(new Set(said.map(({ pod }) => pod))).toEqual(new Set(['stopped']));

    proxy.offline();
    await delay(200);
    process.kill(stopped.pid, 'SIGSTOP');
    await delay(100);
    const stoppedMs = Date.now();
    service.endpoints = [one.port, other.port];
    await delay(STOP_MS);
    // When exactly those of clients that are away are adopted depends on when leases were last renewed.
    const elsewhere = (): Set<string> =>
      new Set([one, other].flatMap((pod) => pod.process.stdout.kept.filter((line) => line.startsWith('session '))));
    await until(() => elsewhere().size === CLIENTS, { timeoutMs: 20_000, what: () => `all: ${elsewhere().size}` });
    const store = await RedisStore.open({ url: redis.url });
    const written = async (stream: StreamKey): Promise<string[]> =>
      (await store.read(stream, 0, ALL)).entries.map(({ data }) => Buffer.from(data).toString());
    const awakeMs = Date.now();
    process.kill(stopped.pid, 'SIGCONT');

    // It finds out about each of its sessions.
    await until(() => stopped.process.stdout.kept.filter((line) => line === 'moved').length === CLIENTS, {
      timeoutMs: 20_000,
      what: () => `word of ${CLIENTS} moves:\n${String(stopped.process.stdout).slice(-2_000)}`,
    });
    await proxy.online();
    await delay(1_000);
    clearInterval(talking);
    await until(() => ledger.report().received >= ledger.report().sent, {
      timeoutMs: 20_000,
      what: () => JSON.stringify(ledger.report()),
    });
    ledger.check();
    expect(problems).toEqual([]);
    const isByTheDead = ({ pod, atMs }: Said): boolean => pod === 'stopped' && atMs > stoppedMs;
    expect(said.filter(isByTheDead)).toEqual([]);
    const effects = await written('t:effects');
    const streams = await Promise.all(
      clients.map(({ socket }) => written(`s:${socket.getStatistics().session ?? ''}`)),
    );
    expect([...effects, ...streams.flat()].map(read).filter(isByTheDead)).toEqual([]);
    const late = effects.map(read).filter(({ atMs }) => atMs > awakeMs);
    expect(new Set(late.map(({ pod }) => pod))).toEqual(new Set(['one', 'other']));
    // Each message had its effect once, whoever handled it.
    const messages = effects.map((text) => text.split(' ').slice(3).join(' '));
    expect(new Set(messages).size).toBe(messages.length);
    expect(messages.length).toBe(ledger.report().sent);
    process.stdout.write(
      `${CLIENTS} sessions moved; ${messages.length} effects, ${late.length} of them after the pod was awake, none by it\n`,
    );
    for (const { socket } of clients) socket.close();
    await store.close();
  },
  120_000 + 2 * STOP_MS,
);
