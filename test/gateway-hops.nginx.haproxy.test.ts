import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { Gateway } from '@holdfast/gateway';
import { parse, pick, type Environment } from '@holdfast/policy';
import { freePort, startProcess, until } from '@holdfast/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer, type ClientOptions } from 'ws';

/** The client's own address; proxies connect from 127.0.0.1. */
const CLIENT = '127.0.0.9';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).reverse()) await end();
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-hops-'));
  leftovers.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Pod {
  readonly port: number;
  readonly server: WebSocketServer;
  /** Codes with which its clients have closed. */
  readonly closes: number[];
}

/** Tells each client which pod it is and what it was told of the client; closes with a code when it is asked to. */
async function startPod(name: string): Promise<Pod> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  const closes: number[] = [];
  server.on('connection', (socket, { headers }) => {
    socket.send(JSON.stringify({ pod: name, headers }));
    socket.on('message', (data: Buffer) => socket.close(Number(data.toString()), 'asked'));
    socket.on('close', (code) => closes.push(code));
  });
  await once(server, 'listening');
  leftovers.push(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return { server, closes, port: (server.address() as AddressInfo).port };
}

function environment(pods: readonly Pod[], more: Record<string, unknown>): Environment {
  const test = {
    hosts: ['*'],
    service: 'pods',
    pods: pods.map(({ port }) => `127.0.0.1:${port}`),
    routes: [{ websocket: '/', carry: 'relay' }],
    health: { check: 'off' },
    ...more,
  };
  const { policy, problems } = parse(JSON.stringify({ name: 'hops', environments: { test } }));
  if (!policy) throw new Error(JSON.stringify(problems));
  return pick(policy, 'test');
}

async function startGateway(pods: readonly Pod[], more: Record<string, unknown>): Promise<Gateway> {
  const gateway = new Gateway(environment(pods, more));
  await gateway.start();
  leftovers.push(() => gateway.close());
  return gateway;
}

interface Opened {
  readonly socket: WebSocket;
  readonly pod: string;
  readonly headers: Record<string, string>;
  readonly response: IncomingMessage;
}

async function open(url: string, options: ClientOptions = {}): Promise<Opened> {
  const socket = new WebSocket(url, { localAddress: CLIENT, ...options });
  leftovers.push(() => socket.terminate());
  const both = await Promise.all([once(socket, 'upgrade'), once(socket, 'message')]);
  const [[response], [data]] = both as [[IncomingMessage], [Buffer]];
  return { socket, response, ...(JSON.parse(data.toString()) as Pick<Opened, 'pod' | 'headers'>) };
}

/** What becomes of close codes, from either end and when the pod is lost. */
async function expectCloseCodes(url: string, pods: readonly Pod[], options: ClientOptions = {}): Promise<void> {
  const byPod = (await open(url, options)).socket;
  byPod.send('4001');
  const [code, reason] = (await once(byPod, 'close')) as [number, Buffer];
  expect([code, reason.toString()]).toEqual([4001, 'asked']);

  const byClient = await open(url, options);
  byClient.socket.close(4002);
  await until(() => pods.some(({ closes }) => closes.includes(4002)));

  const lost = (await open(url, options)).socket;
  for (const { server } of pods) for (const client of server.clients) client.terminate();
  expect((await once(lost, 'close'))[0]).toBe(1012);
}

function certificateFor(folder: string, host: string): { host: string; certificate: string; key: string } {
  const certificate = join(folder, `${host}.pem`);
  const key = join(folder, `${host}.key`);
  const subject = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`];
  const how = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', ...how, ...subject, '-keyout', key, '-out', certificate], { stdio: 'pipe' });
  return { host, certificate, key };
}

async function isListening(port: number): Promise<boolean> {
  const { connect } = await import('node:net');
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

async function startNginx(to: number): Promise<number> {
  const folder = temporaryFolder();
  const port = await freePort();
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/nginx.pid; error_log stderr;
     events { worker_connections 64; }
     http {
       access_log off; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f;
       uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
       map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
       server {
         listen 127.0.0.1:${port};
         location / {
           proxy_pass http://127.0.0.1:${to};
           proxy_http_version 1.1;
           proxy_set_header Upgrade $http_upgrade;
           proxy_set_header Connection $connection_upgrade;
           proxy_set_header Host $http_host;
           proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
           proxy_set_header X-Forwarded-Proto $scheme;
         }
       }
     }`,
  );
  const nginx = await startProcess({
    command: 'nginx',
    args: ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')],
  });
  leftovers.push(() => nginx[Symbol.asyncDispose]());
  await until(() => isListening(port), { timeoutMs: 20_000 });
  return port;
}

/** Sends what it gets on with a PROXY header: as bytes (`tcp`, version 2), or as requests (`http`, version 1). */
async function startHaproxy(mode: 'tcp' | 'http', to: number): Promise<number> {
  const folder = temporaryFolder();
  const port = await freePort();
  const send = mode === 'tcp' ? 'send-proxy-v2' : 'send-proxy';
  writeFileSync(
    join(folder, 'haproxy.cfg'),
    `defaults
  mode ${mode}
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout tunnel 30s
frontend f
  bind 127.0.0.1:${port}
  default_backend b
backend b
  server gateway 127.0.0.1:${to} ${send}
`,
  );
  const haproxy = await startProcess({ command: 'haproxy', args: ['-db', '-f', join(folder, 'haproxy.cfg')] });
  leftovers.push(() => haproxy[Symbol.asyncDispose]());
  await until(() => isListening(port), { timeoutMs: 20_000 });
  return port;
}

describe('behind nginx', () => {
  it('the gateway tells pods of the client and not of nginx, keeps clients at their pod by a cookie, and passes close codes', async () => {
    const pods = [await startPod('a'), await startPod('b')];
    const gateway = await startGateway(pods, {
      stickiness: { cookie: { name: 'route', secure: false, sameSite: 'lax' } },
      gateway: { listen: ['127.0.0.1:0'], trustedProxies: ['127.0.0.1'], accessLog: 'off' },
    });
    const url = `ws://127.0.0.1:${await startNginx(gateway.addresses[0]?.port ?? 0)}/ws`;
    const first = await open(url, { headers: { 'X-Forwarded-For': '203.0.113.1' } });
    // What the client itself claims stays visible, and is not believed.
    expect(first.headers).toMatchObject({
      'x-real-ip': CLIENT,
      'x-forwarded-for': `203.0.113.1, ${CLIENT}, 127.0.0.1`,
      'x-forwarded-proto': 'http',
    });
    const cookie = first.response.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    expect(cookie).toMatch(/^route=/);
    for (let i = 0; i < 4; i++) expect((await open(url, { headers: { cookie } })).pod).toBe(first.pod);
    await expectCloseCodes(url, pods);
  });
});

describe('behind HAProxy', () => {
  it('the gateway takes the client from PROXY version 2, ends TLS with the certificate of the host, and renews it', async () => {
    const folder = temporaryFolder();
    const certificates = ['a.test', 'b.test'].map((host) => certificateFor(folder, host));
    const pods = [await startPod('a'), await startPod('b')];
    const policy = {
      stickiness: 'ip',
      gateway: { listen: [{ address: '127.0.0.1:0', certificates, proxyProtocol: true }], accessLog: 'off' },
    };
    const gateway = await startGateway(pods, policy);
    const url = `wss://127.0.0.1:${await startHaproxy('tcp', gateway.addresses[0]?.port ?? 0)}/ws`;
    const asking = (servername: string): ClientOptions & ConnectionOptions => ({
      servername,
      rejectUnauthorized: false,
    });
    const subject = ({ response }: Opened): unknown => (response.socket as TLSSocket).getPeerCertificate().subject.CN;
    const serial = ({ response }: Opened): string => (response.socket as TLSSocket).getPeerCertificate().serialNumber;

    const a = await open(url, asking('a.test'));
    const b = await open(url, asking('b.test'));
    expect([subject(a), subject(b)]).toEqual(['a.test', 'b.test']);
    expect(a.headers).toMatchObject({ 'x-real-ip': CLIENT, 'x-forwarded-for': CLIENT, 'x-forwarded-proto': 'https' });
    expect(b.pod).toBe(a.pod);
    const pods16 = await Promise.all(
      Array.from(
        { length: 16 },
        async (_, i) => (await open(url, { ...asking('a.test'), localAddress: `127.0.1.${i}` })).pod,
      ),
    );
    expect(new Set(pods16)).toEqual(new Set(['a', 'b']));

    certificateFor(folder, 'b.test');
    await gateway.reload(environment(pods, policy));
    const renewed = await open(url, asking('b.test'));
    expect(serial(renewed)).not.toBe(serial(b));
    expect(b.socket.readyState).toBe(WebSocket.OPEN);
    await expectCloseCodes(url, pods, asking('a.test'));
  });

  it('the gateway takes the client from PROXY version 1 before requests, and refuses who sends none', async () => {
    const pods = [await startPod('a')];
    const gateway = await startGateway(pods, {
      gateway: { listen: [{ address: '127.0.0.1:0', proxyProtocol: true }], accessLog: 'off' },
    });
    const port = gateway.addresses[0]?.port ?? 0;
    const url = `ws://127.0.0.1:${await startHaproxy('http', port)}/ws`;
    expect((await open(url)).headers).toMatchObject({ 'x-real-ip': CLIENT, 'x-forwarded-for': CLIENT });
    await expectCloseCodes(url, pods);
    await expect(open(`ws://127.0.0.1:${port}/ws`)).rejects.toThrow('socket hang up');
  });
});
