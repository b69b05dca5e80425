import { until, VirtualClock } from '@holdfast/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiServer } from './api-server.fixture.js';
import { KubernetesLookout } from './kubernetes.js';

// The API server is scripted (see the fixture); client, connections and streams are real.

let api: ApiServer;
let clock: VirtualClock;
let lookout: KubernetesLookout | undefined;
let found: string[];
let troubles: string[];

beforeEach(async () => {
  api = await ApiServer.start();
  clock = new VirtualClock();
  [found, troubles] = [[], []];
});
afterEach(async () => {
  lookout?.close();
  await until(() => api.connections === 0);
  await until(() => clock.pending === 0, { what: 'no timer to be left' });
  await api.close();
});

const slice = (name: string, ...pods: string[]) => ({
  metadata: { name },
  addressType: 'IPv4',
  ports: [{ name: 'ws', port: 80, protocol: 'TCP' }],
  endpoints: pods.map((pod, n) => ({ addresses: [`10.0.0.${n + 1}`], targetRef: { kind: 'Pod', name: pod } })),
});

function follow(): void {
  const finder = {
    found: (pods: readonly { id?: string }[]) => void found.push(pods.map(({ id }) => id).join(' ')),
    troubled: (error: Error) => void troubles.push(error.message),
  };
  lookout = new KubernetesLookout({ namespace: 'shop', service: 'web' }, finder, clock, {
    config: api.config,
    random: () => 1,
  });
}
const watching = (): Promise<unknown> => until(() => api.watching === 1);
const foundLast = (pods: string): Promise<unknown> => until(() => found.at(-1) === pods);
/** Lets what the lookout does after a failure happen, until it waits for so long, and then that time pass. */
async function wait(delayMs: number): Promise<void> {
  await until(() => (clock.nextDeadline() ?? 0) - clock.now() === delayMs);
  clock.advance(delayMs);
}

describe('KubernetesLookout', () => {
  it('finds the pods of the list, and follows what is added, changed and deleted', async () => {
    api.slices = [slice('a', 'web-0', 'web-1')];
    follow();
    await watching();
    api.change('ADDED', slice('b', 'web-2'), '2');
    await foundLast('web-0 web-1 web-2');
    api.change('MODIFIED', slice('a', 'web-0'), '3');
    await foundLast('web-0 web-2');
    api.change('DELETED', slice('b', 'web-2'), '4');
    await foundLast('web-0');
    expect(api.asked).toEqual(['list', 'watch 1']);
    expect(api.authorization).toEqual(new Set(['Bearer bearer-of-the-test']));
  });

  it('goes on from the version seen last when the watch ends in order; bookmarks count', async () => {
    follow();
    await watching();
    api.change('ADDED', slice('a', 'web-0'), '7');
    await foundLast('web-0');
    api.send('BOOKMARK', { metadata: { resourceVersion: '90' } });
    clock.advance(200_000);
    api.end('in order');
    await until(() => api.asked.length === 3);
    await watching();
    expect([api.asked, troubles, found]).toEqual([['list', 'watch 1', 'watch 90'], [], ['', 'web-0']]);
  });

  it('lists anew when the server does not know the version any more', async () => {
    follow();
    await watching();
    api.version = '500';
    api.slices = [slice('a', 'web-7')];
    clock.advance(5_000);
    api.send('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' });
    await foundLast('web-7');
    await watching();
    expect([api.asked, troubles]).toEqual([['list', 'watch 1', 'list', 'watch 500'], []]);
  });

  it('lists anew when the server answers the watch with 410', async () => {
    api.failures.push(200, 410);
    follow();
    await until(() => api.asked.length === 2);
    await wait(1_000);
    await watching();
    expect([api.asked, troubles]).toEqual([['list', 'watch 1', 'list', 'watch 1'], []]);
  });

  it('keeps the pods while the server fails, tells it once, and waits longer each time', async () => {
    api.slices = [slice('a', 'web-0')];
    follow();
    await watching();
    await foundLast('web-0');
    api.failures.push(503, 503, 503);
    clock.advance(5_000);
    api.end('in order');
    for (const delayMs of [1_000, 2_000, 4_000]) await wait(delayMs);
    await watching();
    expect(api.asked).toEqual(['list', 'watch 1', 'watch 1', 'watch 1', 'watch 1', 'watch 1']);
    expect(troubles).toEqual([expect.stringMatching(/^HF_DISCOVERY: .*kubernetes shop\/web: Service Unavailable/)]);
    expect(found).toEqual(['web-0']);
  });

  it('goes on when a connection is cut in the middle of a watch', async () => {
    follow();
    await watching();
    clock.advance(5_000);
    api.end('cut');
    await until(() => troubles.length === 1 || api.asked.length === 3);
    if (api.asked.length < 3) await wait(1_000);
    await watching();
    api.change('ADDED', slice('a', 'web-0'), '2');
    await foundLast('web-0');
    expect(api.asked.slice(0, 2)).toEqual(['list', 'watch 1']);
  });

  it('says what it may not do, and tries again', async () => {
    api.failures.push(403);
    follow();
    await until(() => troubles.length === 1);
    expect(troubles[0]).toMatch(/HTTP-Code: 403/);
    await wait(1_000);
    await watching();
  });

  it('gives up a watch that the server should have ended long ago', async () => {
    follow();
    await watching();
    clock.advance(270_000);
    await until(() => api.asked.length === 3);
    await watching();
    expect([api.asked.at(-1), troubles]).toEqual(['watch 1', []]);
  });

  it('tells nothing any more once it is closed', async () => {
    follow();
    await watching();
    lookout?.close();
    api.change('ADDED', slice('a', 'web-0'), '2');
    await until(() => api.connections === 0);
    expect(found).toEqual(['']);
  });
});
