import { once } from 'node:events';
import { render } from '@holdfast/hops';
import { freePort, until } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { environment, hop, policyOf, pods } from '../packages/hops/src/render/environment.fixture.js';
import { certificate, directoryOf, haproxyVerdict, Proxy } from './proxies.fixture.js';
import { TunnelBackend } from './tunnel.fixture.js';

/** The clock under test. HAProxy is exact to a few milliseconds, a busy machine is not. */
const CLOCK_MS = 2000;
const LOOK_MS = 5000;
/** Well within the clock: a talker that is held up once does not miss it. */
const TALK_MS = 400;

interface Settings {
  readonly global?: readonly string[];
  readonly defaults: readonly string[];
  readonly mode?: 'http' | 'tcp';
  readonly bind?: string;
  readonly isHalfOpen?: boolean;
  /** More of the line of the server. */
  readonly server?: string;
}

function cfg(
  port: number,
  backendPort: number,
  { global = [], mode = 'http', defaults, bind = '', server = '' }: Settings,
): string {
  return `
global
    log stdout format raw local0 info
${global.map((line) => `    ${line}\n`).join('')}
defaults
    mode ${mode}
    log global
    option ${mode}log
    timeout connect 2s
${defaults.map((line) => `    ${line}\n`).join('')}
frontend front
    bind 127.0.0.1:${port}${bind}
    default_backend back
backend back
    server pod 127.0.0.1:${backendPort}${server}
`;
}

interface Running extends AsyncDisposable {
  readonly proxy: Proxy;
  readonly backend: TunnelBackend;
  readonly open: (options?: { isTls?: boolean }) => ReturnType<TunnelBackend['tunnel']>;
}

async function started(settings: Settings): Promise<Running> {
  const backend = await TunnelBackend.start(settings);
  const port = await freePort();
  const proxy = await Proxy.haproxy(directoryOf({ 'haproxy.cfg': cfg(port, backend.port, settings) }), port);
  return {
    proxy,
    backend,
    open: (options) => backend.tunnel(port, '/', options),
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
    },
  };
}

const LONG = ['timeout client 60s', 'timeout server 60s', 'timeout tunnel 60s'];
const TUNNEL = ['timeout client 60s', 'timeout server 60s', 'timeout tunnel 2s'];

/** After the clock, and not long after. */
function expectAtClock(afterMs: number): void {
  expect(afterMs).toBeGreaterThan(CLOCK_MS - 500);
  expect(afterMs).toBeLessThan(LOOK_MS - 500);
}

/** The two letters with which the log tells how a connection ended. */
async function flagsOf(proxy: Proxy): Promise<string> {
  const ended = / 101 .* ([A-Za-z-]{2})-- /;
  const line = await until(() => proxy.process.stdout.kept.find((text) => ended.test(text)), {
    what: 'a line of the log',
  });
  return ended.exec(line)?.[1] ?? '';
}

describe.concurrent('the clocks of HAProxy', () => {
  it('timeout tunnel ends what is silent in both directions: a FIN to the client, a reset to the pod', async () => {
    await using run = await started({ defaults: TUNNEL });
    const { client, backend } = await run.open();
    const ends = await Promise.all([client.endWithin(LOOK_MS), backend.endWithin(LOOK_MS)]);
    for (const { afterMs } of ends) expectAtClock(afterMs);
    expect(ends.map(({ by }) => by)).toEqual(['fin', 'reset']);
    expect(await flagsOf(run.proxy)).toMatch(/^[cs]D$/);
  });

  it('timeout tunnel is reset by bytes of the client alone, and by bytes of the pod alone', async () => {
    await using run = await started({ defaults: TUNNEL });
    const [telling, told] = await Promise.all([run.open(), run.open()]);
    telling.client.keepTalking(TALK_MS);
    told.backend.keepTalking(TALK_MS);
    const ends = await Promise.all([telling.client.endWithin(LOOK_MS), told.client.endWithin(LOOK_MS)]);
    expect(ends.map(({ by }) => by)).toEqual(['open', 'open']);
  });

  it('timeout tunnel says close_notify over TLS', async () => {
    using tls = certificate();
    await using run = await started({ defaults: TUNNEL, bind: ` ssl crt ${tls.both}` });
    const { client } = await run.open({ isTls: true });
    expect(await client.endWithin(LOOK_MS)).toMatchObject({ by: 'fin', isNotified: true });
  });

  it('without timeout tunnel the smaller of client and server rules, and either direction resets it', async () => {
    await using byClient = await started({ defaults: ['timeout client 2s', 'timeout server 60s'] });
    await using byServer = await started({ defaults: ['timeout client 60s', 'timeout server 2s'] });
    const silent = await Promise.all([byClient.open(), byServer.open()]);
    const [telling, told] = await Promise.all([byServer.open(), byClient.open()]);
    telling.client.keepTalking(TALK_MS);
    told.backend.keepTalking(TALK_MS);
    const ends = await Promise.all(silent.map(({ client }) => client.endWithin(LOOK_MS)));
    for (const { by, afterMs } of ends) {
      expect(by).not.toBe('open');
      expectAtClock(afterMs);
    }
    const talks = await Promise.all([telling.client.endWithin(LOOK_MS / 2), told.client.endWithin(LOOK_MS / 2)]);
    expect(talks.map(({ by }) => by)).toEqual(['open', 'open']);
  });

  it('option independent-streams lets one side alone keep nothing open', async () => {
    await using run = await started({ defaults: [...TUNNEL, 'option independent-streams'] });
    const [telling, told, both] = await Promise.all([run.open(), run.open(), run.open()]);
    telling.client.keepTalking(TALK_MS);
    told.backend.keepTalking(TALK_MS);
    both.client.keepTalking(TALK_MS);
    both.backend.keepTalking(TALK_MS);
    const ends = await Promise.all([telling, told, both].map(({ client }) => client.endWithin(LOOK_MS)));
    expect(ends.map(({ by }) => by === 'open')).toEqual([false, false, true]);
  });

  it('timeout server-fin ends what the client has half closed; without it the tunnel timeout does', async () => {
    await using bounded = await started({ defaults: [...LONG, 'timeout server-fin 2s'], isHalfOpen: true });
    await using unbounded = await started({ defaults: LONG, isHalfOpen: true });
    const [ends, stays] = await Promise.all([bounded.open(), unbounded.open()]);
    ends.client.socket.end();
    stays.client.socket.end();
    const [ended, stayed] = await Promise.all([ends.client.endWithin(LOOK_MS), stays.client.endWithin(LOOK_MS)]);
    expect(ended.by).not.toBe('open');
    expectAtClock(ended.afterMs);
    expect(stayed.by).toBe('open');
  });

  it('timeout client-fin ends what the pod has half closed where bytes are proxied; a WebSocket is ended at once on both sides', async () => {
    const bound = [...LONG, 'timeout client-fin 2s'];
    await using bounded = await started({ mode: 'tcp', defaults: bound, isHalfOpen: true });
    await using unbounded = await started({ mode: 'tcp', defaults: LONG, isHalfOpen: true });
    await using http = await started({ defaults: bound, isHalfOpen: true });
    const [ends, stays, atOnce] = await Promise.all([bounded.open(), unbounded.open(), http.open()]);
    for (const { backend } of [ends, stays, atOnce]) backend.socket.end();
    const [ended, stayed, ...both] = await Promise.all([
      ends.backend.endWithin(LOOK_MS),
      stays.backend.endWithin(LOOK_MS),
      atOnce.client.endWithin(LOOK_MS),
      atOnce.backend.endWithin(LOOK_MS),
    ]);
    expect(ended.by).not.toBe('open');
    expectAtClock(ended.afterMs);
    expect(stayed.by).toBe('open');
    for (const { by, afterMs } of both) {
      expect(by).toBe('fin');
      expect(afterMs).toBeLessThan(CLOCK_MS - 500);
    }
  });

  it('timeout connect answers 503 when a pod does not take the connection', async () => {
    await using run = await started({ defaults: [...TUNNEL, 'retries 0'] });
    await run.backend[Symbol.asyncDispose]();
    const response = await fetch(`http://127.0.0.1:${run.proxy.port}/`);
    expect(response.status).toBe(503);
  });

  it('a reload ends nothing by itself, and everything at hard-stop-after, however busy', async () => {
    await using stopped = await started({ defaults: TUNNEL, global: ['hard-stop-after 2s'] });
    await using kept = await started({ defaults: TUNNEL });
    const [cut, stays] = await Promise.all([stopped.open(), kept.open()]);
    for (const { client, backend } of [cut, stays]) {
      client.keepTalking(TALK_MS);
      backend.keepTalking(TALK_MS);
    }
    const reloadedMs = performance.now();
    stopped.proxy.process.kill('SIGUSR2');
    kept.proxy.process.kill('SIGUSR2');
    const [cutEnd, keptEnd] = await Promise.all([cut.client.endWithin(LOOK_MS * 2), stays.client.endWithin(LOOK_MS)]);
    expect(cutEnd.by).not.toBe('open');
    expect(performance.now() - reloadedMs).toBeGreaterThan(CLOCK_MS - 500);
    expect(keptEnd.by).toBe('open');
  });

  it('on-marked-down shutdown-sessions ends all tunnels of a pod whose check has failed; without it none ends', async () => {
    const check = ' check inter 200ms fall 1';
    await using cutting = await started({ defaults: LONG, server: `${check} on-marked-down shutdown-sessions` });
    await using keeping = await started({ defaults: LONG, server: check });
    const [cut, kept] = await Promise.all([cutting.open(), keeping.open()]);
    for (const { client, backend } of [cut, kept]) {
      client.keepTalking(TALK_MS);
      backend.keepTalking(TALK_MS);
    }
    // Nobody new is let in, which fails the check; those who are there stay.
    cutting.backend.refuse();
    keeping.backend.refuse();
    const ends = await Promise.all([cut.client.endWithin(LOOK_MS), kept.client.endWithin(LOOK_MS)]);
    expect(ends.map(({ by }) => by === 'open')).toEqual([false, true]);
    expect(keeping.proxy.process.stderr.toString(), 'the other pod was down as well').toContain('is DOWN');
  });

  it('an idle end is 1006 to a WebSocket client: no close frame comes', async () => {
    await using run = await started({ defaults: TUNNEL });
    const socket = new WebSocket(`ws://127.0.0.1:${run.proxy.port}/`);
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(1006);
  });

  it('timeout tunnel in a frontend is accepted with a warning, and ignored', async () => {
    const port = await freePort();
    const text = cfg(port, port, { defaults: TUNNEL }).replace(
      '    default_backend',
      '    timeout tunnel 2s\n    default_backend',
    );
    expect(haproxyVerdict(text)).toMatch(/timeout tunnel.*ignored/);
  });

  it('the rendered configuration survives a silence that ends the same one with a shorter clock', async () => {
    await using backend = await TunnelBackend.start();
    const [renderedPort, shortPort] = [await freePort(), await freePort()];
    const textOf = (port: number): string => {
      const limits = { ...environment().limits, connections: 1000 };
      const env = environment({ hosts: [], limits, hops: [hop('haproxy', { port })], pods: pods(backend.port) });
      const text = render(policyOf(env), env, ['haproxy'])[0]?.files[0]?.text ?? '';
      // This backend knows upgrades alone.
      return text.replaceAll(/default-server check.*/g, '').replaceAll(/option httpchk.*|http-check.*/g, '');
    };
    const short = textOf(shortPort).replace('timeout tunnel 3600000ms', 'timeout tunnel 2s');
    await using _ = await Proxy.haproxy(directoryOf({ 'haproxy.cfg': textOf(renderedPort) }), renderedPort);
    await using __ = await Proxy.haproxy(directoryOf({ 'haproxy.cfg': short }), shortPort);
    const [rendered, byDefault] = await Promise.all([
      backend.tunnel(renderedPort, '/ws'),
      backend.tunnel(shortPort, '/ws'),
    ]);
    const ends = await Promise.all([rendered.client.endWithin(LOOK_MS), byDefault.client.endWithin(LOOK_MS)]);
    expect(ends.map(({ by }) => by)).toEqual(['open', 'fin']);
  });
});
