import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type AddressInfo } from 'node:net';
import { deferred, VirtualClock } from '@holdfast/testing';
import { WebSocket, WebSocketServer } from 'ws';
import { afterEach, describe, expect, it } from 'vitest';
import { testEnvironment, testRoute } from './environment.fixture.js';
import { ask, atEnd, echoPod, endAll, httpPod, open, podsAt, say, startGateway } from './gateway.fixture.js';

afterEach(endAll);

const { gateway: policy, limits, drain } = testEnvironment();
const upgrade = (path = '/', more = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
  `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${more}\r\n`;

function fileWith(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-gateway-'));
  atEnd(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'token');
  writeFileSync(path, text);
  return path;
}

describe('limits', () => {
  it('give 429 beyond the connections of an address and 503 beyond those of all or of a route, and the place back', async () => {
    const { port: pod } = await echoPod();
    const routes = [testRoute({ path: '/few', connections: 1 }), testRoute()];
    const { url, port, gateway } = await startGateway({
      pods: podsAt(pod),
      routes,
      limits: { ...limits, connectionsPerAddress: 2 },
    });
    const first = await open(`${url}/few`);
    expect(await say(port, upgrade('/few'))).toMatch(/^HTTP\/1.1 503 [^]*Retry-After: 5[^]*HF_BUSY/);
    await open(url);
    expect(await say(port, upgrade())).toMatch(/^HTTP\/1.1 429 [^]*Retry-After: 5[^]*HF_ADDRESS_LIMIT/);
    first.close();
    await expect.poll(() => gateway.webSockets).toBe(1);
    await open(`${url}/few`);
  });

  it('let new connections in at a rate, and send away who would wait too long', async () => {
    const { port: pod } = await echoPod();
    const clock = new VirtualClock();
    const environment = { pods: podsAt(pod), limits: { ...limits, acceptsPerSecond: 5 } };
    const { url, port } = await startGateway(environment, { clock });
    const ends = { in: 0, away: 0 };
    for (let n = 0; n < 20; n++) {
      open(url).then(
        () => ends.in++,
        () => ends.away++,
      );
    }
    // A burst of 5 at once and a queue of 10.
    await expect.poll(() => ({ ...ends })).toEqual({ in: 5, away: 5 });
    const later = (): typeof ends => {
      clock.advance(200);
      return { ...ends };
    };
    await expect.poll(later).toEqual({ in: 15, away: 5 });
    clock.advance(1_000);
    expect(await say(port, upgrade(), '101')).toContain('101');
  });
});

it('gives the place in the queue of who has gone to the next', async () => {
  const { port: pod } = await echoPod();
  const clock = new VirtualClock();
  const environment = { pods: podsAt(pod), limits: { ...limits, acceptsPerSecond: 1 } };
  const { url, port, gateway } = await startGateway(environment, { clock });
  await open(url);
  const waiting = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  for (const socket of waiting) socket.write(upgrade());
  await expect.poll(() => gateway.sockets).toBe(3);
  expect(await say(port, upgrade())).toMatch(/^HTTP\/1.1 503 /);
  for (const socket of waiting) socket.destroy();
  await expect.poll(() => gateway.sockets).toBe(1);
  let answer = '';
  void say(port, upgrade(), '101').then((heard) => (answer = heard));
  const answered = (): string => {
    clock.advance(1_000);
    return answer;
  };
  await expect.poll(answered).toMatch(/^HTTP\/1.1 101 /);
});

describe('a PROXY protocol listener', () => {
  const listen = [{ host: '127.0.0.1', port: 0, certificates: [], proxyProtocol: true }];
  const address = async (header: string | Buffer): Promise<string | undefined> => {
    const { port: pod } = await httpPod((request, response) =>
      response.end(`from ${String(request.headers['x-real-ip'])}.`),
    );
    const { port } = await startGateway({ pods: podsAt(pod), gateway: { ...policy, listen } });
    const request = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    return /from ([^.]+(?:\.\d+){0,3})\./.exec(await say(port, Buffer.concat([Buffer.from(header), request])))?.[1];
  };
  const v2 = (rest: number[]): Buffer => Buffer.from([13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10, ...rest]);

  it.each([
    ['version 1', 'PROXY TCP4 192.0.2.7 192.0.2.1 5000 80\r\n', '192.0.2.7'],
    ['version 1, IPv6', 'PROXY TCP6 2001:db8::7 2001:db8::1 5000 80\r\n', '2001:db8::7'],
    ['version 1, unknown', 'PROXY UNKNOWN\r\n', '127.0.0.1'],
    ['version 2', v2([0x21, 0x11, 0, 12, 192, 0, 2, 8, 192, 0, 2, 1, 19, 136, 0, 80]), '192.0.2.8'],
    ['version 2, a check of its own', v2([0x20, 0, 0, 0]), '127.0.0.1'],
  ])('takes the address from %s', async (_what, header, expected) => {
    expect(await address(header)).toBe(expected);
  });

  it.each([
    ['no header', ''],
    ['another version', v2([0x31, 0x11, 0, 0])],
    ['a wrong address', 'PROXY TCP4 192.0.2.777 192.0.2.1 5000 80\r\n'],
    ['a long line', `PROXY TCP4 ${'1'.repeat(200)}`],
  ])('closes on %s', async (_what, header) => {
    expect(await address(header)).toBeUndefined();
  });
});

describe('the admin port', () => {
  const admin = { host: '127.0.0.1', port: 0 };
  const token = 'a token of the tests';
  const start = async () => {
    const { port: pod } = await echoPod();
    const tokenFile = fileWith(`${token}\n`);
    const started = await startGateway({ pods: podsAt(pod), gateway: { ...policy, admin: { ...admin, tokenFile } } });
    return { ...started, pod: `127.0.0.1:${pod}`, adminPort: started.gateway.adminAddress?.port ?? 0 };
  };
  const authorization = `Bearer ${token}`;

  it('tells health and metrics to everybody, and the rest to who has the token', async () => {
    const { adminPort, url } = await start();
    await open(url);
    expect((await ask(adminPort, { path: '/healthz' })).status).toBe(200);
    expect((await ask(adminPort, { path: '/readyz' })).status).toBe(200);
    expect((await ask(adminPort, { path: '/metrics' })).body).toContain('holdfast_gateway_websockets 1');
    for (const headers of [{}, { authorization: 'Bearer a token of the test' }]) {
      const answer = await ask(adminPort, { path: '/pods', headers: headers as Record<string, string> });
      expect([answer.status, JSON.parse(answer.body)]).toMatchObject([401, { error: 'HF_ADMIN_TOKEN' }]);
    }
  });

  it('lists pods, adds and removes them, and drains one: what it has is told to go', async () => {
    const { adminPort, url, pod } = await start();
    const client = await open(url);
    const call = async (method: string, path: string, body?: string) => {
      const answer = await ask(adminPort, { method, path, headers: { authorization }, ...(body && { body }) });
      return [answer.status, JSON.parse(answer.body) as object];
    };
    expect(await call('GET', '/pods')).toMatchObject([200, { pods: [{ id: pod, state: 'ready', load: 1 }] }]);
    const { port: other } = await echoPod();
    expect(await call('POST', '/pods', JSON.stringify({ host: '127.0.0.1', port: other }))).toMatchObject([201, {}]);
    expect((await call('POST', '/pods', '{"host":"a b","port":1}'))[0]).toBe(400);
    expect((await call('POST', '/pods', 'no json'))[0]).toBe(400);
    expect(await call('POST', `/pods/${pod}/drain`)).toMatchObject([200, { id: pod }]);
    const [code, reason] = (await once(client, 'close')) as [number, Buffer];
    expect([code, String(reason)]).toEqual([1012, 'HF_MOVED_ON']);
    const next = await open(url);
    next.send('x');
    await once(next, 'message');
    expect(await call('POST', `/pods/${pod}/undrain`)).toMatchObject([200, {}]);
    expect(await call('DELETE', `/pods/127.0.0.1:${other}`)).toMatchObject([200, {}]);
    expect((await call('DELETE', '/pods/nobody:1'))[0]).toBe(404);
    expect((await call('GET', '/nothing'))[0]).toBe(404);
  });
});

it('drains: not ready, then no new connections, and those that are open are told to come back elsewhere', async () => {
  const { port: pod } = await echoPod();
  const { gateway, url } = await startGateway({
    pods: podsAt(pod),
    drain: { ...drain, propagationMs: 0, deadlineMs: 5_000 },
  });
  const clients = await Promise.all(Array.from({ length: 10 }, () => open(url)));
  const closes = clients.map(async (client) => (await once(client, 'close'))[0] as number);
  const drained = gateway.drain();
  expect(gateway.isReady).toBe(false);
  expect(await Promise.all(closes)).toEqual(clients.map(() => 1012));
  await drained;
  await expect(open(url)).rejects.toThrow('ECONNREFUSED');
});

it('takes a new policy without touching what is open', async () => {
  const { port: pod } = await echoPod();
  const { gateway, url, port } = await startGateway({ pods: podsAt(pod), routes: [testRoute({ path: '/old' })] });
  const client = await open(`${url}/old`);
  const listen = [{ ...policy.listen[0], host: '127.0.0.1', port: 0, certificates: [], proxyProtocol: false }];
  await gateway.reload(
    testEnvironment({ pods: podsAt(pod), routes: [testRoute({ path: '/new' })], gateway: { ...policy, listen } }),
  );
  expect(gateway.addresses[0]?.port).toBe(port);
  client.send('still here');
  expect(String((await once(client, 'message'))[0])).toBe('still here');
  await open(`${url}/new`);
  expect((await ask(port, { path: '/old' })).status).toBe(404);
  await expect(
    gateway.reload(testEnvironment({ gateway: { ...policy, trustedProxies: ['nonsense'] } })),
  ).rejects.toThrow('HF_OPTION');
  await open(`${url}/new`);
});

it('takes new limits of requests, and another manner of an address that it keeps, with a new policy', async () => {
  const { port: pod } = await echoPod();
  const { port: at } = await startGateway({ pods: [] });
  const environment = (proxyProtocol: boolean, headerBytes: number, more: typeof policy.listen = []) =>
    testEnvironment({
      pods: podsAt(pod),
      limits: { ...limits, headerBytes },
      gateway: { ...policy, listen: [{ host: '127.0.0.2', port: at, certificates: [], proxyProtocol }, ...more] },
    });
  const { gateway } = await startGateway(environment(false, 1_024));
  const url = `ws://127.0.0.2:${at}`;
  const client = await open(url);
  const long = { 'X-Long': 'x'.repeat(2_000) };
  await expect(open(url, [], long)).rejects.toThrow('431');
  await gateway.reload(environment(false, 8_192));
  await open(url, [], long);
  await gateway.reload(environment(true, 8_192));
  await expect(open(url)).rejects.toThrow('socket hang up');
  // An address that is taken, so nothing of it is taken over.
  const taken = [{ host: '127.0.0.1', port: at, certificates: [], proxyProtocol: false }];
  await expect(gateway.reload(environment(false, 8_192, taken))).rejects.toThrow('HF_LISTEN');
  await expect(open(url)).rejects.toThrow('socket hang up');
  // Two at once, as two signals make them.
  await Promise.all([gateway.reload(environment(true, 1_024)), gateway.reload(environment(false, 1_024))]);
  await open(url);
  client.send('still here');
  expect(String((await once(client, 'message'))[0])).toBe('still here');
});

it('ends connections at the longest age of their route, and those that are silent too long, with a close frame', async () => {
  const { port: pod } = await echoPod();
  const routes = [testRoute({ path: '/old', maxAgeMs: 100 }), testRoute({ path: '/idle', readMs: 100 })];
  const { url } = await startGateway({ pods: podsAt(pod), routes });
  const close = async (path: string) => {
    const [code, reason] = (await once(await open(url + path), 'close')) as [number, Buffer];
    return [code, String(reason)];
  };
  expect(await close('/old')).toEqual([1012, 'HF_MOVED_ON']);
  expect(await close('/idle')).toEqual([1001, 'HF_IDLE']);
});

describe('a WebSocket whose pod has not answered its handshake yet', () => {
  /** A pod that answers when it is told to. */
  async function slowPod() {
    const asked = deferred<(isWelcome: boolean) => void>();
    const server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      verifyClient: (_info, done) => asked.resolve(done),
    });
    await once(server, 'listening');
    atEnd(() => {
      for (const client of server.clients) client.terminate();
      server.close();
    });
    return { asked: asked.promise, port: (server.address() as AddressInfo).port };
  }

  it.each(['relay', 'soft', 'hold'] as const)('is told when the gateway ends meanwhile: %s', async (carry) => {
    const slow = await slowPod();
    const { gateway, url } = await startGateway(
      {
        pods: podsAt(slow.port),
        routes: [testRoute({ carry })],
        drain: { ...drain, propagationMs: 0 },
      },
      { random: () => 0 },
    );
    const client = new WebSocket(url);
    atEnd(() => client.terminate());
    const answer = await slow.asked;
    const drained = gateway.drain();
    await expect.poll(async () => ask(gateway.addresses[0]?.port ?? 0).catch(() => 'refused')).toBe('refused');
    answer(true);
    const [code] = (await once(client, 'close')) as [number];
    expect(code).toBe(1012);
    await drained;
  });

  it.each(['relay', 'soft', 'hold'] as const)('leaves a pod that began to drain meanwhile: %s', async (carry) => {
    const [slow, other] = [await slowPod(), await echoPod()];
    const clock = new VirtualClock();
    const environment = { pods: podsAt(slow.port), routes: [testRoute({ carry })] };
    const { gateway, url } = await startGateway(environment, { clock });
    const client = new WebSocket(url);
    atEnd(() => client.terminate());
    const answer = await slow.asked;
    gateway.pods.add({ host: '127.0.0.1', port: other.port });
    gateway.pods.drain(`127.0.0.1:${slow.port}`);
    clock.advance(1_000);
    answer(true);
    const isWithOther = (): boolean => {
      clock.advance(100);
      return other.pod.clients.size === 1;
    };
    if (carry === 'hold') await expect.poll(isWithOther).toBe(true);
    else expect(((await once(client, 'close')) as [number])[0]).toBe(1012);
  });
});

it('writes who, where, how long, how much and why into its log, and no secret', async () => {
  const { port: pod } = await echoPod();
  let log = '';
  const { url, gateway, port } = await startGateway(
    { pods: podsAt(pod), gateway: { ...policy, accessLog: 'json' } },
    { output: (text) => (log += text) },
  );
  const client = await open(`${url}/chat?token=secret&hf=abc`);
  client.send('hello');
  await once(client, 'message');
  client.close(4001, 'bye');
  await once(client, 'close');
  await expect.poll(() => gateway.webSockets).toBe(0);
  await expect.poll(() => log).toContain('\n');
  expect(log).not.toContain('secret');
  expect(JSON.parse(log)).toMatchObject({
    kind: 'websocket',
    client: '127.0.0.1',
    target: '/chat?hf=abc',
    status: 101,
    upstream: `127.0.0.1:${pod}`,
    messagesIn: 1,
    messagesOut: 1,
    closeCode: 4001,
    closedBy: 'client',
    cause: 'closed',
  });
  log = '';
  const headers = { Referer: 'https://a.test/page?secret', 'User-Agent': 'a'.repeat(1_000) };
  (await open(`${url}/`, [], headers)).close();
  await expect.poll(() => log).toContain('\n');
  expect(log).not.toContain('secret');
  expect((JSON.parse(log) as { agent: string }).agent).toBe('a'.repeat(256));
  log = '';
  await say(port, 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 'HF_REQUEST');
  await expect.poll(() => log).toContain('"cause":"HF_REQUEST"');
  log = '';
  const [, body = ''] = (await say(port, 'no request\r\n\r\n')).split('\r\n\r\n');
  await expect.poll(() => log).toContain('\n');
  const { requestId } = JSON.parse(body) as { requestId: string };
  expect(JSON.parse(log)).toMatchObject({ id: requestId, client: '127.0.0.1', status: 400, cause: 'HF_REQUEST' });
});

it('counts in its log the bytes of answers that are no WebSocket, its own and those of pods', async () => {
  const { port: pod } = await httpPod(
    (_request, response) => void response.writeHead(403, { 'Content-Length': 7 }).end('not you'),
  );
  let log = '';
  const { port, gateway } = await startGateway(
    {
      pods: podsAt(pod),
      gateway: { ...policy, accessLog: 'json' },
      routes: [testRoute({ path: '/ws' }), testRoute({ path: '/held', carry: 'hold' }), testRoute({ kind: 'rest' })],
    },
    { output: (text) => (log += text) },
  );
  const counted = async (request: string): Promise<string> => {
    log = '';
    const [head = '', body = ''] = (await say(port, request)).split('\r\n\r\n');
    await expect.poll(() => log).toContain('\n');
    expect((JSON.parse(log) as { bytesOut: number }).bytesOut).toBe(Buffer.byteLength(body));
    return `${head.split(' ')[1]} ${/not you|HF_\w+/.exec(body)?.[0]}`;
  };
  const requests = [upgrade('/ws'), upgrade('/held'), 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'];
  for (const request of requests) expect(await counted(request)).toBe('403 not you');
  gateway.pods.remove(`127.0.0.1:${pod}`);
  for (const request of requests) expect(await counted(request)).toBe('503 HF_POD_NONE');
});

it('writes from where a client came like nginx, without the query', async () => {
  const { port: pod } = await echoPod();
  let log = '';
  const { url } = await startGateway(
    { pods: podsAt(pod), gateway: { ...policy, accessLog: 'nginx' } },
    { output: (text) => (log += text) },
  );
  (await open(url, [], { Referer: 'https://a.test/page?secret' })).close();
  await expect.poll(() => log).toContain('"https://a.test/page"');
  expect(log).not.toContain('secret');
});

it('answers no handshake that comes behind a request which is not answered yet', async () => {
  const { port: pod } = await httpPod(() => undefined);
  const { port, gateway } = await startGateway({
    pods: podsAt(pod),
    routes: [testRoute({ path: '/ws' }), testRoute({ kind: 'rest' })],
  });
  expect(await say(port, `GET /slow HTTP/1.1\r\nHost: a\r\n\r\n${upgrade('/ws')}`)).toBe('');
  await expect.poll(() => gateway.sockets).toBe(0);
});
