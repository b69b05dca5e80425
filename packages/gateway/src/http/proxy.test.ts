import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { startProcess } from '@holdfast/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { testEnvironment, testRoute } from '../environment.fixture.js';
import { ask, atEnd, endAll, httpPod, podsAt, say, startGateway } from '../gateway.fixture.js';

afterEach(endAll);

/** A pod that tells what it was asked. */
const mirror = () =>
  httpPod((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      const { method, url, rawHeaders, trailers } = request;
      response.setHeader('X-Pod', 'yes');
      response.end(JSON.stringify({ method, url, rawHeaders, headers: request.headers, body, trailers }));
    });
  });

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly trailers: Record<string, string>;
}

describe('a request', () => {
  it('comes to the pod as it was, without what concerns one connection alone', async () => {
    const { port: pod } = await mirror();
    const { port } = await startGateway({ pods: podsAt(pod) });
    const answer = await ask(port, {
      method: 'POST',
      path: '/a/b%20c?x=1&y',
      headers: { host: 'chat.test', 'x-own': 'kept', 'x-hop': 'gone', connection: 'keep-alive, x-hop', te: 'trailers' },
      body: 'hello',
    });
    const seen = JSON.parse(answer.body) as Seen;
    expect(seen).toMatchObject({ method: 'POST', url: '/a/b%20c?x=1&y', body: 'hello' });
    expect(seen.headers).toMatchObject({ host: 'chat.test', 'x-own': 'kept', 'content-length': '5' });
    expect(Object.keys(seen.headers)).not.toContain('x-hop');
    expect(Object.keys(seen.headers)).not.toContain('te');
    expect(answer.headers).toMatchObject({ 'x-pod': 'yes', 'x-request-id': seen.headers['x-request-id'] });
  });

  it('tells the pod of the client, and believes nobody who is not trusted', async () => {
    const { port: pod } = await mirror();
    const claims = {
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-proto': 'https',
      forwarded: 'for=203.0.113.9',
      // Only the gateway says such, whoever asks and whatever carries it.
      'holdfast-connection-id': 'somebody-else',
      host: 'a.test',
    };
    const untrusted = await startGateway({ pods: podsAt(pod) });
    const told = (JSON.parse((await ask(untrusted.port, { headers: claims })).body) as Seen).headers;
    expect(told).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-real-ip': '127.0.0.1',
      forwarded: 'for=127.0.0.1;host="a.test";proto=http',
    });
    expect(Object.keys(told)).not.toContain('holdfast-connection-id');
    const { gateway } = testEnvironment();
    const trusting = await startGateway({
      pods: podsAt(pod),
      gateway: { ...gateway, trustedProxies: ['127.0.0.0/8'] },
    });
    const believed = (JSON.parse((await ask(trusting.port, { headers: claims })).body) as Seen).headers;
    expect(believed).toMatchObject({
      'x-forwarded-for': '203.0.113.9, 127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-port': '443',
      'x-real-ip': '203.0.113.9',
    });
  });

  it.each([
    [
      { 'x-forwarded-for': '203.0.113.9, 2001:db8::1', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'shop.test' },
      'for=203.0.113.9;host="shop.test";proto=https, for="[2001:db8::1]";host="shop.test";proto=https, for=127.0.0.1;',
      '203.0.113.9, 2001:db8::1, 127.0.0.1',
    ],
    [
      { forwarded: 'for=203.0.113.9;proto=https;host=shop.test' },
      'for=203.0.113.9;proto=https;host=shop.test, for=127.0.0.1;',
      '203.0.113.9, 127.0.0.1',
    ],
  ])('tells the same in both families of headers where a proxy writes one: %j', async (headers, forwarded, list) => {
    const { port: pod } = await mirror();
    const gateway = { ...testEnvironment().gateway, trustedProxies: ['127.0.0.0/8', '2001:db8::/32'] };
    const { port } = await startGateway({ pods: podsAt(pod), gateway });
    const told = (JSON.parse((await ask(port, { headers })).body) as Seen).headers;
    expect(told['forwarded']).toContain(forwarded);
    expect(told).toMatchObject({
      'x-forwarded-for': list,
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.test',
      'x-real-ip': '203.0.113.9',
    });
  });

  it('streams both ways, with its trailers', async () => {
    const { port: pod } = await httpPod((request, response) => {
      response.writeHead(200, { Trailer: 'X-Sum' });
      request.pipe(response, { end: false });
      request.on('end', () => {
        response.addTrailers({ 'X-Sum': request.trailers['x-check'] ?? 'none' });
        response.end();
      });
    });
    const { port } = await startGateway({ pods: podsAt(pod) });
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Check\r\n\r\n';
    const socket = connect(port, '127.0.0.1');
    atEnd(() => socket.destroy());
    let heard = '';
    socket.on('data', (chunk) => (heard += String(chunk)));
    socket.write(`${head}3\r\none\r\n`);
    // The first part is back before the second is sent.
    await expect.poll(() => heard).toContain('one');
    socket.write('3\r\ntwo\r\n0\r\nX-Check: 7\r\n\r\n');
    await expect.poll(() => heard).toMatch(/two\r\n0\r\nX-Sum: 7\r\n\r\n$/);
  });

  it('gets an answer with one request id, and no announcement of trailers where none can come', async () => {
    const { port: pod } = await httpPod((_request, response) => {
      response.socket?.end('HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nX-Request-Id: pod\r\nContent-Length: 2\r\n\r\nok');
    });
    const { port } = await startGateway({ pods: podsAt(pod) });
    const answer = await say(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1.1 200 OK/);
    expect(answer.match(/x-request-id/gi)).toHaveLength(1);
    expect(answer).not.toMatch(/trailer/i);
    expect(await say(port, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1.1 200 OK/);
  });

  it('waits with its body for the pod to say 100', async () => {
    let isAsked = false;
    const { pod, port: podPort } = await httpPod((_request, response) => response.end());
    pod.on('checkContinue', (request, response) => {
      isAsked = true;
      response.writeContinue();
      request.resume();
      request.on('end', () => response.end('thanks'));
    });
    const { port } = await startGateway({ pods: podsAt(podPort) });
    const socket = connect(port, '127.0.0.1');
    atEnd(() => socket.destroy());
    let heard = '';
    socket.on('data', (chunk) => (heard += String(chunk)));
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n');
    await expect.poll(() => heard).toContain('HTTP/1.1 100 Continue');
    expect(isAsked).toBe(true);
    socket.write('abc');
    await expect.poll(() => heard).toContain('thanks');
  });

  it('is repeated at another pod when the first is gone, and only if that can do no harm', async () => {
    const gone = await mirror();
    gone.pod.close();
    let posts = 0;
    const dying = await httpPod((request) => {
      if (request.method === 'POST') posts++;
      request.socket.destroy();
    });
    const { port: good } = await mirror();
    const { port } = await startGateway({ pods: podsAt(gone.port, dying.port, good) });
    for (let i = 0; i < 3; i++) expect((await ask(port)).status).toBe(200);
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await ask(port, { method: 'POST', body: 'x' })).status);
    // Each POST that came to the dying pod has come there once, and nowhere else.
    expect(statuses.filter((status) => status === 502)).toHaveLength(posts);
  });

  it('goes to another pod when a connection is not made in time, also with a body: nothing of it has been sent', async () => {
    // Its system takes as many connections as it has room for, and nobody ever accepts them.
    const listen = `const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      process.stdout.write('port ' + server.address().port + '\\n');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    })`;
    const deaf = await startProcess({ command: process.execPath, args: ['-e', listen], ready: /port (\d+)/ });
    atEnd(() => deaf[Symbol.asyncDispose]());
    const at = Number(deaf.readyMatch?.[1]);
    for (let i = 0; i < 4; i++) {
      const socket = connect(at, '127.0.0.1').on('error', () => undefined);
      atEnd(() => socket.destroy());
    }
    const { port: good } = await mirror();
    const routes = [testRoute({ connectMs: 100 })];
    const { port } = await startGateway({ pods: podsAt(at, good), routes });
    for (let i = 0; i < 3; i++) expect((await ask(port, { method: 'POST', body: 'x' })).status).toBe(200);
    const alone = await startGateway({ pods: podsAt(at), routes });
    expect(await ask(alone.port)).toMatchObject({
      status: 504,
      body: expect.stringContaining('HF_POD_SLOW') as string,
    });
  });

  it('is refused with a coded body: no route, no pod, too large, pod too slow', async () => {
    const { port: pod } = await httpPod(() => undefined);
    const route = testRoute({ path: '/app', readMs: 50 });
    const { limits } = testEnvironment();
    const { port } = await startGateway({ pods: podsAt(pod), routes: [route], limits: { ...limits, bodyBytes: 10 } });
    const code = async (asked: Parameters<typeof ask>[1]) => {
      const { status, body } = await ask(port, asked);
      return [status, (JSON.parse(body) as { error: string }).error];
    };
    expect(await code({ path: '/appx' })).toEqual([404, 'HF_ROUTE']);
    expect(await code({ path: '/app' })).toEqual([504, 'HF_POD_SLOW']);
    expect(await code({ path: '/app', method: 'POST', body: 'x'.repeat(11) })).toEqual([413, 'HF_REQUEST_LARGE']);
    const chunked = 'POST /app HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n';
    expect(await say(port, chunked)).toMatch(/^HTTP\/1.1 413 /);
    const empty = await startGateway({ pods: [] });
    const { status, headers } = await ask(empty.port);
    expect([status, headers['retry-after']]).toEqual([503, '2']);
  });

  it('that the client does not read is the client’s business: its pod has not been slow', async () => {
    const { port: pod } = await httpPod((_request, response) => response.end(Buffer.alloc(32e6)));
    const route = testRoute({ readMs: 60, sendMs: 240 });
    let log = '';
    const { port } = await startGateway(
      { pods: podsAt(pod), routes: [route], gateway: { ...testEnvironment().gateway, accessLog: 'json' } },
      { output: (text) => (log += text) },
    );
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
    atEnd(() => socket.destroy());
    socket.on('error', () => undefined).pause();
    await expect.poll(() => log, { timeout: 5_000 }).toContain('\n');
    expect(JSON.parse(log)).toMatchObject({ closedBy: 'client', cause: 'HF_SLOW_WRITE' });
  });

  it('whose body the pod does not read is given up, and not called the client’s slowness', async () => {
    const { port: pod } = await httpPod(() => undefined);
    const { limits } = testEnvironment();
    const { port } = await startGateway({
      pods: podsAt(pod),
      routes: [testRoute({ readMs: 60, sendMs: 240 })],
      limits: { ...limits, bodyBytes: 64e6 },
    });
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 32000000\r\n\r\n';
    expect(await say(port, `${head}${'x'.repeat(32e6)}`, '}')).toMatch(/^HTTP\/1.1 504 [^]*HF_POD_SLOW/);
  });

  it('whose pod answers before it has the whole body leaves no connection to the pod', async () => {
    const { pod, port: at } = await httpPod((_request, response) => response.writeHead(401).end('no'));
    const { port } = await startGateway({ pods: podsAt(at) });
    const socket = connect(port, '127.0.0.1', () =>
      socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhello'),
    );
    let heard = '';
    socket.on('data', (chunk) => (heard += String(chunk)));
    await once(socket, 'close');
    expect(heard).toMatch(/^HTTP\/1.1 401 /);
    const connections = (): Promise<number> =>
      new Promise((resolve) => pod.getConnections((_error, count) => resolve(count)));
    await expect.poll(connections).toBe(0);
  });

  it('of HTTP/1.0 is told that its connection ends', async () => {
    const { port: pod } = await mirror();
    const { port } = await startGateway({ pods: podsAt(pod) });
    const answer = await say(port, 'GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*\r\nConnection: close\r\n/);
  });

  it('whose answer is cut short is cut short for the client', async () => {
    const { port: pod } = await httpPod((_request, response) => {
      response.writeHead(200, { 'Content-Length': 100 });
      response.write('half', () => response.destroy());
    });
    const { port } = await startGateway({ pods: podsAt(pod) });
    await expect(ask(port)).rejects.toThrow('aborted');
  });
});

it('sends cookies of stickiness with the answer, and comes back to the same pod with them', async () => {
  const named = (name: string) => httpPod((_request, response) => response.end(name));
  const [a, b] = [await named('a'), await named('b')];
  const cookie = {
    name: 'route',
    path: '/',
    httpOnly: true,
    secure: false,
    sameSite: 'lax',
    persistent: true,
  } as const;
  const { port } = await startGateway({
    pods: podsAt(a.port, b.port),
    routes: [testRoute({ stickiness: { by: 'cookie', cookie } })],
  });
  const first = await ask(port);
  const value = first.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  expect(value).toMatch(/^route=/);
  for (let i = 0; i < 4; i++) {
    const again = await ask(port, { headers: { cookie: value } });
    expect([again.body, again.headers['set-cookie']]).toEqual([first.body, undefined]);
  }
});

it('repeats a request whose idle connection the pod has closed meanwhile', async () => {
  const sockets: IncomingMessage['socket'][] = [];
  const { port: pod } = await httpPod((request, response) => {
    sockets.push(request.socket);
    response.end('ok');
  });
  const { port } = await startGateway({ pods: podsAt(pod) });
  expect((await ask(port)).status).toBe(200);
  // The pod resets the connection as soon as something comes.
  sockets[0]?.removeAllListeners('data');
  sockets[0]?.once('data', () => sockets[0]?.resetAndDestroy());
  expect((await ask(port)).status).toBe(200);
  expect(sockets.length).toBe(2);
});
