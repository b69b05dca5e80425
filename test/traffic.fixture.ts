import { once } from 'node:events';
import { until } from '@holdfast/testing';
import { expect, it } from 'vitest';
import { COOKIE, route } from '../packages/hops/src/render/environment.fixture.js';
import type { Backend } from './backends.fixture.js';
import { backendOf, handshake } from './handshake.fixture.js';

/** A proxy with {@link TRAFFIC_ROUTES} before three backends, which trusts this machine to tell the addresses of clients. */
export interface Traffic {
  readonly url: string;
  readonly backends: readonly Backend[];
}

export const TRAFFIC_ROUTES = [
  route('/ws'),
  route('/by-address', { stickiness: { by: 'ip' } }),
  route('/by-header', { stickiness: { by: 'header', header: 'X-User-Id' } }),
  route('/by-session', { stickiness: { by: 'session' } }),
  route('/by-cookie', { stickiness: COOKIE }),
  route('/api', { kind: 'rest', readMs: 5000 }),
];

/** The header with which a trusted proxy tells the address of a client. */
export const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address });

/** What every rendered proxy has to do alike. */
export function carriesTraffic(traffic: () => Traffic): void {
  it('upgrades, carries messages both ways, and tells the pod who the client is', async () => {
    const shaken = await handshake(`${traffic().url}/ws/deep?x=1`, from('203.0.113.7'));
    if (!shaken.socket) throw new Error(`refused: ${shaken.status}`);
    expect(shaken.heard.url).toBe('/ws/deep?x=1');
    expect(shaken.heard.headers).toMatchObject({
      'x-forwarded-for': '203.0.113.7',
      'x-real-ip': '203.0.113.7',
      upgrade: 'websocket',
    });
    const echoed = once(shaken.socket, 'message');
    shaken.socket.send('x'.repeat(100_000));
    expect(String((await echoed)[0])).toHaveLength(100_000);
    shaken.socket.close();
  });

  it('keeps a client on its pod by address, and spreads addresses over all', async () => {
    const ofOne = await Promise.all(
      Array.from({ length: 8 }, () => backendOf(`${traffic().url}/by-address`, from('198.51.100.9'))),
    );
    expect(new Set(ofOne).size).toBe(1);
    const ofMany = await Promise.all(
      Array.from({ length: 30 }, (_, i) => backendOf(`${traffic().url}/by-address`, from(`10.${i}.1.1`))),
    );
    expect(new Set(ofMany).size).toBe(3);
  });

  it('keeps a client on its pod by a header, whatever its address, and spreads values over all', async () => {
    const own = (user: string, i: number): Record<string, string> => ({ 'x-user-id': user, ...from(`10.0.${i}.1`) });
    const ofOne = await Promise.all(
      Array.from({ length: 8 }, (_, i) => backendOf(`${traffic().url}/by-header`, own('ada', i))),
    );
    expect(new Set(ofOne).size).toBe(1);
    const ofMany = await Promise.all(
      Array.from({ length: 30 }, (_, i) => backendOf(`${traffic().url}/by-header`, own(`user-${i}`, 1))),
    );
    expect(new Set(ofMany).size).toBe(3);
  });

  it('keeps a session on its pod by the parameter with which its client resumes', async () => {
    const ofOne = await Promise.all(Array.from({ length: 8 }, () => backendOf(`${traffic().url}/by-session?hf=s-1`)));
    expect(new Set(ofOne).size).toBe(1);
  });

  it('sends the clients of a pod that died to another, and back when it is there again', async () => {
    const who = { 'x-user-id': 'grace' };
    const home = await backendOf(`${traffic().url}/by-header`, who);
    const dead = traffic().backends.find(({ name }) => name === home);
    await dead?.kill();
    const away = await Promise.all(Array.from({ length: 6 }, () => backendOf(`${traffic().url}/by-header`, who)));
    expect(new Set(away).size).toBe(1);
    expect(away[0]).not.toBe(home);
    await dead?.listen();
    await until(async () => (await backendOf(`${traffic().url}/by-header`, who)) === home, {
      timeoutMs: 20_000,
      everyMs: 500,
    });
  });
}
