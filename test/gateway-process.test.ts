import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningProcess, startProcess, until } from '@holdfast/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';

const command = join(import.meta.dirname, '../packages/cli/dist/main.js');

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).reverse()) await end();
});

async function startPod(name: string): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => socket.send(`${name} ${data.toString()}`));
  });
  await once(server, 'listening');
  leftovers.push(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Running {
  readonly process: RunningProcess;
  readonly url: string;
  readonly log: () => Record<string, unknown>[];
}

async function startGateway(...args: string[]): Promise<Running> {
  const process = await startProcess({
    command: globalThis.process.execPath,
    args: [command, 'gateway', ...args, '--json'],
    ready: /"event":"listening".*"url":"http([^"]+)"/,
    readyTimeoutMs: 60_000,
  });
  leftovers.push(() => process[Symbol.asyncDispose]());
  const log = (): Record<string, unknown>[] =>
    process.stdout.kept.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []));
  return { process, url: `ws${process.readyMatch?.[1]}`, log };
}

async function open(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  leftovers.push(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

async function echo(socket: WebSocket, text: string): Promise<string> {
  socket.send(text);
  const [data] = (await once(socket, 'message')) as [Buffer];
  return data.toString();
}

describe('holdfast gateway', () => {
  it('reads its policy again at SIGHUP without touching a connection, and keeps the one it has when the new one is wrong', async () => {
    const [a, b] = [await startPod('a'), await startPod('b')];
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-gateway-'));
    leftovers.push(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'holdfast.yaml');
    const write = (pod: string): void =>
      writeFileSync(
        file,
        `name: chat
environments:
  test:
    hosts: ["127.0.0.1"]
    pods: ["${pod}"]
    routes: [{ websocket: /ws, carry: relay }]
    health: { check: off }
    drain: { propagation: 0s }
    gateway: { listen: ["127.0.0.1:0"] }
`,
      );
    write(a);
    const { process, url, log } = await startGateway('-f', file, '--env', 'test');
    const happens = (event: string) =>
      until(() => log().some((line) => line['event'] === event), { timeoutMs: 20_000 });
    const first = await open(`${url}ws`);
    expect(await echo(first, '1')).toBe('a 1');

    writeFileSync(file, 'name: [');
    process.kill('SIGHUP');
    await happens('reload.failed');
    expect(await echo(await open(`${url}ws`), '2')).toBe('a 2');

    // Its pod is not in the policy any more, so it is asked to leave it; a relay can only close.
    const closed = once(first, 'close') as Promise<[number]>;
    write(b);
    process.kill('SIGHUP');
    await happens('reloaded');
    expect(await echo(await open(`${url}ws`), '3')).toBe('b 3');
    expect((await closed)[0]).toBe(1012);
    process.kill('SIGTERM');
    expect(await process.exited).toEqual({ code: 0, signal: null });
    const lines = log().filter(({ kind }) => kind === 'websocket');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatchObject({
      target: '/ws',
      upstream: a,
      closeCode: 1012,
      cause: 'HF_MOVED_ON',
      messagesIn: 1,
    });
  });

  it('drains at SIGTERM: every client is told to come back elsewhere, and the exit code is 0', async () => {
    const { process, url } = await startGateway('--listen', '127.0.0.1:0', '--to', await startPod('a'));
    const clients = await Promise.all(Array.from({ length: 20 }, () => open(url)));
    const closes = Promise.all(clients.map(async (client) => (await once(client, 'close'))[0] as number));
    process.kill('SIGTERM');
    expect(new Set(await closes)).toEqual(new Set([1012]));
    expect(await process.exited).toEqual({ code: 0, signal: null });
  });

  it('judges a policy and what it names with --check, and says with 2 that it is wrong', async () => {
    const { execFile } = await import('node:child_process');
    const run = (...args: string[]) =>
      new Promise<[number, string]>((resolve) => {
        execFile(globalThis.process.execPath, [command, 'gateway', ...args, '--check'], (error, stdout, stderr) =>
          resolve([error === null ? 0 : Number(error.code), stdout + stderr]),
        );
      });
    expect(await run('--to', '127.0.0.1:1')).toEqual([
      0,
      expect.stringContaining('fine; 1 route, 1 pod (none was asked)'),
    ]);
    const [code, said] = await run('-f', '/nowhere/holdfast.yaml');
    expect([code, said]).toEqual([2, expect.stringContaining('there is no such file')]);
  });
});
