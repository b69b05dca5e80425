import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { decode, DEFAULT_POLICY, encode, isFault, type Frame } from '@holdfast/protocol';
import { collect } from '@holdfast/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer, type ServerOptions } from 'ws';
import { testEnvironment, testRoute } from '../../environment.fixture.js';
import { Gateway } from '../../gateway.js';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).reverse()) await end();
});

/** A pod that welcomes everybody, and of which a test says what else it does. */
class TestPod {
  readonly heard: string[] = [];
  readonly server: WebSocketServer;
  /** Answers a first frame. */
  answers = true;

  constructor(
    readonly name: string,
    options: ServerOptions = {},
  ) {
    this.server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      handleProtocols: (offered) => [...offered].at(-1) ?? false,
      ...options,
    });
    this.server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.on('message', (data: Buffer) => this.#hear(socket, String(data)));
    });
    leftovers.push(() => this.kill());
  }

  #hear(socket: WebSocket, text: string): void {
    this.heard.push(text.replace(/\n\{.*/s, '').trim());
    const frame = decode(text, false);
    if (!this.answers || isFault(frame)) return;
    const { name: pod } = this;
    const common = { token: 'k', epoch: 'e', pod, policy: DEFAULT_POLICY };
    if (frame.type === 'hello') sayTo(socket, { type: 'welcome', body: { session: 's', ...common } });
    if (frame.type === 'resume') {
      sayTo(socket, { type: 'resumed', body: { ...common, received: 0, offset: 0, end: 0, topics: [] } });
    }
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  say(frame: Frame): void {
    for (const socket of this.server.clients) sayTo(socket, frame);
  }

  close(code: number, reason = ''): void {
    for (const socket of this.server.clients) socket.close(code, reason);
  }

  /** As SIGKILL. */
  kill(): void {
    for (const socket of this.server.clients) rawOf(socket).resetAndDestroy();
    this.server.close();
  }
}

const rawOf = (socket: WebSocket) =>
  (socket as unknown as { _socket: { resetAndDestroy(): void; write(bytes: Buffer): void } })._socket;
const sayTo = (socket: WebSocket, frame: Frame): void => socket.send(encode(frame).data);

async function startPods<T extends string>(...names: T[]): Promise<TestPod[]> {
  const pods = names.map((name) => new TestPod(name));
  await Promise.all(pods.map((pod) => once(pod.server, 'listening')));
  return pods;
}

/** The pods are taken in their order. */
async function startGateway(pods: readonly TestPod[], route = {}, more = {}) {
  const gateway = new Gateway(
    testEnvironment({
      pods: pods.map(({ port }, i) => ({ host: '127.0.0.1', port, weight: 1, backup: i > 0 })),
      routes: [testRoute({ carry: 'soft', ...route })],
      ...more,
    }),
  );
  await gateway.start();
  leftovers.push(() => gateway.close());
  return { gateway, url: `ws://127.0.0.1:${gateway.addresses[0]?.port}/` };
}

const window = { messages: 10, bytes: 1_000 };
const hello = (again?: boolean): Frame => ({ type: 'hello', body: { window, ...(again !== undefined && { again }) } });
const resume = (attempt: number): Frame => ({
  type: 'resume',
  body: { session: 's', token: 'k', attempt, epoch: 'e', received: 0, topics: [], window, again: true },
});

/** A client by hand, after its first frame. */
async function open(url: string, first = hello(true)) {
  const client = new WebSocket(url, ['holdfast.plain', 'holdfast.v1']);
  leftovers.push(() => client.terminate());
  const heard = collect(client, 'message', {
    map: (data: Buffer) =>
      String(data)
        .replace(/\n\{.*/s, '')
        .trim(),
  });
  const closed = collect(client, 'close', {
    map: (code: number, reason: Buffer) => `${code} ${String(reason)}`.trim(),
  });
  await once(client, 'open');
  sayTo(client, first);
  return { client, heard, closed };
}

const say = (n: number): Frame => ({ type: 'm', n, ack: 0, data: `${n}`, binary: false });

describe('a session that is led from pod to pod', () => {
  it('begins again on the connection that it has when its pod is killed', async () => {
    const [a, b] = (await startPods('a', 'b')) as [TestPod, TestPod];
    const { url, gateway } = await startGateway([a, b]);
    const { client, heard, closed } = await open(url);
    await heard.waitFor(1);
    a.kill();
    expect((await heard.waitFor(2))[1]).toMatch(/^again 0 \d+$/);
    // What it had said before it heard of that is not for the next pod.
    sayTo(client, say(1));
    sayTo(client, resume(2));
    sayTo(client, say(1));
    expect((await heard.waitFor(3))[2]).toBe('resumed');
    await expect.poll(() => b.heard).toEqual(['resume', 'm 1 0\n1']);
    client.close(4507);
    await closed.waitFor(1);
    await expect.poll(() => gateway.webSockets).toBe(0);
  });

  it('leaves a pod that drains when the next one has answered, and does not hear of the drain', async () => {
    const [a, b] = (await startPods('a', 'b')) as [TestPod, TestPod];
    const { url } = await startGateway([a, b]);
    const { client, heard, closed } = await open(url);
    await heard.waitFor(1);
    const left = once([...a.server.clients].at(0) ?? client, 'close') as Promise<[number]>;
    b.answers = false;
    a.say({ type: 'drain', afterMs: 0, withinMs: 5 });
    expect((await heard.waitFor(2))[1]).toBe('again 0 0');
    // Until then the pod before is there, and has what the client says; what it says itself is nobody's any more.
    a.say(say(7));
    sayTo(client, say(1));
    await expect.poll(() => a.heard).toEqual(['hello', 'm 1 0\n1']);
    b.answers = true;
    sayTo(client, resume(2));
    expect((await heard.waitFor(3))[2]).toBe('resumed');
    expect((await left)[0]).toBe(4507);
    // The fence of the pod before is not shown either.
    expect([heard.items.length, closed.items]).toEqual([3, []]);
  });

  it('leaves a pod that somebody drains', async () => {
    const [a, b] = (await startPods('a', 'b')) as [TestPod, TestPod];
    const { url, gateway } = await startGateway([a, b]);
    const { heard } = await open(url);
    await heard.waitFor(1);
    gateway.pods.drain(`127.0.0.1:${a.port}`);
    expect((await heard.waitFor(2))[1]).toBe('again 0 0');
    expect(b.server.clients.size).toBe(1);
  });

  it('goes on to a third pod when the second dies before it has answered, or says that it cannot', async () => {
    const [a, b, c] = (await startPods('a', 'b', 'c')) as [TestPod, TestPod, TestPod];
    b.answers = false;
    const { url } = await startGateway([a, b, c]);
    const { client, heard } = await open(url);
    await heard.waitFor(1);
    a.kill();
    await heard.waitFor(2);
    sayTo(client, resume(2));
    await expect.poll(() => b.heard).toEqual(['resume']);
    b.close(1013, 'HF_BUSY retry=100');
    expect((await heard.waitFor(3))[2]).toMatch(/^again/);
    sayTo(client, resume(3));
    expect((await heard.waitFor(4))[3]).toBe('resumed');
    expect(c.heard).toEqual(['resume']);
  });

  it('gets what is left of a message of which a pod has said half, and only then is led on', async () => {
    const [a, b] = (await startPods('a', 'b')) as [TestPod, TestPod];
    const { url } = await startGateway([a, b]);
    const { client, heard } = await open(url);
    await heard.waitFor(1);
    const [socket] = a.server.clients;
    const text = Buffer.from(`m 1 0\n${'x'.repeat(99_994)}`);
    const header = Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 1, 0x86, 0xa0]);
    a.say({ type: 'drain', afterMs: 0, withinMs: 0 });
    rawOf(socket ?? client).write(Buffer.concat([header, text.subarray(0, 80_000)]));
    await expect.poll(() => b.server.clients.size).toBe(1);
    rawOf(socket ?? client).write(text.subarray(80_000));
    const [, message, again] = await heard.waitFor(3);
    expect([message?.length, again]).toEqual([100_000, 'again 0 0']);
  });

  it('has its heartbeat answered while there is no pod, and is told with a hint when none comes', async () => {
    const [a] = (await startPods('a')) as [TestPod];
    const { url, gateway } = await startGateway([a], { hold: { ...testRoute().hold, waitMs: 300 } });
    const { client, heard, closed } = await open(url);
    await heard.waitFor(1);
    a.kill();
    await expect
      .poll(() => {
        sayTo(client, { type: 'ping', stamp: 77, ack: 0 });
        return heard.items.at(-1);
      })
      .toBe('pong 77 0');
    expect(await closed.waitFor(1)).toEqual(['1013 HF_POD_NONE retry=1000']);
    await expect.poll(() => gateway.webSockets).toBe(0);
  });
});

describe('a session whose connection has to be another one', () => {
  it('is asked to make it first, because the gateway ends, and is closed with 1012 when it does not', async () => {
    const [a] = (await startPods('a')) as [TestPod];
    const { connect, drain } = testEnvironment();
    const quick = { connect: { ...connect, closeMs: 300 }, drain: { ...drain, propagationMs: 0 } };
    const { gateway, url } = await startGateway([a], {}, quick);
    const { client, heard, closed } = await open(url);
    await heard.waitFor(1);
    await expect.poll(() => a.heard).toEqual(['hello']);
    const drained = gateway.drain();
    expect((await heard.waitFor(2))[1]).toBe('drain 0 30');
    // Until it leaves it is served.
    sayTo(client, say(1));
    await expect.poll(() => a.heard).toEqual(['hello', 'm 1 0\n1']);
    expect(await closed.waitFor(1)).toEqual(['1012 HF_MOVED_ON']);
    await drained;
  });

  it('is asked to make it first, because it is old', async () => {
    const [a] = (await startPods('a')) as [TestPod];
    const { gateway, url } = await startGateway([a], { maxAgeMs: 100 });
    const { client, heard, closed } = await open(url);
    expect((await heard.waitFor(2))[1]).toBe('drain 0 1000');
    client.close(4507);
    await closed.waitFor(1);
    await expect.poll(() => gateway.webSockets).toBe(0);
  });
});

describe('a session that cannot be led on', () => {
  it('is closed with 1012 where its client does not know how to begin again', async () => {
    const [a, b] = (await startPods('a', 'b')) as [TestPod, TestPod];
    const { url } = await startGateway([a, b]);
    const { heard, closed } = await open(url, hello());
    await heard.waitFor(1);
    a.say({ type: 'drain', afterMs: 1, withinMs: 2 });
    expect((await heard.waitFor(2))[1]).toBe('drain 1 2');
    a.kill();
    expect(await closed.waitFor(1)).toEqual(['1012 HF_POD_LOST']);
  });

  it('is closed with 1012 in the middle of a large message', async () => {
    const [a, b] = (await startPods('a', 'b')) as [TestPod, TestPod];
    const { url } = await startGateway([a, b]);
    const { client, heard, closed } = await open(url);
    await heard.waitFor(1);
    const [socket] = a.server.clients;
    rawOf(socket ?? client).write(
      Buffer.concat([Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 1, 0x86, 0xa0]), Buffer.alloc(80_000, 'm')]),
    );
    const raw = rawOf(client) as unknown as { bytesRead: number };
    await expect.poll(() => raw.bytesRead).toBeGreaterThan(80_000);
    a.kill();
    expect(await closed.waitFor(1)).toEqual(['1012 HF_POD_LOST']);
  });

  it.each([4502, 4503, 4500, 1000, 4508])('hears the verdict %i of its pod', async (code) => {
    const [a, b] = (await startPods('a', 'b')) as [TestPod, TestPod];
    const { url } = await startGateway([a, b]);
    const { heard, closed } = await open(url);
    await heard.waitFor(1);
    a.close(code, 'HF_X');
    expect(await closed.waitFor(1)).toEqual([`${code} HF_X`]);
    expect(b.server.clients.size).toBe(0);
  });

  it('is closed when pod after pod takes it and does not answer', async () => {
    const pods = await startPods('a', 'b');
    const { url } = await startGateway(pods);
    const { client, heard, closed } = await open(url);
    await heard.waitFor(1);
    for (const pod of pods) pod.answers = false;
    client.on('message', (data: Buffer) => {
      if (String(data).startsWith('again')) sayTo(client, resume(heard.items.length));
    });
    for (const { server } of pods) {
      server.on('connection', (socket) => socket.once('message', () => socket.close(1012, 'HF_X')));
    }
    pods[0]?.close(1012);
    expect(await closed.waitFor(1)).toEqual(['1012 HF_X']);
    // Each had been told by `again`.
    expect(heard.items.filter((text) => text.startsWith('again')).length).toBeLessThan(10);
  });

  it('is passed as it is where the pod does not speak holdfast.v1', async () => {
    const plain = new TestPod('plain', { handleProtocols: () => 'holdfast.plain' });
    await once(plain.server, 'listening');
    const { url } = await startGateway([plain]);
    const { client, closed } = await open(url);
    const heard = collect(client, 'message', { map: (data: Buffer) => String(data) });
    for (const socket of plain.server.clients) socket.send('drain 1 2\n');
    expect(await heard.waitFor(1)).toEqual(['drain 1 2\n']);
    plain.kill();
    expect(await closed.waitFor(1)).toEqual(['1012 HF_POD_LOST']);
  });

  it('is closed with 1002 or 1009 for what is no WebSocket, or too large', async () => {
    const [a] = (await startPods('a')) as [TestPod];
    const { url } = await startGateway([a]);
    const wrong = await open(url);
    rawOf(wrong.client).write(Buffer.from([0x81, 1, 65]));
    expect(await wrong.closed.waitFor(1)).toEqual(['1002 HF_UPGRADE']);
    const large = await open(url);
    large.client.send(Buffer.alloc(16_777_217));
    expect(await large.closed.waitFor(1)).toEqual(['1009 HF_TOO_LARGE']);
  });
});
