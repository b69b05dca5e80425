import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { answerHealth, type HealthReport } from './health.js';

const REPORT: HealthReport = {
  ready: true,
  pod: 'a',
  draining: false,
  storeTroubled: false,
  sessions: 3,
  attached: 2,
  plain: 1,
  handshakes: 0,
};

async function ask(report: HealthReport, path: string, method = 'GET') {
  const http = createServer((incoming, response) => {
    if (!answerHealth(incoming, response, () => report)) response.writeHead(404).end();
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => void http.close());
  const asked = request({ port: (http.address() as AddressInfo).port, host: '127.0.0.1', path, method, agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

test('a pod that is ready says so', async () => {
  const { status, headers, body } = await ask(REPORT, '/readyz?verbose');
  expect(status).toBe(200);
  expect(headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
  expect(JSON.parse(body)).toEqual(REPORT);
});

test('a pod that drains is not ready and lives', async () => {
  const report = { ...REPORT, ready: false, draining: true };
  expect((await ask(report, '/readyz')).status).toBe(503);
  expect((await ask(report, '/healthz')).status).toBe(200);
});

test('HEAD gets the status without the body', async () => {
  const { status, headers, body } = await ask(REPORT, '/healthz', 'HEAD');
  expect([status, body]).toEqual([200, '']);
  expect(Number(headers['content-length'])).toBeGreaterThan(0);
});

test('other paths and methods are left to the application', async () => {
  expect((await ask(REPORT, '/healthz/deep')).status).toBe(404);
  expect((await ask(REPORT, '/healthz', 'POST')).status).toBe(404);
});
