import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { WebSocket } from '@holdfast/client';
import { startProcess, until } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { WebSocket as PlainWebSocket } from 'ws';
import { ECHO, isAlive, moduleFolder, serveArgs, serveModule, workerPids } from './serve.fixture.js';

/** Runs the command to its end. */
async function ended(source: string, flags: string[] = []): Promise<{ code: number | null; text: string }> {
  using module = moduleFolder(source);
  await using process = await startProcess({
    command: globalThis.process.execPath,
    args: serveArgs(module.folder, flags),
    cwd: module.folder,
  });
  const { code } = await process.exited;
  return { code, text: `${String(process.stdout)}\n${String(process.stderr)}` };
}

describe('holdfast serve', () => {
  it('serves a module: its first line tells the URL, health answers, and requests and sockets reach the module', async () => {
    await using serving = await serveModule(ECHO, 2);
    expect(serving.log()[0]).toMatchObject({ event: 'listening', level: 'info', url: serving.url, workers: 2 });
    expect((await fetch(`${serving.url}healthz`)).status).toBe(200);
    expect(await (await fetch(`${serving.url}readyz`)).json()).toMatchObject({ ready: true, sessions: 0 });
    const pod = (await (await fetch(serving.url)).json()) as Record<string, unknown>;
    expect(pod).toMatchObject({ workers: 2, store: 'lmdb', host: '127.0.0.1', url: serving.url });
    expect(workerPids(serving)).toContain(pod['pid']);
    const socket = new WebSocket(serving.url);
    await once(socket, 'open');
    socket.send('hello');
    const [{ data }] = (await once(socket, 'message')) as [{ data: unknown }];
    expect(data).toMatch(/^pod-\d-[0-9a-f]{8} hello$/);
    socket.close();
  });

  it('accepts WebSockets on its path only, and leaves other upgrades to the module', async () => {
    const refusing = `export default ({ http }) => {
      http.on('upgrade', (request, socket) => socket.end('HTTP/1.1 410 Gone\\r\\nContent-Length: 0\\r\\n\\r\\n'));
    };`;
    await using serving = await serveModule(refusing, 1, ['--path', '/live']);
    const socket = new WebSocket(new URL('live', serving.url));
    await once(socket, 'open');
    socket.close();
    const elsewhere = new PlainWebSocket(serving.url.replace('http', 'ws'));
    const [error] = (await once(elsewhere, 'error').catch((reason: unknown) => [reason])) as [Error];
    expect(error.message).toContain('410');
  });

  it('replaces a worker that was killed, while the others answer', async () => {
    await using serving = await serveModule(ECHO, 2);
    const [first = 0] = workerPids(serving);
    process.kill(first, 'SIGKILL');
    await serving.logged('worker.died');
    expect((await fetch(serving.url)).status).toBe(200);
    const { pid, index } = await serving.logged('worker.ready', 3);
    expect(pid).not.toBe(first);
    expect(index).toBe(1);
  });

  it('logs what a worker fails of, with the stack, and replaces it', async () => {
    const failing = `export default ({ http }) => {
      http.on('request', (request, response) => {
        response.end();
        setTimeout(() => { throw new RangeError('out of range'); });
      });
    };`;
    await using serving = await serveModule(failing, 1);
    await fetch(serving.url);
    const failed = await serving.logged('worker.failed');
    expect(failed['stack']).toMatch(/RangeError: out of range\n.*app\.mjs/);
    await serving.logged('worker.ready', 2);
  });

  it('logs a handler that fails, and goes on', async () => {
    const failing = `export default ({ wss }) => {
      wss.on('connection', (socket) => socket.on('message', () => { throw new RangeError('in the handler'); }));
    };`;
    await using serving = await serveModule(failing, 1);
    const socket = new WebSocket(serving.url);
    await once(socket, 'open');
    socket.send('x');
    expect((await serving.logged('handler.failed'))['stack']).toContain('in the handler');
    expect((await fetch(`${serving.url}healthz`)).status).toBe(200);
    expect(serving.log().some(({ event }) => event === 'worker.died')).toBe(false);
    socket.close();
  });
});

describe('SIGHUP', () => {
  it('restarts all workers in turn while the port answers every request and a session loses nothing', async () => {
    await using serving = await serveModule(ECHO, 3);
    const before = workerPids(serving);
    const socket = new WebSocket(serving.url);
    const echoed: string[] = [];
    socket.addEventListener('message', ({ data }) => echoed.push(String(data)));
    await once(socket, 'open');

    let rolling = true;
    let sent = 0;
    let answers = 0;
    const asking = (async () => {
      while (rolling) {
        const response = await fetch(serving.url, { headers: { connection: 'close' } });
        expect(response.status).toBe(200);
        await response.arrayBuffer();
        answers++;
        socket.send(String(++sent));
      }
    })();
    serving.process.kill('SIGHUP');
    const done = serving.logged('restart.done');
    await Promise.race([done, asking]);
    await done;
    rolling = false;
    await asking;

    const after = workerPids(serving).slice(3);
    expect(after).toHaveLength(3);
    expect(after.some((pid) => before.includes(pid))).toBe(false);
    await until(() => before.every((pid) => !isAlive(pid)));
    expect(answers).toBeGreaterThan(10);
    await until(() => echoed.length >= sent, { what: () => `${sent} echoes, of which there are ${echoed.length}` });
    expect(echoed.map((text) => text.split(' ')[1])).toEqual(Array.from({ length: sent }, (_, i) => String(i + 1)));
    expect(new Set(echoed.map((text) => text.split(' ')[0])).size).toBeGreaterThan(1);
    const steps = serving.log().filter(({ event }) => event === 'restart.step');
    expect(steps).toHaveLength(3);
    // At least the pod that the session was on has asked it, and it went before it had to.
    expect(steps.reduce((sum, { moved }) => sum + Number(moved), 0)).toBeGreaterThan(0);
    expect(steps.every(({ cut }) => cut === 0)).toBe(true);
    expect(socket.getStatistics()).toMatchObject({ state: 'open', recoveries: 0 });
    socket.close();
  });

  it('twice, restarts twice, one after the other', async () => {
    await using serving = await serveModule(ECHO, 1);
    serving.process.kill('SIGHUP');
    await serving.logged('restart.begins');
    serving.process.kill('SIGHUP');
    await serving.logged('restart.done', 2);
    expect(workerPids(serving)).toHaveLength(3);
    const order = serving.log().flatMap(({ event }) => (String(event).startsWith('restart.') ? [event] : []));
    const once = ['restart.begins', 'restart.step', 'restart.done'];
    expect(order).toEqual([...once, ...once]);
  });

  it('from the module is pod.restartAll()', async () => {
    const restarting = `export default ({ http, pod }) => {
      http.on('request', (request, response) => { pod.restartAll(); response.end(); });
    };`;
    await using serving = await serveModule(restarting, 2);
    await fetch(serving.url);
    await serving.logged('restart.done');
    expect(workerPids(serving)).toHaveLength(4);
  });

  it('keeps the workers that serve when the module has been broken meanwhile', async () => {
    await using serving = await serveModule(ECHO, 2);
    writeFileSync(serving.modulePath, `throw new Error('half an edit');`);
    serving.process.kill('SIGHUP');
    const failed = await serving.logged('restart.failed');
    expect(failed['stack']).toMatch(/HF_MODULE[^]*half an edit/);
    expect(workerPids(serving).every(isAlive)).toBe(true);
    expect((await fetch(serving.url)).status).toBe(200);
  });
});

describe('a stop', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('by %s ends all workers and exits with 0', async (signal) => {
    await using serving = await serveModule(ECHO, 2);
    serving.process.kill(signal);
    expect(await serving.process.exited).toEqual({ code: 0, signal: null });
    expect(workerPids(serving).some(isAlive)).toBe(false);
    expect(serving.log().at(-1)).toMatchObject({ event: 'stop.done' });
  });

  it('closes who has nowhere to go with 1012 within the deadline', async () => {
    await using serving = await serveModule(ECHO, 1, ['--stop-deadline', '500ms']);
    const socket = new WebSocket(serving.url);
    await once(socket, 'open');
    const recovering = once(socket, 'recovering') as Promise<[Event & { code: number }]>;
    serving.process.kill();
    expect((await recovering)[0].code).toBe(1012);
    expect(await serving.process.exited).toEqual({ code: 0, signal: null });
    socket.close();
  });

  it('lets a request be answered', async () => {
    const slow = `export default ({ http }) => {
      http.on('request', (request, response) => {
        response.flushHeaders();
        setTimeout(() => response.end('done'), 300);
      });
    };`;
    await using serving = await serveModule(slow, 1);
    const response = await fetch(serving.url);
    serving.process.kill();
    expect(await response.text()).toBe('done');
    expect((await serving.process.exited).code).toBe(0);
  });

  it('by a second SIGINT is at once', async () => {
    const stuck = `export default ({ http }) => {
      http.on('request', (request, response) => response.flushHeaders());
    };`;
    await using serving = await serveModule(stuck, 1, ['--stop-deadline', '1m']);
    await fetch(serving.url);
    serving.process.kill('SIGINT');
    await serving.logged('stop.begins');
    // The same signal twice within half a second is one: npm and the terminal both send it.
    await until(() => serving.process.kill('SIGINT') === false, { everyMs: 100, what: 'the end' });
    expect((await serving.process.exited).code).toBe(130);
    await until(() => !workerPids(serving).some(isAlive));
  });

  it('by SIGKILL of the primary leaves no workers behind', async () => {
    await using serving = await serveModule(ECHO, 3);
    serving.process.kill('SIGKILL');
    const pids = workerPids(serving);
    await until(() => !pids.some(isAlive), { what: 'the end of the workers' });
    expect(pids).toHaveLength(3);
  });
});

describe('what keeps holdfast serve from serving', () => {
  it.each([
    ['a module that cannot be imported', `import 'no-such-package';`, /HF_MODULE[^]*no-such-package[^]*fix: /],
    ['a module without a default function', `export const a = 1;`, /HF_MODULE: .*default export is missing[^]*fix: /],
    ['a module that throws', `export default () => { throw new Error('not today'); };`, /HF_MODULE[^]*not today/],
    ['a module that ends the process', `process.exit(3);`, /HF_WORKER: .*with code 3[^]*fix: /],
  ])('is told and exits with 1: %s', async (_, source, expected) => {
    const { code, text } = await ended(source, ['--workers', '2']);
    expect(text).toMatch(expected);
    expect(code).toBe(1);
  });

  it('is told and exits with 1: a port that is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const { code, text } = await ended(ECHO, ['--port', String(port)]);
    taken.close();
    expect(text).toMatch(/HF_LISTEN: .*\n.*EADDRINUSE[^]*fix: /);
    expect(code).toBe(1);
  });

  it('is told and exits with 1: a folder that holds no store', async () => {
    using module = moduleFolder(ECHO);
    writeFileSync(`${module.folder}/notes.txt`, 'mine');
    const { code, text } = await ended(ECHO, ['--store', `lmdb:${module.folder}`]);
    expect(text).toMatch(/HF_STORE_FOREIGN/);
    expect(code).toBe(1);
  });
});
