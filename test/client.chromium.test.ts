import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import { join } from 'node:path';
import { WebSocketServer, type Socket } from '@holdfast/server';
import { until } from '@holdfast/testing';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocketServer as PlainServer } from 'ws';
import { launchChromium } from './chromium.fixture.js';

// What a page gets: the bundle as it is published, in a real browser, from a real server.

const bundle = readFileSync(join(import.meta.dirname, '../packages/client/dist/holdfast.min.js'));
const html = `<!doctype html><title>client</title><script type="module">
  import { WebSocket } from '/holdfast.min.js';
  globalThis.connect = (path, protocols, options) => {
    const words = [];
    const socket = new WebSocket(path, protocols, options);
    socket.binaryType = 'arraybuffer';
    const text = (data) => typeof data === 'string' ? data : 'bytes ' + new Uint8Array(data).join(' ');
    socket.onopen = () => words.push('open');
    socket.onmessage = ({ data }) => words.push(text(data));
    socket.onerror = () => words.push('error');
    socket.onclose = ({ code, reason, wasClean }) => words.push(['close', code, reason, wasClean].join(' '));
    socket.onrecovering = () => words.push('recovering');
    socket.onrecovered = () => words.push('recovered');
    return Object.assign(globalThis, { socket, words });
  };
</script>`;

let browser: Browser;
let page: Page;
let http: Server;
let sessions: WebSocketServer;
let plain: PlainServer;
let url: string;
const connections = new Set<TcpSocket>();
const faults: string[] = [];

beforeAll(async () => {
  browser = await launchChromium();
  http = createServer((request, response) => {
    const isBundle = request.url === '/holdfast.min.js';
    response.writeHead(200, { 'content-type': isBundle ? 'text/javascript' : 'text/html' });
    response.end(isBundle ? bundle : html);
  });
  http.on('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  sessions = new WebSocketServer({ noServer: true });
  sessions.on('connection', (socket: Socket) => {
    socket.on('message', (data: Buffer, binary) => socket.send(data, { binary }));
  });
  plain = new PlainServer({ noServer: true, handleProtocols: () => false });
  plain.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
  http.on('upgrade', (request, socket, head) => {
    const server = request.url?.startsWith('/plain') ? plain : sessions;
    server.handleUpgrade(request, socket, head, (webSocket) => void server.emit('connection', webSocket, request));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/`;
});

afterAll(async () => {
  await browser?.close();
  sessions.close();
  for (const connection of connections) connection.destroy();
  await new Promise((resolve) => http.close(resolve));
});

beforeEach(async () => {
  faults.length = 0;
  page = await browser.newPage();
  page.on('pageerror', (error) => faults.push(String(error)));
  await page.goto(url);
  await page.waitForFunction('globalThis.connect');
});

afterEach(async () => {
  if (faults.length > 0) throw new Error(faults.join('\n'));
  await page.close();
});

const words = (): Promise<string[]> => page.evaluate('words');

describe('the client in Chromium', () => {
  it('opens a session by a relative URL, carries text, bytes and Blobs, and closes', async () => {
    await page.evaluate("void connect('/session', 'chat')");
    await until(async () => (await words()).includes('open'));
    expect(await page.evaluate('[socket.url, socket.protocol, socket.readyState]')).toEqual([
      `${url.replace('http', 'ws')}session`,
      'chat',
      1,
    ]);
    await page.evaluate(`
      socket.send('text é');
      socket.send(new Blob([Uint8Array.of(1, 2)]));
      socket.send(Uint8Array.of(0, 3, 4).subarray(1));
    `);
    await until(async () => (await words()).length === 4);
    await page.evaluate("socket.close(4000, 'done')");
    await until(async () => (await words()).length === 5);
    expect(await words()).toEqual(['open', 'text é', 'bytes 1 2', 'bytes 3 4', 'close 4000 done true']);
  });

  it('stays open while its connection is cut again and again, and loses, repeats and swaps nothing', async () => {
    await page.evaluate("void connect('/session')");
    await until(async () => (await words()).includes('open'));
    const states = new Set<number>();
    let sent = 0;
    for (let cut = 1; cut <= 5; cut++) {
      for (let n = 0; n < 20; n++) await page.evaluate(`socket.send('${++sent}')`);
      for (const connection of connections) connection.destroy();
      for (let n = 0; n < 20; n++) {
        await page.evaluate(`socket.send('${++sent}')`);
        states.add(await page.evaluate('socket.readyState'));
      }
      await until(async () => (await words()).filter((word) => word === 'recovered').length === cut, {
        timeoutMs: 20_000,
      });
    }
    await until(async () => (await words()).includes(String(sent)));
    const heard = await words();
    expect(heard.filter((word) => /^\d+$/.test(word))).toEqual(Array.from({ length: sent }, (_, n) => String(n + 1)));
    expect(heard.filter((word) => word === 'recovering')).toHaveLength(5);
    expect([...states]).toEqual([1]);
    expect(await page.evaluate('socket.getStatistics()')).toMatchObject({ recoveries: 5, missing: 0, duplicates: 0 });
  });

  it('is a plain WebSocket to a server that knows no subprotocol', async () => {
    await page.evaluate("void connect('/plain')");
    await until(async () => (await words()).includes('open'));
    await page.evaluate("socket.send('plain')");
    await until(async () => (await words()).includes('plain'));
    expect(await page.evaluate('socket.getStatistics()')).toMatchObject({ state: 'plain', attempts: 3 });
    for (const connection of connections) connection.destroy();
    await until(async () => (await words()).length === 4);
    expect((await words()).slice(2)).toEqual(['error', 'close 1006  false']);
  });

  it('throws what the standard says', async () => {
    const names = await page.evaluate(`
      const name = (action) => { try { action(); return 'nothing'; } catch (error) { return error.name; } };
      [
        name(() => connect('ws://[')),
        name(() => connect('/session#part')),
        name(() => connect('/session', ['a', 'a'])),
        name(() => connect('/session').socket.send('early')),
        name(() => socket.close(1001)),
        name(() => socket.close(1000, 'x'.repeat(124))),
      ]
    `);
    expect(names).toEqual([
      'SyntaxError',
      'SyntaxError',
      'SyntaxError',
      'InvalidStateError',
      'InvalidAccessError',
      'SyntaxError',
    ]);
  });
});
