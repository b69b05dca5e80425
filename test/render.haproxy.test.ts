import { once } from 'node:events';
import { freePort, until } from '@holdfast/testing';
import { render } from '@holdfast/hops';
import type { Environment } from '@holdfast/policy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environment, hop, policyOf, pods } from '../packages/hops/src/render/environment.fixture.js';
import { Backend, type Heard } from './backends.fixture.js';
import { carriesTraffic, from, TRAFFIC_ROUTES } from './traffic.fixture.js';
import { backendOf, handshake } from './handshake.fixture.js';
import { worked } from '../packages/hops/src/render/worked.fixture.js';
import { certificate, directoryOf, haproxyVerdict, Proxy } from './proxies.fixture.js';

/** Fewer than a shell may have files open. */
const limits = { ...environment().limits, connections: 1000 };
const trusting = { ...environment().gateway, trustedProxies: ['127.0.0.0/8'] };

/** The rendered file, with the paths and the ports of one machine in place of those of a server. */
function filesOf(env: Environment, both = '', redirectPort = 0): Record<string, string> {
  const [file] = render(policyOf(env), env, ['haproxy'])[0]?.files ?? [];
  const text = file?.text
    .replaceAll('/etc/haproxy/certs/chat.pem', both)
    .replace('bind :80\n', `bind :${redirectPort}\n`);
  return { 'haproxy.cfg': text ?? '' };
}

async function started(given: Partial<Environment>): Promise<{ proxy: Proxy; port: number }> {
  const port = await freePort();
  const hops = [...(given.hops ?? []), hop('haproxy', { port })];
  const health = { ...environment().health, intervalMs: 200, timeoutMs: 500, slowStartMs: 500 };
  const env = environment({ hosts: [], health, limits, ...given, hops });
  return { port, proxy: await Proxy.haproxy(directoryOf(filesOf(env)), port) };
}

function logOf(proxy: Proxy): Record<string, unknown>[] {
  const lines = proxy.process.stdout.kept.filter((line) => line.includes('{"time"'));
  return lines.map((line) => JSON.parse(line.slice(line.indexOf('{'))) as Record<string, unknown>);
}

describe('a rendered haproxy.cfg', () => {
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
    }));
    url = `ws://127.0.0.1:${port}`;
  });

  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    for (const backend of backends) await backend[Symbol.asyncDispose]();
  });

  carriesTraffic(() => ({ url, backends }));

  it('carries REST beside it, and no path that only begins alike', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/api/things`, { headers: from('203.0.113.8') });
    const heard = (await response.json()) as Heard;
    expect(heard).toMatchObject({ url: '/api/things', headers: { 'x-forwarded-for': '203.0.113.8' } });
    expect((await fetch(`http://127.0.0.1:${port}/apis`)).status).toBe(404);
  });

  it('gives a cookie with all its attributes, and keeps who has it on the pod of the first handshake', async () => {
    const first = await handshake(`${url}/by-cookie`);
    if (!first.socket) throw new Error(`refused: ${first.status}`);
    first.socket.close();
    expect(first.setCookie).toEqual([expect.stringMatching(/^SERVERID=pod-[123]; path=\/;/)]);
    for (const attribute of ['HttpOnly', 'Secure', 'SameSite=None', 'Max-Age=86400']) {
      expect(first.setCookie[0]).toContain(`; ${attribute}`);
    }
    const cookie = first.setCookie[0]?.split(';')[0] ?? '';
    const again = await Promise.all(Array.from({ length: 8 }, () => backendOf(`${url}/by-cookie`, { cookie })));
    expect(new Set(again)).toEqual(new Set([first.heard.backend]));
    const others = await Promise.all(Array.from({ length: 30 }, () => backendOf(`${url}/by-cookie`)));
    expect(new Set(others).size).toBe(3);
  });

  it('answers in JSON where no pod does', async () => {
    const missing = await fetch(`http://127.0.0.1:${port}/nowhere`);
    expect(missing.status).toBe(404);
    expect(missing.headers.get('content-type')).toBe('application/json');
    expect(await missing.json()).toEqual({ error: { status: 404, message: 'not found' } });
  });

  it('answers for itself whether it lives, and lets a pod say whether anything is ready', async () => {
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  });

  it('logs each WebSocket with its pod, its duration and no query', async () => {
    await backendOf(`${url}/ws/logged?token=secret`, from('203.0.113.9'));
    const entry = await until(() => logOf(proxy).find(({ path }) => path === '/ws/logged'));
    expect(entry).toMatchObject({
      client: '203.0.113.9',
      status: 101,
      upgrade: 'websocket',
      method: 'GET',
      backend: 'chat-ws-ws',
    });
    expect(entry['upstream']).toMatch(/^pod-[123]$/);
    expect(entry['duration_ms']).toBeTypeOf('number');
    expect(JSON.stringify(logOf(proxy))).not.toContain('secret');
  });

  it('gives no new connection to a pod that is not ready, and leaves those that it has', async () => {
    const who = { 'x-user-id': 'edsger' };
    const before = await handshake(`${url}/by-header`, who);
    if (!before.socket) throw new Error(`refused: ${before.status}`);
    const busy = backends.find(({ name }) => name === before.heard.backend);
    if (!busy) throw new Error('no such backend');
    busy.isReady = false;
    await until(async () => (await backendOf(`${url}/by-header`, who)) !== busy.name, {
      timeoutMs: 20_000,
      everyMs: 300,
    });
    const echoed = once(before.socket, 'message');
    before.socket.send('still here');
    expect(String((await echoed)[0])).toBe('still here');
    before.socket.close();
    busy.isReady = true;
  });
});

describe('the limits of a rendered haproxy.cfg', () => {
  it('refuse one connection too many of an address with 429, in JSON, and say when to come back', async () => {
    await using backend = await Backend.start('a');
    const { proxy, port } = await started({
      pods: pods(backend.port),
      limits: { ...limits, connectionsPerAddress: 3 },
      gateway: trusting,
      hops: [hop('aws-alb')],
    });
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
    expect(refused.status).toBe(503);
    expect(JSON.parse(refused.body)).toEqual({ error: { status: 503, message: 'unavailable' } });
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 'HAProxy itself lives').toBe(200);
  });
});

describe('a storm of connections', () => {
  it('is slowed down to the rate, and nobody is refused', async () => {
    await using backend = await Backend.start('a');
    const { proxy, port } = await started({ pods: pods(backend.port), limits: { ...limits, acceptsPerSecond: 5 } });
    await using _ = proxy;
    const startedMs = performance.now();
    const all = await Promise.all(Array.from({ length: 15 }, () => handshake(`ws://127.0.0.1:${port}/ws`)));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([101]));
    expect(performance.now() - startedMs).toBeGreaterThan(1000);
    for (const { socket } of all) socket?.terminate();
  });
});

describe('TLS of a rendered haproxy.cfg', () => {
  it('carries WebSockets, and sends what comes in plain to it', async () => {
    await using backend = await Backend.start('a');
    using tls = certificate();
    const [port, plain] = [await freePort(), await freePort()];
    const env = environment({
      hosts: ['localhost'],
      limits,
      hops: [hop('haproxy', { port })],
      pods: pods(backend.port),
      tls: { secrets: new Map(), certificate: tls.certificate, key: tls.key },
    });
    await using _ = await Proxy.haproxy(directoryOf(filesOf(env, tls.both, plain)), port, plain);
    const shaken = await handshake(`wss://localhost:${port}/ws`);
    if (!shaken.socket) throw new Error(`refused: ${shaken.status}`);
    expect(shaken.heard.headers['x-forwarded-proto']).toBe('https');
    shaken.socket.terminate();
    const redirected = await fetch(`http://localhost:${plain}/api?x=1`, { redirect: 'manual' });
    expect(redirected.status).toBe(308);
    expect(redirected.headers.get('location')).toMatch(/^https:\/\/localhost.*\/api\?x=1$/);
  });
});

describe('the worked policy whose pods are known', () => {
  it.each(['by-address', 'by-header'])('is accepted by HAProxy without a warning: %s', (name) => {
    using tls = certificate();
    const policy = worked('three-instances');
    const env = policy.environments.get(name);
    if (!env) throw new Error(`no environment ${name}`);
    const [file] = render(policy, env, ['haproxy'])[0]?.files ?? [];
    const text = file?.text.replaceAll('/etc/haproxy/certs/three-instances.pem', tls.both) ?? '';
    const said = haproxyVerdict(text);
    expect(said).toContain('Configuration file is valid');
    expect(said).not.toMatch(/WARNING|ALERT/);
  });
});
