import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from '@holdfast/client';
import { collect, DeliveryLedger, type RunningProcess, startProcess, until } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { ECHO, moduleFolder, serveArgs } from './serve.fixture.js';
import { Service } from './service.fixture.js';

const CLIENTS = 30;
const RATE = 20;
/** How long a balancer goes on sending clients to a pod that has been told to stop. */
const PROPAGATION_MS = 500;
const FLAGS = ['--drain-rate', `${RATE}`, '--stop-deadline', '20s'];

interface Pod extends AsyncDisposable {
  readonly process: RunningProcess;
  readonly port: number;
}

async function startPod(folder: string, name: string, flags: readonly string[]): Promise<Pod> {
  const process = await startProcess({
    command: globalThis.process.execPath,
    args: serveArgs(folder, [...FLAGS, '--pod-prefix', name, ...flags]),
    cwd: folder,
    ready: /"event":"listening".*"url":"http:\/\/127\.0\.0\.1:(\d+)/,
    readyTimeoutMs: 30_000,
  });
  return {
    process,
    port: Number(process.readyMatch?.[1]),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/** The ways in which a deployment lets go of a pod. Each resolves when the pod has been told to stop; the service knows by then, or soon. */
const WAYS: Record<string, { flags: string[]; stop: (pod: Pod, removed: () => Promise<void>) => Promise<void> }> = {
  'a preStop that only sleeps, and then SIGTERM': {
    flags: [],
    stop: async (pod, removed) => {
      await removed();
      pod.process.kill('SIGTERM');
    },
  },
  'a preStop that calls POST /drain, and then SIGTERM': {
    flags: ['--drain-requests', '--drain-propagation', `${PROPAGATION_MS}ms`],
    stop: async (pod, removed) => {
      const [answer] = await Promise.all([fetch(`http://127.0.0.1:${pod.port}/drain`, { method: 'POST' }), removed()]);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({ asked: CLIENTS, moved: CLIENTS, cut: 0 });
      pod.process.kill('SIGTERM');
    },
  },
  'a bare SIGTERM': {
    flags: ['--drain-propagation', `${PROPAGATION_MS}ms`],
    stop: async (pod, removed) => {
      pod.process.kill('SIGTERM');
      await removed();
    },
  },
};

describe.each(Object.entries(WAYS))('%s', (_name, { flags, stop }) => {
  it(`lets ${CLIENTS} clients move at ${RATE} a second at most, none of which sees more than that it moved`, async () => {
    using folder = moduleFolder(ECHO);
    await using leaving = await startPod(folder.folder, 'leaving', flags);
    await using staying = await startPod(folder.folder, 'staying', flags);
    await using service = await Service.listen();
    service.endpoints = [leaving.port];

    const ledger = new DeliveryLedger();
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, number) => {
        const socket = new WebSocket(service.url);
        const told = ['close', 'gap', 'error', 'recovering', 'moved'].map((event) =>
          collect(socket, event, { map: () => event }),
        );
        const pods = new Set<string>();
        socket.onmessage = ({ data }) => {
          const [pod = '', n] = String(data).split(' ');
          pods.add(pod.replace(/-.*/, ''));
          ledger.received(`${number}`, Number(n));
        };
        await once(socket, 'open');
        return { number, socket, pods, sent: 0, told: () => told.flatMap(({ items }) => items) };
      }),
    );
    const talking = setInterval(() => {
      for (const client of clients) {
        ledger.sent(`${client.number}`, ++client.sent);
        client.socket.send(String(client.sent));
      }
    }, 25);
    await until(() => clients.every(({ pods }) => pods.has('leaving')), { what: 'first echoes' });
    service.endpoints = [leaving.port, staying.port];
    service.acceptedMs.length = 0;

    await stop(leaving, async () => {
      await delay(PROPAGATION_MS - 100);
      service.endpoints = [staying.port];
      await delay(100);
    });
    // One that is drained ends by itself; a signal that comes while it does so finds nobody to take it.
    const exits = [
      { code: 0, signal: null },
      { code: null, signal: 'SIGTERM' },
    ];
    expect(flags.includes('--drain-requests') ? exits : exits.slice(0, 1)).toContainEqual(await leaving.process.exited);

    await until(() => clients.every(({ pods }) => pods.has('staying')), {
      timeoutMs: 20_000,
      what: 'echoes from the other pod',
    });
    clearInterval(talking);
    await until(() => ledger.report().received === ledger.report().sent, { timeoutMs: 20_000, what: 'all echoes' });
    ledger.check();
    expect(clients.map(({ told }) => told())).toEqual(clients.map(() => ['moved']));
    // One in each step; what a stalled machine bunches up is allowed for.
    expect(service.peakPerSecond).toBeLessThanOrEqual(RATE * 1.5);
    expect(service.acceptedMs).toHaveLength(CLIENTS);
    process.stdout.write(`peak ${service.peakPerSecond} a second, cap ${RATE}\n`);
    for (const { socket } of clients) socket.close();
    await until(() => clients.every(({ socket }) => socket.readyState === WebSocket.CLOSED), { what: 'all closed' });
  });
});
