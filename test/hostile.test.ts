import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket } from '@holdfast/client';
import { systemClock, WebSocketServer, type Clock } from '@holdfast/server';
import { MemoryStore } from '@holdfast/store';
import { announceSeed, randomSeed, seededRandom, until, type Random } from '@holdfast/testing';
import { expect, it } from 'vitest';
import { collectGarbage } from './garbage.fixture.js';
import { ATTACKS, LIMITS, type Attack } from './hostile-attacks.fixture.js';
import type { Ending } from './raw-socket.fixture.js';

/** Enough for each kind of attack to come often. */
const WARM_UP = 250;
const ROUNDS = 1_250;
/** Attacks under way at the same time. */
const AT_ONCE = 25;
/** What one attack may take: the longest limit of the server, and the patience of a busy machine. */
const ATTACK_MS = 15_000;
/** What a heap varies by, whatever is done. A leak of 2 kB for each attack would show. */
const HEAP_BYTES = 2_500_000;

/** The clock of the machine, and how many of its timers are armed. */
function countingClock(): Clock & { readonly armed: Set<unknown> } {
  const armed = new Set<unknown>();
  return {
    ...systemClock,
    armed,
    setTimeout: (callback, delayMs) => {
      const timer = systemClock.setTimeout(() => {
        armed.delete(timer);
        callback();
      }, delayMs);
      armed.add(timer);
      return timer;
    },
    clearTimeout: (timer) => {
      armed.delete(timer);
      systemClock.clearTimeout(timer);
    },
  };
}

/** A client that behaves: it asks for an echo all the time, and counts. */
class Control {
  readonly socket: WebSocket;
  echoes = 0;
  worstMs = 0;
  readonly problems: string[] = [];
  #askedMs = 0;

  constructor(url: string) {
    this.socket = new WebSocket(url);
    this.socket.onopen = () => this.#ask();
    this.socket.onmessage = ({ data }) => {
      if (data !== `echo ${this.echoes}`) this.problems.push(`${String(data)} instead of echo ${this.echoes}`);
      this.worstMs = Math.max(this.worstMs, performance.now() - this.#askedMs);
      this.echoes++;
      setTimeout(() => this.#ask(), 5);
    };
    this.socket.onclose = ({ code, reason }) => this.problems.push(`closed with ${code} ${reason}`);
    this.socket.addEventListener('gap', () => this.problems.push('gap'));
  }

  #ask(): void {
    if (this.socket.readyState !== this.socket.OPEN) return;
    this.#askedMs = performance.now();
    this.socket.send(`echo ${this.echoes}`);
  }
}

async function attack(one: Attack, port: number, random: Random): Promise<Ending> {
  const raw = await one.run(port, random);
  const late = setTimeout(() => raw.socket.destroy(), ATTACK_MS);
  const ending = await raw.ended;
  clearTimeout(late);
  return ending;
}

/** Runs attacks, some at once, and returns those that were not answered as they should be. */
async function attackAll(count: number, port: number, random: Random): Promise<string[]> {
  const wrong: string[] = [];
  let next = 0;
  const attacker = async (): Promise<void> => {
    while (next < count) {
      const number = next++;
      const own = random.fork(number);
      const one = ATTACKS[number] ?? own.pick(ATTACKS);
      const ending = await attack(one, port, own);
      if (!one.mayEnd(ending)) wrong.push(`${number} ${one.name}: ${JSON.stringify(ending)}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, attacker));
  return wrong;
}

it(`answers ${ROUNDS} hostile connections with coded closes, serves its other sessions meanwhile, and forgets them`, async () => {
  const seed = randomSeed();
  announceSeed('hostile', seed, { command: 'npx vitest run test/hostile.test.ts' });
  const random = seededRandom(seed);
  const warnings: Error[] = [];
  process.on('warning', (warning) => warnings.push(warning));
  const http = createServer().listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  const clock = countingClock();
  const store = new MemoryStore();
  const wss = new WebSocketServer({
    server: http,
    store,
    clock,
    policy: {
      pingMs: 600,
      deadMs: 1_500,
      window: { messages: LIMITS.messages, bytes: 50_000 },
      maxPayloadBytes: LIMITS.payloadBytes,
      sessionMs: 1_000,
    },
    handshakeMs: 600,
    closeMs: 1_000,
    leaseMs: 900,
  });
  const failures: unknown[] = [];
  for (const event of ['handlerError', 'storeError', 'error'] as const) {
    wss.on(event, (error: unknown) => failures.push(error));
  }
  wss.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  const control = new Control(`ws://127.0.0.1:${port}/`);
  await until(() => control.echoes > 0);
  const connections = async (): Promise<number> =>
    new Promise((resolve) => http.getConnections((_error, count) => resolve(count)));
  /** All that is left of the attackers has gone. */
  const settle = async (): Promise<object> => {
    const state = async () => {
      const { handshakes, sessions, plain } = wss.health;
      const stored = (await store.stats()).sessions;
      return { handshakes, sessions, plain, stored, clients: wss.clients.size, connections: await connections() };
    };
    const alone = { handshakes: 0, sessions: 1, plain: 0, stored: 1, clients: 1, connections: 1 };
    const isAlone = async (): Promise<boolean> => JSON.stringify(await state()) === JSON.stringify(alone);
    await until(isAlone, { timeoutMs: 20_000 }).catch(async () => expect(await state()).toEqual(alone));
    return alone;
  };

  expect(await attackAll(WARM_UP, port, random.fork(1))).toEqual([]);
  await settle();
  const before = { heap: await collectGarbage(), timers: clock.armed.size, echoes: control.echoes };
  control.worstMs = 0;
  expect(await attackAll(ROUNDS, port, random.fork(2))).toEqual([]);
  const served = control.echoes - before.echoes;
  await settle();
  const grownBytes = (await collectGarbage()) - before.heap;
  process.stdout.write(
    `${ROUNDS} attacks of ${ATTACKS.length} kinds; ${served} echoes meanwhile, the slowest after ${Math.round(control.worstMs)} ms; ` +
      `heap ${grownBytes > 0 ? '+' : ''}${Math.round(grownBytes / 1_000)} kB, ${before.timers} timers before, ${clock.armed.size} after\n`,
  );
  expect(control.problems).toEqual([]);
  expect(served).toBeGreaterThan(100);
  expect(grownBytes).toBeLessThan(HEAP_BYTES);
  expect(clock.armed.size).toBeLessThanOrEqual(before.timers);
  expect(failures).toEqual([]);
  expect(warnings).toEqual([]);
  control.socket.onclose = null;
  control.socket.close();
  await new Promise<void>((resolve) => wss.close(() => resolve()));
  http.close();
});
