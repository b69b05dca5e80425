import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { Environment, HoldPolicy } from '@holdfast/policy';
import { collect, freePort } from '@holdfast/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer, type ServerOptions } from 'ws';
import { testEnvironment, testRoute } from '../../environment.fixture.js';
import { Gateway } from '../../gateway.js';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).reverse()) await end();
});

/** A pod that answers with its name and what it was told. */
class TestPod {
  readonly requests: IncomingMessage[] = [];
  readonly got: string[] = [];
  readonly server: WebSocketServer;

  constructor(
    readonly name: string,
    port: number,
    options: ServerOptions = {},
  ) {
    this.server = new WebSocketServer({ port, host: '127.0.0.1', ...options });
    this.server.on('connection', (socket, request) => {
      this.requests.push(request);
      socket.on('error', () => undefined);
      socket.on('message', (data: Buffer) => {
        this.got.push(String(data));
        if (!String(data).startsWith('keep')) socket.send(`${name}:${String(data)}`);
      });
    });
    leftovers.push(() => this.stop());
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  headers(attempt = 0): IncomingMessage['headers'] {
    return this.requests.at(attempt)?.headers ?? {};
  }

  /** Each connection ends with this code; without one, as when the process is killed. */
  end(code?: number, reason = ''): void {
    for (const socket of this.server.clients) {
      if (code === undefined) (socket as unknown as { _socket: { resetAndDestroy(): void } })._socket.resetAndDestroy();
      else socket.close(code, reason);
    }
  }

  /** And no new ones are taken. */
  stop(code?: number): void {
    this.end(code);
    this.server.close();
  }
}

async function startPod(name: string, port = 0, options?: ServerOptions): Promise<TestPod> {
  const pod = new TestPod(name, port, options);
  await once(pod.server, 'listening');
  return pod;
}

async function startGateway(
  ports: number[],
  hold: Partial<HoldPolicy> = {},
  { sendMs = 60_000, ...more }: Partial<Environment> & { sendMs?: number } = {},
) {
  const pods = ports.map((port, i) => ({ host: '127.0.0.1', port, weight: 1, backup: i > 0 }));
  const route = testRoute();
  const routes = [testRoute({ carry: 'hold', sendMs, hold: { ...route.hold, ...hold } })];
  const { health } = testEnvironment();
  const gateway = new Gateway(testEnvironment({ pods, routes, health: { ...health, failTimeoutMs: 100 }, ...more }));
  await gateway.start();
  leftovers.push(() => gateway.close());
  return { gateway, url: `ws://127.0.0.1:${gateway.addresses[0]?.port}/` };
}

async function open(url: string, protocols: string[] = [], headers = {}) {
  const client = new WebSocket(url, protocols, { headers });
  leftovers.push(() => client.terminate());
  const heard = collect(client, 'message', { map: (data: Buffer) => String(data) });
  const closed = collect(client, 'close', {
    map: (code: number, reason: Buffer) => `${code} ${String(reason)}`.trim(),
  });
  await once(client, 'open');
  return { client, heard, closed };
}

describe('a held client', () => {
  it('talks on with the next pod when one closes because it restarts, and is not told of it', async () => {
    const [a, b] = [await startPod('a'), await startPod('b')];
    const { url } = await startGateway([a.port, b.port]);
    const { client, heard, closed } = await open(url);
    client.send('1');
    await heard.waitFor(1);
    for (const code of [1001, 1012, 1013]) a.end(code);
    client.send('2');
    client.send('3');
    expect(await heard.waitFor(3)).toEqual(['a:1', 'b:2', 'b:3']);
    expect(closed.items).toEqual([]);
  });

  it('is told with whom it is by nobody, but each pod is: whose connection it is, the how many-th pod it is, and what may be lost', async () => {
    const [a, b] = [await startPod('a'), await startPod('b')];
    const { url } = await startGateway([a.port, b.port], { replayCount: 1 });
    const { client, heard } = await open(url, [], { 'Holdfast-Connection-Id': 'somebody-else', 'X-Own': 'kept' });
    client.send('login');
    client.send('keep 1');
    client.send('keep 2');
    await expect.poll(() => a.got.length).toBe(3);
    // The pong of what was given last is on its way.
    client.ping();
    await once(client, 'pong');
    a.stop();
    client.send('2');
    expect(await heard.waitFor(3)).toEqual(['a:login', 'b:login', 'b:2']);
    expect(a.headers()).toMatchObject({ 'holdfast-attempt': '1', 'x-own': 'kept' });
    expect(a.headers()['holdfast-connection-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(b.headers()).toMatchObject({
      'holdfast-connection-id': a.headers()['holdfast-connection-id'],
      'holdfast-attempt': '2',
      'holdfast-replayed': '1',
      'x-own': 'kept',
    });
    const { 'holdfast-unanswered': unanswered, 'holdfast-unknown': unknown } = b.headers();
    expect(Number(unanswered) + Number(unknown)).toBe(2);
  });

  it('and its pod are told of the change by a message where the route asks for it', async () => {
    const [a, b] = [await startPod('a'), await startPod('b')];
    const { url } = await startGateway([a.port, b.port], { notice: 'both' });
    const { client, heard } = await open(url);
    client.send('1');
    await heard.waitFor(1);
    a.end(1012);
    const [, notice] = (await heard.waitFor(2)) as [string, string];
    const told = {
      connection: a.headers()['holdfast-connection-id'],
      attempt: 2,
      replayed: 0,
      unanswered: 0,
      unknown: 0,
      resent: 0,
    };
    expect(JSON.parse(notice)).toEqual({ holdfast: told });
    await expect.poll(() => b.got).toEqual([notice]);
  });

  it('has its last messages with the pod before its close, also behind one that is larger than what is given at once', async () => {
    const a = await startPod('a');
    const { url } = await startGateway([a.port]);
    const { client, closed } = await open(url);
    const codes: Promise<number[]> = new Promise((resolve) => {
      for (const socket of a.server.clients) socket.once('close', (code) => resolve([code]));
    });
    // In one piece, so that all of it is read at once.
    const { _socket: wire } = client as unknown as { _socket: { cork(): void; uncork(): void } };
    wire.cork();
    for (const text of ['keep'.padEnd(150_000), 'keep 2', 'keep 3']) client.send(text);
    client.close(4_000);
    wire.uncork();
    await closed.waitFor(1);
    expect(await codes).toEqual([4_000]);
    expect(a.got.map((text) => text.trim())).toEqual(['keep', 'keep 2', 'keep 3']);
  });

  it.each([
    ['the system of which takes nothing', { bufferBytes: 1e8 }, 200, 90_000],
    ['which confirms nothing', { bufferBytes: 20_000 }, 20, 1_000],
  ])(
    'is led to another pod from one that talks, but %s',
    async (_what, hold, count, bytes) => {
      const b = await startPod('b');
      const deaf = new WebSocketServer({ port: 0, host: '127.0.0.1' });
      leftovers.push(() => deaf.close());
      await once(deaf, 'listening');
      deaf.on('connection', (socket) => {
        socket.on('error', () => undefined);
        socket.pause();
        const ticking = setInterval(() => socket.send('tick'), 10);
        socket.on('close', () => clearInterval(ticking));
      });
      const { url } = await startGateway([(deaf.address() as AddressInfo).port, b.port], hold, { sendMs: 1_000 });
      const { client, heard, closed } = await open(url);
      for (let n = 0; n < count; n++) client.send('keep'.padEnd(bytes));
      await expect.poll(() => b.requests.length, { timeout: 10_000 }).toBe(1);
      client.send('there?');
      await expect.poll(() => heard.items.includes('b:there?'), { timeout: 10_000 }).toBe(true);
      expect(closed.items).toEqual([]);
    },
    30_000,
  );

  it('waits while there is no pod, and what it says meanwhile comes in order', async () => {
    const port = await freePort();
    const a = await startPod('a', port);
    const { url } = await startGateway([port]);
    const { client, heard, closed } = await open(url);
    client.send('1');
    await heard.waitFor(1);
    a.stop();
    for (let n = 2; n <= 50; n++) client.send(`${n}`);
    // The gateway answers while nobody else could.
    client.ping();
    await once(client, 'pong');
    await startPod('b', port);
    expect((await heard.waitFor(50)).slice(1)).toEqual(Array.from({ length: 49 }, (_, i) => `b:${i + 2}`));
    expect(closed.items).toEqual([]);
  });

  it('is closed with a code that says so when more waits than may', async () => {
    const a = await startPod('a');
    const { url, gateway } = await startGateway([a.port], { bufferBytes: 10_000 });
    const { client, heard, closed } = await open(url);
    client.send('1');
    await heard.waitFor(1);
    a.stop();
    // The first of them may still go to the pod that is no more.
    while (closed.items.length === 0) {
      client.send('x'.repeat(1_000));
      await turn();
    }
    expect(closed.items).toEqual(['1013 HF_HOLD_FULL']);
    await expect.poll(() => gateway.webSockets).toBe(0);
  });

  it('is closed with a hint when no pod came in time', async () => {
    const a = await startPod('a');
    const { url, gateway } = await startGateway([a.port], { waitMs: 50 });
    const { closed } = await open(url);
    a.stop();
    expect(await closed.waitFor(1)).toEqual(['1013 HF_POD_NONE retry=1000']);
    await expect.poll(() => gateway.webSockets).toBe(0);
  });

  it.each([1000, 1008, 1011, 3000, 4999])('gets the code %i of its application', async (code) => {
    const [a, b] = [await startPod('a'), await startPod('b')];
    const { url } = await startGateway([a.port, b.port]);
    const { closed } = await open(url);
    a.end(code, 'because');
    expect(await closed.waitFor(1)).toEqual([`${code} because`]);
    expect(b.requests).toHaveLength(0);
  });

  it('and its pod hear of no code where the other gives none', async () => {
    const pod = await startPod('a');
    const { url } = await startGateway([pod.port]);
    const first = await open(url);
    const codes = Array.from(pod.server.clients, (socket) => once(socket, 'close').then(([code]) => code as number));
    first.client.close();
    expect([await first.closed.waitFor(1), await Promise.all(codes)]).toEqual([['1005'], [1005]]);
    const second = await open(url);
    for (const socket of pod.server.clients) socket.close();
    expect(await second.closed.waitFor(1)).toEqual(['1005']);
  });

  it('gets another code, or does not, as the route says', async () => {
    const [a, b] = [await startPod('a'), await startPod('b')];
    const { url } = await startGateway([a.port, b.port], { heldCodes: '1011, 4000' });
    const { client, heard, closed } = await open(url);
    a.end(1011);
    client.send('1');
    expect(await heard.waitFor(1)).toEqual(['b:1']);
    b.end(1012);
    expect(await closed.waitFor(1)).toEqual(['1012']);
  });

  it('is closed with a code that says so when the next pod chooses another subprotocol', async () => {
    const choose = (index: number) => ({ handleProtocols: (offered: Set<string>) => [...offered][index] ?? false });
    const [a, b] = [await startPod('a', 0, choose(0)), await startPod('b', 0, choose(1))];
    const { url } = await startGateway([a.port, b.port]);
    const { client, closed } = await open(url, ['one', 'two']);
    expect(client.protocol).toBe('one');
    a.stop();
    expect(await closed.waitFor(1)).toEqual(['1012 HF_POD_PROTOCOL']);
  });

  it('leaves a pod that drains: that one still answers what it has, and the other has the rest', async () => {
    const [a, b] = [await startPod('a'), await startPod('b')];
    const { url, gateway } = await startGateway([a.port, b.port]);
    const { client, heard, closed } = await open(url);
    const answers: string[] = [];
    for (let n = 1; n <= 100; n++) {
      client.send(`${n}`);
      if (n === 50) gateway.pods.drain(`127.0.0.1:${a.port}`);
      answers.push((await heard.waitFor(n)).at(-1) ?? '');
    }
    await expect.poll(() => b.requests.length).toBe(1);
    client.send('101');
    answers.push((await heard.waitFor(101)).at(-1) ?? '');
    expect(answers.map((answer) => Number(answer.slice(2)))).toEqual(Array.from({ length: 101 }, (_, i) => i + 1));
    expect(answers[100]).toBe('b:101');
    expect(closed.items).toEqual([]);
  });

  it('is given up when it is dead, and so is a pod', async () => {
    const [a, b] = [await startPod('a'), await startPod('b')];
    const { keepalive } = testEnvironment();
    const { url, gateway } = await startGateway(
      [a.port, b.port],
      {},
      { keepalive: { ...keepalive, plainPingMs: 40, plainPongMs: 120 } },
    );
    const { client, heard } = await open(url);
    for (const socket of a.server.clients) socket.pause();
    client.send('1');
    // Whether the dead pod had the message nobody knows, and it is not sent again.
    await expect.poll(() => b.requests.length).toBe(1);
    expect(b.headers()['holdfast-unknown']).toBe('1');
    client.send('2');
    expect(await heard.waitFor(1)).toEqual(['b:2']);
    client.pause();
    await expect.poll(() => gateway.webSockets).toBe(0);
  });

  it('may not say what is larger than what may wait', async () => {
    const a = await startPod('a');
    const { url } = await startGateway([a.port], { bufferBytes: 1_000 });
    const { client, closed } = await open(url);
    client.send('x'.repeat(1_001));
    expect(await closed.waitFor(1)).toEqual(['1009 HF_TOO_LARGE']);
  });

  it('can wait for a pod that does not keep up', async () => {
    const a = await startPod('a');
    const { url } = await startGateway([a.port], { bufferBytes: 20_000 });
    const { client, heard, closed } = await open(url);
    for (const socket of a.server.clients) socket.pause();
    for (let n = 1; n <= 1_000; n++) client.send(`${n} ${'x'.repeat(2_000)}`);
    await new Promise((resolve) => setImmediate(resolve));
    for (const socket of a.server.clients) socket.resume();
    expect((await heard.waitFor(1_000)).at(-1)).toContain('a:1000 ');
    expect(closed.items).toEqual([]);
  });

  it('takes nothing down with it: neither a large answer nor its end', async () => {
    const [a, b] = [await startPod('a'), await startPod('b')];
    const { url, gateway } = await startGateway([a.port, b.port]);
    const { client, heard } = await open(url);
    for (const socket of a.server.clients) socket.send('y'.repeat(3_000_000));
    expect((await heard.waitFor(1))[0]).toHaveLength(3_000_000);
    client.close(4000, 'done');
    const [code] = (await once([...a.server.clients].at(0) ?? client, 'close')) as [number];
    expect(code).toBe(4000);
    await expect.poll(() => gateway.webSockets).toBe(0);
    expect(b.requests).toHaveLength(0);
  });

  it('is asked to begin again where it turns out to have a session of holdfast.v1', async () => {
    const choose = { handleProtocols: () => 'holdfast.v1' };
    const [a, b] = [await startPod('a', 0, choose), await startPod('b', 0, choose)];
    const { url, gateway } = await startGateway([a.port, b.port]);
    const { client, heard, closed } = await open(url, ['holdfast.plain', 'holdfast.v1']);
    client.send('hello\n{"window":{"messages":1,"bytes":1},"again":true}');
    await heard.waitFor(1);
    a.stop();
    expect((await heard.waitFor(2))[1]).toMatch(/^again 0 \d+\n$/);
    client.close(4507);
    await closed.waitFor(1);
    await expect.poll(() => gateway.webSockets).toBe(0);
  });
});
