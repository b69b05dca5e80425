import { describe, expect, it } from 'vitest';
import { Account } from './account.js';
import { loggedTarget, nginxLine } from './access-log.js';
import type { Visit } from './visit.js';

describe('what is logged of a target', () => {
  it.each([
    ['/a', '/a'],
    ['/a?token=secret', '/a?...'],
    ['/a?secret', '/a?...'],
    ['/a?token=secret&hf=abc-1', '/a?hf=abc-1'],
    ['/a?hf=abc&token=secret', '/a?hf=abc'],
    ['/a?hf=<script>', '/a?...'],
    ['/a?xhf=secret', '/a?...'],
    [`/${'a'.repeat(5_000)}`, `/${'a'.repeat(1_023)}`],
  ])('%s', (target, expected) => expect(loggedTarget(target)).toBe(expected));
});

it('writes a line as nginx does, and what a client chooses cannot break out of it', () => {
  const account = new Account();
  account.tried('127.0.0.1:3003');
  account.status = 101;
  account.toPod.messages = 2;
  account.endedBy('client', 'closed', 4_001);
  account.endedBy('pod', 'late');
  const visit = {
    id: 'x',
    account,
    method: 'GET',
    httpVersion: '1.1',
    agent: 'a"\nb',
    referer: 'https://a.test/',
    clientAddress: '192.0.2.7',
    target: '/ws?secret',
  };
  const line = nginxLine(visit as unknown as Visit, 1_500, new Date('2026-11-25T17:30:00Z'));
  expect(line).toBe(
    '192.0.2.7 - - [25/Nov/2026:17:30:00 +0000] "GET /ws?... HTTP/1.1" 101 0 "https://a.test/" "a\\"\\nb" ' +
      'rt=1.500 up=127.0.0.1:3003 in=0/2 out=0/0 code=4001 by=client cause=closed id=x',
  );
});
