import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { WebSocket } from '@holdfast/client';
import { WebSocketServer } from '@holdfast/server';
import { ChaosProxy, startProcess } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';

/** What the issue of half-open connections is about: nothing closes them, so only a clock finds them. */
const FOUND_WITHIN_MS = 5_000;

const bothEnds = fileURLToPath(new URL('fixtures/both-ends.mjs', import.meta.url));
const startBothEnds = () => startProcess({ command: process.execPath, args: [bothEnds], ready: /^ready$/ });

/** Longer than either end would need to judge, if it judged falsely. */
const settle = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('at the default heartbeat of 2 s', () => {
  it('both ends find within 5 s that packets have stopped to pass, and the session goes on when they pass again', async () => {
    const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(wss, 'listening');
    const { port } = wss.address() as AddressInfo;
    const proxy = await ChaosProxy.listen({ target: { host: '127.0.0.1', port } });
    const connected = once(wss, 'connection');
    const client = new WebSocket(proxy.url());
    await once(client, 'open');
    const [socket] = (await connected) as [import('@holdfast/server').Socket];

    const startMs = performance.now();
    const took = async (happened: Promise<unknown>) => {
      await happened;
      return performance.now() - startMs;
    };
    proxy.inject('blackHole');
    const [clientMs, serverMs] = await Promise.all([took(once(client, 'recovering')), took(once(socket, 'detached'))]);
    process.stdout.write(
      `found by the client after ${Math.round(clientMs)} ms, by the server after ${Math.round(serverMs)} ms\n`,
    );
    expect(clientMs).toBeLessThan(FOUND_WITHIN_MS);
    expect(serverMs).toBeLessThan(FOUND_WITHIN_MS);

    socket.send('said meanwhile');
    const [message] = (await once(client, 'message')) as [MessageEvent];
    expect(message.data).toBe('said meanwhile');
    client.close();
    await once(client, 'close');
    await proxy.close();
    wss.close();
    await once(wss, 'close');
  }, 30_000);

  it('neither end raises a false alarm when the event loop is blocked for 3 s', async () => {
    await using both = await startBothEnds();
    both.kill('SIGHUP');
    await both.waitForLine(/^unblocked$/, 10_000);
    await settle(FOUND_WITHIN_MS);
    both.kill('SIGUSR2');
    await both.waitForLine(/^echo alive$/);
    expect(both.stdout.toString()).not.toMatch(/recovering|detached/);
  }, 30_000);

  it('neither end raises a false alarm when the process is stopped for 5 s and goes on', async () => {
    await using both = await startBothEnds();
    both.kill('SIGSTOP');
    await settle(5_000);
    both.kill('SIGCONT');
    await settle(FOUND_WITHIN_MS);
    both.kill('SIGUSR2');
    await both.waitForLine(/^echo alive$/);
    expect(both.stdout.toString()).not.toMatch(/recovering|detached/);
  }, 30_000);
});
