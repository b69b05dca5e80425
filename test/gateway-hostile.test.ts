import { Gateway, systemClock, type Clock } from '@holdfast/gateway';
import { parse, pick, type Environment } from '@holdfast/policy';
import { until } from '@holdfast/testing';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { attack, ATTACKS, HostilePod } from './gateway-attacks.fixture.js';
import { collectGarbage } from './garbage.fixture.js';
import type { Ending } from './raw-socket.fixture.js';

/** Attacks under way at the same time. */
const AT_ONCE = 20;
/** What a heap varies by, whatever is done. */
const HEAP_BYTES = 2_500_000;

/** The clock of the machine, and how many of its timers are armed. */
function countingClock(): Clock & { readonly armed: Set<unknown> } {
  const armed = new Set<unknown>();
  return {
    now: () => systemClock.now(),
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

/** A gateway that is quick to lose patience, in front of one pod that it never gives up. */
function environment(port: number): Environment {
  const written = {
    name: 'hostile',
    environments: {
      test: {
        hosts: ['a', '127.0.0.1'],
        service: 'pods',
        pods: [`127.0.0.1:${port}`],
        routes: [{ websocket: '/', connect: '1s', read: '900ms', send: '900ms', carry: 'relay' }],
        connect: { handshake: '600ms', close: '500ms' },
        limits: {
          message: '20KiB',
          header: '8KiB',
          body: '20KiB',
          connectionsPerAddress: 1_000,
        },
        breaker: { failures: 1_000_000 },
        health: { maxFails: 1_000_000, check: 'off' },
        gateway: { listen: ['127.0.0.1:0'], accessLog: 'json' },
      },
    },
  };
  const { policy, problems } = parse(JSON.stringify(written));
  if (!policy) throw new Error(JSON.stringify(problems));
  return pick(policy, 'test');
}

const comesTo = (ending: Ending): number | 'nothing' => (ending.by === 'nothing' ? 'nothing' : ending.code);

/** Runs all attacks, some at once, and returns those that came to something else than they should. */
async function attackAll(port: number): Promise<string[]> {
  const wrong: string[] = [];
  const left = [...ATTACKS];
  const attacker = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) {
      const came = comesTo(await attack(port, one));
      if (!one.wanted.includes(came)) wrong.push(`${one.name}: ${came} instead of ${one.wanted.join(' or ')}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, attacker));
  return wrong;
}

/** A client that behaves: it asks for an echo all the time. */
class Control {
  readonly socket: WebSocket;
  echoes = 0;
  readonly problems: string[] = [];

  constructor(url: string) {
    this.socket = new WebSocket(url);
    this.socket.on('open', () => this.socket.send('0'));
    this.socket.on('message', (data: Buffer) => {
      if (data.toString() !== String(this.echoes)) this.problems.push(`${data.toString()} instead of ${this.echoes}`);
      this.echoes++;
      setTimeout(() => this.socket.readyState === WebSocket.OPEN && this.socket.send(String(this.echoes)), 10);
    });
    this.socket.on('close', (code) => this.problems.push(`closed with ${code}`));
  }
}

it(`answers ${ATTACKS.length} hostile and broken requests each with a status or a close, serves others meanwhile, and keeps nothing of them`, async () => {
  expect(ATTACKS.length).toBeGreaterThan(200);
  const warnings: Error[] = [];
  process.on('warning', (warning) => warnings.push(warning));
  const pod = new HostilePod();
  const clock = countingClock();
  let lines = 0;
  const gateway = new Gateway(environment(await pod.listen()), {
    clock,
    output: (text) => void (lines += text.split('\n').length - 1),
  });
  await gateway.start();
  const port = gateway.addresses[0]?.port ?? 0;
  const control = new Control(`ws://127.0.0.1:${port}/`);
  await until(() => control.echoes > 0);
  const state = () => ({ webSockets: gateway.webSockets, sockets: gateway.sockets, pod: pod.connections });
  const settled = async (): Promise<void> => {
    const alone = { webSockets: 1, sockets: 1, pod: 1 };
    // Idle connections to a pod are kept for four seconds.
    await until(() => JSON.stringify(state()) === JSON.stringify(alone), { timeoutMs: 20_000 }).catch(() => undefined);
    expect(state()).toEqual(alone);
  };

  // Once to warm up, once to be measured.
  expect(await attackAll(port)).toEqual([]);
  await settled();
  const before = { heap: await collectGarbage(), timers: clock.armed.size, echoes: control.echoes };
  expect(await attackAll(port)).toEqual([]);
  const served = control.echoes - before.echoes;
  await settled();
  const grownBytes = (await collectGarbage()) - before.heap;
  process.stdout.write(
    `${ATTACKS.length} attacks twice; ${served} echoes meanwhile; ${lines} lines of log; ` +
      `heap ${grownBytes > 0 ? '+' : ''}${Math.round(grownBytes / 1_000)} kB, ${before.timers} timers before, ${clock.armed.size} after\n`,
  );
  expect(control.problems).toEqual([]);
  expect(served).toBeGreaterThan(20);
  expect(clock.armed.size).toBeLessThanOrEqual(before.timers);
  expect(grownBytes).toBeLessThan(HEAP_BYTES);
  expect(warnings).toEqual([]);
  control.socket.removeAllListeners('close');
  control.socket.terminate();
  await gateway.close();
  pod.close();
  await until(() => gateway.sockets === 0);
});
