import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { connect } from 'node:net';
import { render } from '@holdfast/hops';
import { freePort, startProcess, until } from '@holdfast/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { environment, hop, policyOf, pods } from '../packages/hops/src/render/environment.fixture.js';
import { certificate, directoryOf, Proxy } from './proxies.fixture.js';
import { type Tunnel, TunnelBackend } from './tunnel.fixture.js';

/** The clock under test, and what stands for "never" beside it. nginx itself is off by up to 0.3 s, a busy machine by more. */
const CLOCK_MS = 2000;
const LOOK_MS = 5000;
/** Well within the clock: a talker that is held up once does not miss it. */
const TALK_MS = 400;

const location = (path: string, ...directives: string[]): string => `
    location ${path} {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      ${directives.join('\n      ')}
    }`;

function conf(
  port: number,
  backendPort: number,
  parts: { main?: string; listen?: string; locations: string[] },
): string {
  return `
worker_processes 1;
pid nginx.pid;
error_log logs/error.log info;
${parts.main ?? ''}
events { worker_connections 1024; }
http {
  access_log off;
  upstream backend { server 127.0.0.1:${backendPort}; }
  server {
    listen 127.0.0.1:${port}${parts.listen ?? ''};
    ${parts.locations.join('')}
  }
}`;
}

/** After the clock, and not long after. */
function expectAtClock(afterMs: number): void {
  expect(afterMs).toBeGreaterThan(CLOCK_MS - 500);
  expect(afterMs).toBeLessThan(LOOK_MS - 500);
}

describe.concurrent('the clocks of nginx', () => {
  let backend: TunnelBackend;
  let proxy: Proxy;
  let port: number;

  beforeAll(async () => {
    backend = await TunnelBackend.start();
    port = await freePort();
    const locations = [
      location('/read', 'proxy_read_timeout 2s;', 'proxy_send_timeout 60s;'),
      location('/keepalive', 'proxy_read_timeout 2s;', 'proxy_socket_keepalive on;'),
      location('/send', 'proxy_read_timeout 60s;', 'proxy_send_timeout 2s;'),
      location('/client', 'proxy_read_timeout 60s;', 'proxy_send_timeout 60s;', 'send_timeout 2s;'),
      location('/reset', 'proxy_read_timeout 60s;', 'send_timeout 2s;', 'reset_timedout_connection on;'),
      'location = /turn { return 204; }',
    ];
    proxy = await Proxy.nginx(directoryOf({ 'nginx.conf': conf(port, backend.port, { locations }) }), port);
  });

  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await backend[Symbol.asyncDispose]();
  });

  const open = (path: string): Promise<Tunnel> => backend.tunnel(port, path);

  it('proxy_read_timeout ends what is silent in both directions, with a FIN to both ends', async () => {
    const { client, backend: pod } = await open('/read');
    const ends = await Promise.all([client.endWithin(LOOK_MS), pod.endWithin(LOOK_MS)]);
    expect(ends.map(({ by }) => by)).toEqual(['fin', 'fin']);
    for (const { afterMs } of ends) expectAtClock(afterMs);
  });

  it('proxy_read_timeout is 1006 to a WebSocket client: no close frame comes', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/read`);
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(1006);
  });

  it('proxy_read_timeout is reset by bytes of the client alone', async () => {
    const { client } = await open('/read');
    client.keepTalking(TALK_MS);
    expect(await client.endWithin(LOOK_MS)).toMatchObject({ by: 'open' });
  });

  it('proxy_read_timeout is reset by bytes of the pod alone', async () => {
    const { client, backend: pod } = await open('/read');
    pod.keepTalking(TALK_MS);
    expect(await client.endWithin(LOOK_MS)).toMatchObject({ by: 'open' });
  });

  it('proxy_read_timeout is not reset by TCP keepalive', async () => {
    const tunnel = await open('/keepalive');
    for (const end of [tunnel.client, tunnel.backend]) {
      (end.socket as Duplex & { setKeepAlive(on: boolean, afterMs: number): void }).setKeepAlive(true, 1000);
    }
    const end = await tunnel.client.endWithin(LOOK_MS);
    expect(end.by).toBe('fin');
    expectAtClock(end.afterMs);
  });

  it('proxy_send_timeout is no idle timeout: both sides may be silent', async () => {
    const { client } = await open('/send');
    expect(await client.endWithin(LOOK_MS)).toMatchObject({ by: 'open' });
  });

  it('proxy_send_timeout does not fire because the client is silent while the pod pings', async () => {
    const { client, backend: pod } = await open('/send');
    pod.keepTalking(TALK_MS);
    expect(await client.endWithin(LOOK_MS)).toMatchObject({ by: 'open' });
  });

  it('proxy_send_timeout does not fire because the pod is silent while the client talks', async () => {
    const { client } = await open('/send');
    client.keepTalking(TALK_MS);
    expect(await client.endWithin(LOOK_MS)).toMatchObject({ by: 'open' });
  });

  it('proxy_send_timeout fires when the pod takes no more bytes', async () => {
    const { client, backend: pod } = await open('/send');
    pod.socket.pause();
    client.flood();
    const end = await client.endWithin(LOOK_MS * 2);
    expect(end.by).not.toBe('open');
    expect(end.afterMs).toBeGreaterThan(CLOCK_MS - 500);
  });

  it('no other timeout fires then: without these two a side that takes no bytes is waited for', async () => {
    const [stuckPod, stuckClient] = await Promise.all([open('/client'), open('/send')]);
    stuckPod.backend.socket.pause();
    stuckPod.client.flood();
    stuckClient.client.socket.pause();
    stuckClient.backend.flood();
    expect(await stuckPod.client.endWithin(LOOK_MS)).toMatchObject({ by: 'open' });
    expect(await stuckClient.backend.endWithin(0)).toMatchObject({ by: 'open' });
  });

  it('send_timeout fires when the client takes no more bytes, and the pod is told by the end of its connection', async () => {
    const { client, backend: pod } = await open('/client');
    client.socket.pause();
    pod.flood();
    const end = await pod.endWithin(LOOK_MS * 2);
    expect(end.by).not.toBe('open');
    expect(end.afterMs).toBeGreaterThan(CLOCK_MS - 500);
    await until(() => proxy.log().includes('client timed out'), { what: 'nginx to log that the client timed out' });
  });

  it('send_timeout delivers what is under way and then a FIN, but not where reset_timedout_connection is on, as in ingress-nginx', async () => {
    const receivedOf = async (path: string): Promise<number> => {
      const { client, backend: pod } = await open(path);
      client.socket.pause();
      pod.flood();
      await pod.endWithin(LOOK_MS * 2);
      // nginx ends the pod's side first. Its one worker answers another request when it has ended the client's too: before that,
      // a client that reads again would be sent what the reset is to throw away.
      await fetch(`http://127.0.0.1:${port}/turn`);
      client.socket.resume();
      await client.endWithin(LOOK_MS);
      return client.receivedBytes;
    };
    const [byFin, byReset] = await Promise.all([receivedOf('/client'), receivedOf('/reset')]);
    // The reset throws away what nginx's kernel still had to send.
    expect(byReset).toBeLessThan(byFin / 2);
  });

  it('proxy_connect_timeout answers 504 when a pod does not take the connection', async () => {
    const script =
      "require('net').createServer().listen({host:'127.0.0.1',port:0,backlog:1},function(){console.log('port',this.address().port)})";
    await using stopped = await startProcess({ command: process.execPath, args: ['-e', script], ready: /port (\d+)/ });
    stopped.kill('SIGSTOP');
    const deaf = Number(stopped.readyMatch?.[1]);
    // The queue of the kernel takes a few connections for it, and then no more.
    const queued = Array.from({ length: 8 }, () => connect(deaf, '127.0.0.1').on('error', () => undefined));
    const port504 = await freePort();
    const text = conf(port504, deaf, {
      locations: [location('/', 'proxy_connect_timeout 2s;', 'proxy_next_upstream off;')],
    });
    await using _ = await Proxy.nginx(directoryOf({ 'nginx.conf': text }), port504);
    const startedMs = performance.now();
    const response = await fetch(`http://127.0.0.1:${port504}/`);
    expect(response.status).toBe(504);
    expectAtClock(performance.now() - startedMs);
    for (const socket of queued) socket.destroy();
  });

  it('proxy_timeout of a stream is reset by either direction, and ends silence with a FIN', async () => {
    const streamPort = await freePort();
    const text = `
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
worker_processes 1;
pid nginx.pid;
error_log logs/error.log info;
events { worker_connections 64; }
stream { server { listen 127.0.0.1:${streamPort}; proxy_pass 127.0.0.1:${backend.port}; proxy_timeout 2s; } }`;
    await using _ = await Proxy.nginx(directoryOf({ 'nginx.conf': text }), streamPort);
    const [silent, told, telling] = await Promise.all(
      ['/s', '/t', '/u'].map((path) => backend.tunnel(streamPort, path)),
    );
    told?.backend.keepTalking(TALK_MS);
    telling?.client.keepTalking(TALK_MS);
    const ends = await Promise.all([silent, told, telling].map((tunnel) => tunnel?.client.endWithin(LOOK_MS)));
    expect(ends.map((end) => end?.by)).toEqual(['fin', 'open', 'open']);
  });

  it('the rendered configuration survives a silence that ends the same one with the default, both scaled down', async () => {
    const [renderedPort, defaultPort] = [await freePort(), await freePort()];
    const filesOf = (at: number): Record<string, string> => {
      const env = environment({ hosts: [], hops: [hop('nginx', { port: at })], pods: pods(backend.port) });
      const files = render(policyOf(env), env, ['nginx'])[0]?.files ?? [];
      const here = (text: string): string =>
        text.replaceAll('/var/log/nginx/', 'logs/').replace('/run/nginx.pid', 'nginx.pid');
      return Object.fromEntries(files.map(({ path, text }) => [path.replace('nginx/', ''), here(text)]));
    };
    const scaled = Object.fromEntries(
      Object.entries(filesOf(defaultPort)).map(([path, text]) => [
        path,
        text.replace('proxy_read_timeout 3600s;', 'proxy_read_timeout 2s;'),
      ]),
    );
    await using _ = await Proxy.nginx(directoryOf(filesOf(renderedPort)), renderedPort);
    await using __ = await Proxy.nginx(directoryOf(scaled), defaultPort);
    const [rendered, byDefault] = await Promise.all([
      backend.tunnel(renderedPort, '/ws'),
      backend.tunnel(defaultPort, '/ws'),
    ]);
    const ends = await Promise.all([rendered.client.endWithin(LOOK_MS), byDefault.client.endWithin(LOOK_MS)]);
    expect(ends.map(({ by }) => by)).toEqual(['open', 'fin']);
  });

  it('send_timeout is no idle timeout: both sides may be silent', async () => {
    const { client } = await open('/client');
    expect(await client.endWithin(LOOK_MS)).toMatchObject({ by: 'open' });
  });

  it('an idle end is logged as info, so that a log of errors does not show it', async () => {
    const { client } = await open('/read');
    await client.endWithin(LOOK_MS);
    const line = await until(() =>
      proxy
        .log()
        .split('\n')
        .find((text) => text.includes('while proxying upgraded connection')),
    );
    expect(line).toContain('[info]');
    expect(line).toContain('upstream timed out');
  });

  it('an idle timeout says close_notify; a reload with worker_shutdown_timeout does not, and ends the busy as well', async () => {
    await using backend = await TunnelBackend.start();
    using tls = certificate();
    const port = await freePort();
    const text = conf(port, backend.port, {
      main: 'worker_shutdown_timeout 2s;',
      listen: ' ssl',
      locations: [
        `ssl_certificate ${tls.certificate}; ssl_certificate_key ${tls.key};`,
        location('/read', 'proxy_read_timeout 2s;'),
        location('/busy', 'proxy_read_timeout 60s;'),
      ],
    });
    await using proxy = await Proxy.nginx(directoryOf({ 'nginx.conf': text }), port);
    const idle = await backend.tunnel(port, '/read', { isTls: true });
    expect(await idle.client.endWithin(LOOK_MS)).toMatchObject({ by: 'fin', isNotified: true });

    const busy = await backend.tunnel(port, '/busy', { isTls: true });
    busy.client.keepTalking(TALK_MS);
    busy.backend.keepTalking(TALK_MS);
    const reloadedMs = performance.now();
    proxy.process.kill('SIGHUP');
    expect(await busy.client.endWithin(LOOK_MS * 2)).toMatchObject({ by: 'fin', isNotified: false });
    const tookMs = performance.now() - reloadedMs;
    expect(tookMs).toBeGreaterThan(CLOCK_MS - 500);
  });

  it('a reload without worker_shutdown_timeout ends nothing', async () => {
    await using backend = await TunnelBackend.start();
    const port = await freePort();
    const text = conf(port, backend.port, { locations: [location('/busy', 'proxy_read_timeout 60s;')] });
    await using proxy = await Proxy.nginx(directoryOf({ 'nginx.conf': text }), port);
    const { client, backend: pod } = await backend.tunnel(port, '/busy');
    pod.keepTalking(TALK_MS);
    proxy.process.kill('SIGHUP');
    await until(() => proxy.log().includes('gracefully shutting down'), { what: 'the old worker to be told' });
    expect(await client.endWithin(LOOK_MS)).toMatchObject({ by: 'open' });
  });
});
