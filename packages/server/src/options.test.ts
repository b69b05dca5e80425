import { expect, test } from 'vitest';
import { nameOfRun, sessionOptions, type ServerOptions } from './options.js';

test('maxPayload is the policy that clients are told', () => {
  expect(sessionOptions({ maxPayload: 1_000 }).policy.maxPayloadBytes).toBe(1_000);
  expect(sessionOptions({ maxPayload: 1_000, policy: { maxPayloadBytes: 2_000 } }).policy.maxPayloadBytes).toBe(2_000);
});

test.each<[string, ServerOptions]>([
  ['handshakeMs', { handshakeMs: 0 }],
  ['leaseMs', { leaseMs: -1 }],
  ['writeMs', { writeMs: Number.NaN }],
  ['executionMs', { executionMs: 1.5 }],
  ['closeMs', { closeMs: 2 ** 31 }],
  ['maxPendingBytes', { maxPendingBytes: Infinity }],
  ['pingMs', { policy: { pingMs: 0 } }],
  ['deadMs', { policy: { pingMs: 2_000, deadMs: 2_000 } }],
  ['backgroundDeadMs', { policy: { backgroundPingMs: 60_000 } }],
  ['messages', { policy: { window: { messages: 0, bytes: 1 } } }],
  ['acceptsPerSecond', { admission: { acceptsPerSecond: 0 } }],
  ['openMs', { admission: { breaker: { failures: 1, openMs: 0 } } }],
  ['policy', { policy: { retryMaxMs: 1 } }],
  ['pingms', { policy: { pingms: 1 } as object }],
  ['message', { policy: { window: { messages: 1, bytes: 1, message: 1 } as never } }],
  ['sessionsMax', { admission: { sessionsMax: 1 } as object }],
  ['open', { admission: { breaker: { failures: 1, openMs: 1, open: 1 } as never } }],
  ['pings', { keepalive: { pings: 1 } as object }],
  ['maxAge', { rotation: { maxAge: 1 } as object }],
  ['secret', { drainRequests: { secret: 'x' } as object }],
  ['pongMs', { keepalive: { pongMs: 10_000 } }],
])('an impossible %s is refused by name', (name, options) => {
  expect(() => sessionOptions(options)).toThrow(new RegExp(`HF_OPTION.*${name}`));
});

test('the name of a process is new for each run, and fits however long its beginning is', () => {
  expect(nameOfRun({})).toMatch(/^pod-[\da-f]{12}$/);
  expect(nameOfRun({ pod: 'web-0' })).not.toBe(nameOfRun({ pod: 'web-0' }));
  expect(nameOfRun({ pod: `${'x'.repeat(62)}-7`, run: 'r1' })).toBe(`${'x'.repeat(59)}-7-r1`);
});

test.each([{ pod: 'a b' }, { pod: 'x'.repeat(65) }, { run: '' }, { run: 'x'.repeat(17) }])(
  '%j names no process',
  (name) => {
    expect(() => nameOfRun(name)).toThrow('HF_OPTION');
  },
);
