import { until, VirtualClock } from '@holdfast/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FoundPod } from '../pool/index.js';
import { DnsLookout, type DnsOptions } from './dns.js';
import { NameServer } from './name-server.fixture.js';

let server: NameServer;
let clock: VirtualClock;
let lookout: DnsLookout;
let found: (readonly FoundPod[])[];
let troubles: string[];

beforeEach(async () => {
  server = await NameServer.start();
  clock = new VirtualClock();
  [found, troubles] = [[], []];
});
afterEach(async () => {
  lookout.close();
  server.close();
  await until(() => clock.pending === 0, { what: 'no timer to be left' });
});

function look(options: Partial<DnsOptions> = {}): void {
  lookout = new DnsLookout(
    { name: 'web.test', record: 'A', port: 80, refreshMs: 10_000, ...options },
    { found: (pods) => void found.push(pods), troubled: (error) => void troubles.push(error.message) },
    clock,
    { servers: [server.address], random: () => 0.5 },
  );
}
const hosts = (): (string[] | undefined)[] => found.map((pods) => pods.map(({ host, port }) => `${host}:${port}`));
/** One look has ended: its successor waits. */
const looked = (): Promise<unknown> => until(() => clock.pending === 1);
async function lookAgain(): Promise<void> {
  clock.advance(10_000);
  await looked();
}

describe('A records', () => {
  it('are all taken, in an order of their own, and again after each interval', async () => {
    server.a('web.test', '127.0.0.3', '127.0.0.2');
    look();
    await looked();
    server.a('web.test', '127.0.0.2', '127.0.0.4');
    clock.advance(9_999);
    expect(hosts()).toEqual([['127.0.0.2:80', '127.0.0.3:80']]);
    clock.advance(1);
    await looked();
    expect(hosts().at(-1)).toEqual(['127.0.0.2:80', '127.0.0.4:80']);
  });

  it('may be IPv6 where there is no IPv4', async () => {
    server.records.set('AAAA web.test', [{ type: 'AAAA', name: 'web.test', data: '2001:db8::1' }]);
    look();
    await looked();
    expect(found.at(-1)).toEqual([{ host: '2001:db8::1', port: 80 }]);
  });

  it.each([
    ['the server fails', () => (server.mood = 'failing'), 'ESERVFAIL'],
    ['the name has gone, as that of a headless Service without ready pods', () => server.records.clear(), 'ENOTFOUND'],
  ])('stay as they were while %s, which is told once', async (_, happen, code) => {
    server.a('web.test', '127.0.0.2');
    look();
    await looked();
    happen();
    await lookAgain();
    await lookAgain();
    expect([hosts(), troubles]).toEqual([
      [['127.0.0.2:80']],
      [expect.stringMatching(new RegExp(`^HF_DISCOVERY: .*dns web.test: .*${code}`))],
    ]);
    server.mood = 'well';
    server.a('web.test', '127.0.0.9');
    await lookAgain();
    expect(hosts().at(-1)).toEqual(['127.0.0.9:80']);
  });
});

describe('SRV records', () => {
  const srv = (target: string, port: number, weight = 1, priority = 0) =>
    ({ type: 'SRV', name: '_ws._tcp.web.test', data: { target, port, weight, priority } }) as const;

  it('have ports, weights, and backups; a name that has one address is the id of its pod', async () => {
    const records = [srv('web-0.web.test', 8_080, 5), srv('web-1.web.test', 8_081, 0), srv('old.test', 80, 1, 10)];
    server.records.set('SRV _ws._tcp.web.test', records);
    server.a('web-0.web.test', '127.0.0.2');
    server.a('web-1.web.test', '127.0.0.3');
    server.a('old.test', '127.0.0.8', '127.0.0.9');
    look({ name: '_ws._tcp.web.test', record: 'SRV' });
    await looked();
    const pods = [...(found[0] ?? [])].sort((a, b) => (a.host < b.host ? -1 : 1));
    expect(pods).toEqual([
      { host: '127.0.0.2', port: 8_080, id: 'web-0.web.test:8080', weight: 5, backup: false },
      { host: '127.0.0.3', port: 8_081, id: 'web-1.web.test:8081', weight: 1, backup: false },
      { host: '127.0.0.8', port: 80, id: undefined, weight: 1, backup: true },
      { host: '127.0.0.9', port: 80, id: undefined, weight: 1, backup: true },
    ]);
  });

  it('count only when all their names have addresses: half an answer is a failure', async () => {
    server.records.set('SRV _ws._tcp.web.test', [srv('web-0.web.test', 80), srv('lost.test', 80)]);
    server.a('web-0.web.test', '127.0.0.2');
    look({ name: '_ws._tcp.web.test', record: 'SRV' });
    await looked();
    expect([found, troubles]).toEqual([[], [expect.stringMatching(/ENOTFOUND lost\.test/)]]);
  });
});

describe('close', () => {
  it('ends a question that is under way, and tells nothing of it', async () => {
    server.mood = 'silent';
    look();
    lookout.close();
    await new Promise((resolve) => setImmediate(resolve));
    expect([found, troubles, clock.pending]).toEqual([[], [], 0]);
  });
});
