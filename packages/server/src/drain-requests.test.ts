import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { deferred } from '@holdfast/testing';
import { expect, onTestFinished, test } from 'vitest';
import type { DrainReport } from './drain.js';
import { answerDrain, type DrainRequests } from './drain-requests.js';
import { RawClient } from './raw-client.fixture.js';
import { WebSocketServer } from './server.js';
import { serve } from './server.fixture.js';

const REPORT: DrainReport = { asked: 3, moved: 2, cut: 1, tookMs: 7 };
const TOKEN = 'sixteen-or-more-characters';

async function post(port: number, path = '/drain', headers: Record<string, string> = {}, method = 'POST') {
  const asked = request({ port, host: '127.0.0.1', path, method, headers, agent: false });
  asked.end('ignored');
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

async function listening(options: Partial<DrainRequests> = {}) {
  let drains = 0;
  const drain = async (): Promise<DrainReport> => {
    drains++;
    return REPORT;
  };
  const http = createServer((incoming, response) => {
    if (!answerDrain(incoming, response, { drain, ...options })) response.writeHead(404).end();
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => void http.close());
  const { port } = http.address() as AddressInfo;
  return {
    ask: (...args: Parameters<typeof post> extends [number, ...infer Rest] ? Rest : never) => post(port, ...args),
    drains: () => drains,
  };
}

test('POST /drain drains, and is answered with the report when that is over', async () => {
  const { ask, drains } = await listening();
  const { status, headers, body } = await ask();
  expect([status, JSON.parse(body)]).toEqual([200, REPORT]);
  expect(headers).toMatchObject({ 'cache-control': 'no-store', connection: 'close' });
  expect(drains()).toBe(1);
});

test('with wait=0 it is answered at once', async () => {
  const never = deferred<DrainReport>();
  const { ask } = await listening({ drain: () => never.promise });
  expect(await ask('/drain?wait=0')).toMatchObject({ status: 202, body: '{"draining":true}' });
});

test('other methods and paths are left to the application', async () => {
  const { ask, drains } = await listening();
  expect((await ask('/drain', {}, 'GET')).status).toBe(404);
  expect((await ask('/drain/x')).status).toBe(404);
  expect(drains()).toBe(0);
});

test.each(['Origin', 'Forwarded', 'Via', 'X-Forwarded-For', 'X-Real-IP'])(
  'without a token a request with %s is refused: it is not from this machine alone',
  async (name) => {
    const { ask, drains } = await listening();
    const { status, body } = await ask('/drain', { [name]: 'something' });
    expect([status, JSON.parse(body)]).toMatchObject([403, { error: { code: 'HF_UNAUTHORIZED' } }]);
    expect(drains()).toBe(0);
  },
);

test('with a token only who presents it may, from wherever', async () => {
  const { ask, drains } = await listening({ token: TOKEN });
  for (const headers of [
    {},
    { Authorization: 'Bearer wrong' },
    { Authorization: TOKEN },
    { Authorization: 'Bearer' },
  ]) {
    const { status, headers: answered } = await ask('/drain', headers as Record<string, string>);
    expect([status, answered['www-authenticate']]).toEqual([401, 'Bearer']);
  }
  expect(drains()).toBe(0);
  expect((await ask('/drain', { Authorization: `Bearer ${TOKEN}`, 'X-Forwarded-For': '192.0.2.1' })).status).toBe(200);
});

test('a drain that fails is told', async () => {
  const { ask } = await listening({ drain: () => Promise.reject(new Error('oops')) });
  expect(await ask()).toMatchObject({ status: 500, body: expect.stringContaining('oops') as string });
});

test('a server answers only where its options say so', async () => {
  const open = new WebSocketServer({ port: 0, host: '127.0.0.1', drainRequests: {} });
  const shut = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await Promise.all([once(open, 'listening'), once(shut, 'listening')]);
  onTestFinished(() => {
    open.close();
    shut.close();
  });
  expect((await post((shut.address() as AddressInfo).port)).status).toBe(426);
  const answered = await post((open.address() as AddressInfo).port);
  expect([answered.status, JSON.parse(answered.body)]).toMatchObject([200, { asked: 0, cut: 0 }]);
  expect(open.health.ready).toBe(false);
});

test('a token that can be guessed is refused', async () => {
  await expect(serve({ drainRequests: { token: 'short' } })).rejects.toMatchObject({ code: 'HF_OPTION' });
});

test.each([
  { propagationMs: -1 },
  { spreadMs: NaN },
  { movesPerSecond: 0 },
  { deadlineMs: Infinity },
  { propagationMs: 2_000, deadlineMs: 1_000 },
])('a drain with impossible numbers is refused, and nothing is drained: %j', async (options) => {
  const { wss, url } = await serve();
  expect(() => wss.drain(options)).toThrow(expect.objectContaining({ code: 'HF_OPTION' }));
  expect(wss.health.ready).toBe(true);
  await RawClient.begin(url);
});
