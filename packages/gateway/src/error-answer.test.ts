import { errors } from '@holdfast/protocol';
import { expect, it } from 'vitest';
import { errorAnswer } from './error-answer.js';
import { noPod, refusal } from './refusal.js';

const headersOf = (headers: readonly string[]): Record<string, string> => {
  const found: Record<string, string> = {};
  for (let i = 0; i < headers.length; i += 2) found[headers[i] ?? ''] = headers[i + 1] ?? '';
  return found;
};

it('tells a program the code, the fix, when to come back, and the id under which the log has it', () => {
  const { status, headers, body } = errorAnswer(noPod(), 'id-1', 'json');
  expect(status).toBe(503);
  expect(JSON.parse(body)).toEqual({
    error: 'HF_POD_NONE',
    message: errors.POD_NONE.what,
    fix: errors.POD_NONE.fix,
    retryMs: 2_000,
    requestId: 'id-1',
  });
  expect(headersOf(headers)).toMatchObject({
    'Retry-After': '2',
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
    'X-Request-Id': 'id-1',
  });
});

it('tells a person the same as a page, in which nothing of a request is markup', () => {
  const why = refusal(426, errors.UPGRADE, '<script>"&', { 'Sec-WebSocket-Version': '13' });
  const { headers, body } = errorAnswer(why, 'id-<2>', 'html');
  expect(body).toContain('<h1>426 Upgrade Required</h1>');
  expect(body).toContain('&lt;script&gt;&quot;&amp;');
  expect(body).toContain('HF_UPGRADE, request id-&lt;2&gt;');
  expect(headersOf(headers)).toMatchObject({
    'Sec-WebSocket-Version': '13',
    'Content-Type': 'text/html; charset=utf-8',
  });
});
