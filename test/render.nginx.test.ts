import { freePort, until } from '@holdfast/testing';
import { render } from '@holdfast/hops';
import type { Environment, Policy } from '@holdfast/policy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environment, hop, policyOf, pods } from '../packages/hops/src/render/environment.fixture.js';
import { Backend, type Heard } from './backends.fixture.js';
import { carriesTraffic, from, TRAFFIC_ROUTES } from './traffic.fixture.js';
import { backendOf, handshake } from './handshake.fixture.js';
import { worked } from '../packages/hops/src/render/worked.fixture.js';
import { certificate, directoryOf, Proxy, verdictOf } from './proxies.fixture.js';

const trusting = { ...environment().gateway, trustedProxies: ['127.0.0.0/8'] };

/** The rendered files, with the paths and the port of one machine in place of those of a server. */
const filesOf = (env: Environment, redirectPort = 0): Record<string, string> =>
  rendered(policyOf(env), env, redirectPort);

function rendered(policy: Policy, env: Environment, redirectPort: number): Record<string, string> {
  const [rendering] = render(policy, env, ['nginx']);
  const files = (rendering?.files ?? []).map(({ path, text }) => {
    const here = text
      .replaceAll('/var/log/nginx/', 'logs/')
      .replace('/run/nginx.pid', 'nginx.pid')
      .replace('listen 80;', `listen ${redirectPort};`);
    return [path.replace('nginx/', ''), here] as const;
  });
  return Object.fromEntries(files);
}

async function started(given: Partial<Environment>): Promise<{ proxy: Proxy; port: number }> {
  const port = await freePort();
  const env = environment({ hosts: [], hops: [hop('nginx', { port })], ...given });
  return { port, proxy: await Proxy.nginx(directoryOf(filesOf(env)), port) };
}

describe('a rendered nginx.conf', () => {
  let backends: Backend[];
  let proxy: Proxy;
  let port: number;
  let url: string;

  beforeAll(async () => {
    backends = await Promise.all(['a', 'b', 'c'].map((name) => Backend.start(name)));
    ({ proxy, port } = await started({
      pods: pods(...backends.map((backend) => backend.port)),
      gateway: trusting,
      routes: TRAFFIC_ROUTES,
      limits: { ...environment().limits, bodyBytes: 1000 },
      health: { ...environment().health, failTimeoutMs: 1000 },
    }));
    url = `ws://127.0.0.1:${port}`;
  });

  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    for (const backend of backends) await backend[Symbol.asyncDispose]();
  });

  carriesTraffic(() => ({ url, backends }));

  it('carries REST beside it, without an upgrade', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/api/things`, { headers: from('203.0.113.8') });
    const heard = (await response.json()) as Heard;
    expect(heard.url).toBe('/api/things');
    expect(heard.headers).toMatchObject({ 'x-forwarded-for': '203.0.113.8' });
    expect(heard.headers.upgrade).toBeUndefined();
    expect(heard.headers.connection ?? '').not.toContain('upgrade');
  });

  it('gives a cookie with all its attributes, and keeps who has it on the pod of the first handshake', async () => {
    const first = await handshake(`${url}/by-cookie`);
    if (!first.socket) throw new Error(`refused: ${first.status}`);
    first.socket.close();
    expect(first.setCookie).toHaveLength(1);
    expect(first.setCookie[0]).toMatch(/^SERVERID=\w{32}; Path=\/; Max-Age=86400; HttpOnly; Secure; SameSite=None$/);
    const cookie = first.setCookie[0]?.split(';')[0] ?? '';
    const again = await Promise.all(Array.from({ length: 8 }, () => handshake(`${url}/by-cookie`, { cookie })));
    for (const shaken of again) {
      if (!shaken.socket) throw new Error(`refused: ${shaken.status}`);
      expect(shaken.heard.backend).toBe(first.heard.backend);
      expect(shaken.setCookie, 'a cookie that is there is not given again').toHaveLength(0);
      shaken.socket.close();
    }
    const others = await Promise.all(Array.from({ length: 30 }, () => backendOf(`${url}/by-cookie`)));
    expect(new Set(others).size).toBe(3);
  });

  it('answers in JSON where no pod does', async () => {
    const missing = await fetch(`http://127.0.0.1:${port}/nowhere`);
    expect(missing.status).toBe(404);
    expect(missing.headers.get('content-type')).toBe('application/json');
    expect(await missing.json()).toEqual({ error: { status: 404, message: 'not found' } });
    const large = await fetch(`http://127.0.0.1:${port}/api`, { method: 'POST', body: 'x'.repeat(2000) });
    expect(large.status).toBe(413);
    expect(await large.json()).toEqual({ error: { status: 413, message: 'too large' } });
  });

  it('answers for itself whether it lives, and lets a pod say whether anything is ready', async () => {
    const live = await fetch(`http://127.0.0.1:${port}/healthz`);
    expect([live.status, await live.text()]).toEqual([200, 'ok\n']);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  });

  it('logs each WebSocket with its pod, its duration and no query', async () => {
    await backendOf(`${url}/ws/logged?token=secret`, from('203.0.113.9'));
    const entry = await until(() => proxy.accessLog('chat.access.log').find(({ path }) => path === '/ws/logged'));
    expect(entry).toMatchObject({ client: '203.0.113.9', status: 101, upgrade: 'websocket', method: 'GET' });
    expect(backends.map((backend) => `127.0.0.1:${backend.port}`)).toContain(entry['upstream']);
    expect(entry['duration_s']).toBeTypeOf('number');
    expect(JSON.stringify(proxy.accessLog('chat.access.log'))).not.toContain('secret');
  });
});

describe('the limits of a rendered nginx.conf', () => {
  it('refuse one connection too many of an address with 429, in JSON, and say when to come back', async () => {
    await using backend = await Backend.start('a');
    const limits = { ...environment().limits, connectionsPerAddress: 3 };
    const { proxy, port } = await started({ pods: pods(backend.port), limits, gateway: trusting });
    await using _ = proxy;
    const url = `ws://127.0.0.1:${port}/ws`;
    const open = await Promise.all(Array.from({ length: 3 }, () => handshake(url)));
    expect(open.map(({ status }) => status)).toEqual([101, 101, 101]);
    const refused = await handshake(url);
    if (refused.socket) throw new Error('the fourth was let in');
    expect(refused.status).toBe(429);
    expect(JSON.parse(refused.body)).toEqual({ error: { status: 429, message: 'too many connections or requests' } });
    expect(refused.headers['retry-after']).toBe('5');
    expect((await handshake(url, from('192.0.2.1'))).status, 'another address has its own').toBe(101);
    for (const { socket } of open) socket?.terminate();
  });

  it('slow a storm of new connections down to the rate, and refuse nobody', async () => {
    await using backend = await Backend.start('a');
    const limits = { ...environment().limits, acceptsPerSecond: 5 };
    const { proxy, port } = await started({ pods: pods(backend.port), limits });
    await using _ = proxy;
    const startedMs = performance.now();
    const all = await Promise.all(Array.from({ length: 15 }, () => handshake(`ws://127.0.0.1:${port}/ws`)));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([101]));
    expect(performance.now() - startedMs).toBeGreaterThan(1000);
    for (const { socket } of all) socket?.terminate();
  });

  it('refuse with 429 who would wait longer than clients do', async () => {
    await using backend = await Backend.start('a');
    const limits = { ...environment().limits, acceptsPerSecond: 2 };
    const connect = { ...environment().connect, connectMs: 1000 };
    const { proxy, port } = await started({ pods: pods(backend.port), limits, connect });
    await using _ = proxy;
    const all = await Promise.all(Array.from({ length: 12 }, () => handshake(`ws://127.0.0.1:${port}/ws`)));
    const statuses = all.map(({ status }) => status);
    expect(statuses.filter((status) => status === 101).length).toBeGreaterThanOrEqual(3);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(4);
    for (const { socket } of all) socket?.terminate();
  });

  it('leave the address that a stranger claims out of account', async () => {
    await using backend = await Backend.start('a');
    const { proxy, port } = await started({ pods: pods(backend.port) });
    await using _ = proxy;
    const shaken = await handshake(`ws://127.0.0.1:${port}/ws`, from('203.0.113.7'));
    if (!shaken.socket) throw new Error(`refused: ${shaken.status}`);
    expect(shaken.heard.headers['x-forwarded-for']).toBe('127.0.0.1');
    shaken.socket.terminate();
  });

  it('are told in JSON as well when every pod is down', async () => {
    const { proxy, port } = await started({ pods: pods(await freePort(), await freePort()) });
    await using _ = proxy;
    const refused = await handshake(`ws://127.0.0.1:${port}/ws`);
    if (refused.socket) throw new Error('nobody is there');
    expect(refused.status).toBe(502);
    expect(JSON.parse(refused.body)).toEqual({ error: { status: 502, message: 'no pod answered' } });
    expect(refused.headers['retry-after']).toBe('5');
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 'nginx itself lives').toBe(200);
  });
});

describe('TLS of a rendered nginx.conf', () => {
  it('carries WebSockets, and sends what comes in plain to it', async () => {
    await using backend = await Backend.start('a');
    using tls = certificate();
    const [port, plain] = [await freePort(), await freePort()];
    const env = environment({
      hosts: ['localhost'],
      hops: [hop('nginx', { port })],
      pods: pods(backend.port),
      tls: { secrets: new Map(), certificate: tls.certificate, key: tls.key },
    });
    await using _ = await Proxy.nginx(directoryOf(filesOf(env, plain)), port, plain);
    const shaken = await handshake(`wss://localhost:${port}/ws`);
    if (!shaken.socket) throw new Error(`refused: ${shaken.status}`);
    expect(shaken.heard.headers['x-forwarded-proto']).toBe('https');
    shaken.socket.terminate();
    const redirected = await fetch(`http://localhost:${plain}/api?x=1`, { redirect: 'manual' });
    expect([redirected.status, redirected.headers.get('location')]).toEqual([308, 'https://localhost/api?x=1']);
  });
});

describe('the worked policy whose pods are known', () => {
  it.each(['by-address', 'by-header'])(
    'is accepted by nginx without a warning, and carries its WebSocket path: %s',
    async (name) => {
      using tls = certificate();
      await using backend = await Backend.start('a');
      const [port, plain] = [await freePort(), await freePort()];
      const policy = worked('three-instances');
      const env = policy.environments.get(name);
      if (!env) throw new Error(`no environment ${name}`);
      const files = Object.entries(rendered(policy, env, plain)).map(([path, text]) => {
        const here = text
          .replaceAll('/etc/letsencrypt/live/api.x-or.cloud/fullchain.pem', tls.certificate)
          .replaceAll('/etc/letsencrypt/live/api.x-or.cloud/privkey.pem', tls.key)
          .replace('listen 443 ssl;', `listen ${port} ssl;`)
          .replaceAll(/127\.0\.0\.1:300[345]/g, `127.0.0.1:${backend.port}`);
        return [path, here] as const;
      });
      const directory = directoryOf(Object.fromEntries(files));
      const said = verdictOf('nginx', '-t', '-p', directory, '-c', `${directory}/nginx.conf`, '-e', 'stderr');
      expect(said).toContain('test is successful');
      expect(said).not.toContain('[warn]');

      await using _ = await Proxy.nginx(directory, port, plain);
      const shaken = await handshake(`wss://127.0.0.1:${port}/dev/aiwm/chat`, { host: 'api.x-or.cloud' });
      if (!shaken.socket) throw new Error(`refused: ${shaken.status}`);
      expect(shaken.heard.headers.upgrade).toBe('websocket');
      shaken.socket.terminate();
    },
  );
});
