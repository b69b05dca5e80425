import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { ChaosProxyOptions } from './chaos-proxy.js';
import type { Direction, LinkPlan } from './faults.js';
import { announceSeed, randomSeed, seededRandom } from './random.js';
import { settle, TcpPeers } from './tcp-peers.fixture.js';
import { until } from './until.js';
import { VirtualClock } from './virtual-clock.js';

let peers: TcpPeers;
afterEach(() => peers.close());

async function connected(plan: LinkPlan = {}, options: Partial<ChaosProxyOptions> = {}) {
  peers = await TcpPeers.start({ plan: () => plan, ...options });
  return peers.connect();
}

/** Bytes in which any other start, end or order shows: a count with a period that is prime to all powers of two. */
const numbered = (length: number): Buffer => Buffer.from(Uint8Array.from({ length }, (_, i) => i % 251));

describe('a link without faults', () => {
  it('carries bytes both ways unchanged and counts them', async () => {
    const { client, server, link } = await connected();
    const bytes = numbered(300_000);
    client.socket.write(bytes);
    server.socket.write('answer');
    expect((await server.received(bytes.length)).equals(bytes)).toBe(true);
    expect(String(await client.received(6))).toBe('answer');
    expect([link.bytesUp, link.bytesDown, link.bytesWaiting, link.bytesSwallowed]).toEqual([300_000, 6, 0, 0]);
    expect(link.open).toBe(true);
  });

  it('passes each end on by itself, so that a half-closed connection goes on', async () => {
    const { client, server, link } = await connected();
    client.socket.end('question');
    await until(() => server.state() === 'ended');
    expect(client.state()).toBe('open');
    server.socket.end('answer');
    expect(String(await client.received(6))).toBe('answer');
    expect(await link.ended).toBe('client closed');
    expect(peers.proxy.links).toEqual([]);
  });

  it('passes a reset on in either direction', async () => {
    const up = await connected();
    up.client.socket.resetAndDestroy();
    expect(await up.link.ended).toBe('client reset');
    await until(() => up.server.state() === 'reset');
    const down = await peers.connect();
    down.server.socket.resetAndDestroy();
    expect(await down.link.ended).toBe('target reset');
    await until(() => down.client.state() === 'reset');
  });

  it('holds a bounded number of bytes when the receiver does not read', async () => {
    const { client, server, link } = await connected({}, { bufferBytes: 100_000 });
    server.socket.pause();
    const chunk = Buffer.alloc(1_000_000);
    let written = 0;
    while (client.socket.write(chunk) || written < 20) {
      written++;
      await settle(5);
    }
    await settle(100);
    expect(link.bytesWaiting).toBeLessThanOrEqual(100_000 + 65_536);
    expect(client.socket.writableLength).toBeGreaterThan(0);
    server.socket.resume();
    await server.received((written + 1) * chunk.length);
  });
});

describe('a cut', () => {
  it.each<Direction>(['up', 'down'])(
    'comes after exactly n bytes %s, at random n and sizes of writes',
    async (direction) => {
      const seed = randomSeed();
      announceSeed('a cut comes after exactly n bytes', seed);
      const random = seededRandom(seed);
      peers = await TcpPeers.start();
      for (let round = 0; round < 40; round++) {
        const bytes = random.int(1, random.pick([20, 70_000, 400_000]));
        const plain = round % 2 === 0;
        peers.proxy.plan = () => ({
          faults: [{ kind: 'cut', after: { direction, bytes } }],
          [direction]: plain ? {} : { chunkBytes: random.int(1 + (bytes >> 8), 100_000) },
        });
        const { client, server, link } = await peers.connect();
        const [sender, receiver] = direction === 'up' ? [client, server] : [server, client];
        const message = numbered(bytes + random.int(0, 50_000));
        for (let sent = 0; sent < message.length && !sender.socket.destroyed;) {
          const size = random.int(1, 60_000);
          sender.socket.write(message.subarray(sent, (sent += size)));
          if (random.chance(0.2)) await nextTurn();
        }
        expect(await link.ended).toBe('cut');
        await until(() => receiver.state() !== 'open', { everyMs: 1 });
        expect(receiver.bytes().length).toBe(bytes);
        expect(receiver.bytes().equals(message.subarray(0, bytes))).toBe(true);
        expect(direction === 'up' ? link.bytesUp : link.bytesDown).toBe(bytes);
      }
    },
  );

  it('comes before the first byte when planned after 0', async () => {
    peers = await TcpPeers.start({
      plan: () => ({ faults: [{ kind: 'cut', after: { direction: 'down', bytes: 0 } }] }),
    });
    const client = await peers.dial();
    await until(() => client.state() === 'ended');
    expect(peers.proxy.statistics).toMatchObject({ bytesUp: 0, bytesDown: 0, faults: { cut: 1 } });
  });

  it('can be armed on a live link, counted from then', async () => {
    const { client, server, link } = await connected();
    client.socket.write('0123456789');
    await server.received(10);
    link.inject({ kind: 'cut', after: { direction: 'up', bytes: 3 } });
    client.socket.write('abcdefghijklmnopqrstuvwxyz');
    expect(await link.ended).toBe('cut');
    await until(() => server.state() !== 'open');
    expect(String(server.bytes())).toBe('0123456789abc');
  });

  it('ends both sides at once when no byte is named', async () => {
    const { client, server, link } = await connected();
    link.inject('cut');
    expect(link.open).toBe(false);
    await until(() => client.state() === 'ended' && server.state() === 'ended');
    link.inject('reset');
    expect(peers.proxy.statistics.faults).toMatchObject({ cut: 1, reset: 0 });
  });
});

describe('a reset and an orderly end', () => {
  it('resets both sides', async () => {
    const { client, server, link } = await connected();
    link.inject('reset');
    expect(await link.ended).toBe('reset');
    await until(() => client.state() === 'reset' && server.state() === 'reset');
  });

  it('finishes both directions in order, after what was read', async () => {
    const { client, server, link } = await connected({
      faults: [{ kind: 'fin', after: { direction: 'down', bytes: 5 } }],
    });
    server.socket.write('hello world');
    expect(await link.ended).toBe('fin');
    await until(() => client.state() === 'ended' && server.state() === 'ended');
    expect(String(client.bytes())).toBe('hello world');
  });

  it('finishes one direction and lets the other go on', async () => {
    const { client, server, link } = await connected();
    link.inject({ kind: 'fin', direction: 'up' });
    await until(() => server.state() === 'ended');
    client.socket.write('lost');
    server.socket.end('still heard');
    expect(String(await client.received(11))).toBe('still heard');
    expect(await link.ended).toBe('fin');
    expect(link.bytesUp).toBe(0);
  });
});

describe('a black hole', () => {
  it('swallows both directions while the sockets stay open', async () => {
    const { client, server, link } = await connected();
    link.inject('blackHole');
    client.socket.write('a'.repeat(300_000));
    server.socket.write('b'.repeat(200_000));
    await until(() => link.bytesSwallowed === 500_000);
    await settle();
    expect([client.bytes().length, server.bytes().length]).toEqual([0, 0]);
    expect([client.state(), server.state(), link.open]).toEqual(['open', 'open', true]);
  });

  it('swallows one direction only: a half-open connection', async () => {
    const { client, server, link } = await connected({
      faults: [{ kind: 'blackHole', direction: 'up', after: { direction: 'up', bytes: 4 } }],
    });
    client.socket.write('ping and more');
    expect(String(await server.received(4))).toBe('ping');
    server.socket.write('pong');
    expect(String(await client.received(4))).toBe('pong');
    await until(() => link.bytesSwallowed === 9);
    expect([server.bytes().length, server.state()]).toEqual([4, 'open']);
  });

  it.each(['end', 'resetAndDestroy'] as const)('keeps the news of a close from the other end (%s)', async (method) => {
    const { client, server, link } = await connected();
    link.inject('blackHole');
    client.socket[method]();
    await settle();
    server.socket.write('anyone there?');
    await settle();
    expect([server.state(), link.open]).toEqual(['open', true]);
    server.socket[method]();
    await link.ended;
    expect(link.bytesSwallowed).toBe(13);
  });

  it('swallows an end that was still waiting to be passed on', async () => {
    const { client, server, link } = await connected({ up: { delayMs: 1000 } }, { clock: new VirtualClock() });
    client.socket.end('bye');
    await until(() => link.bytesWaiting === 3);
    await settle();
    link.inject('blackHole');
    server.socket.end();
    expect(await link.ended).toBe('client closed');
    expect([link.bytesUp, link.bytesSwallowed]).toEqual([0, 3]);
  });
});
