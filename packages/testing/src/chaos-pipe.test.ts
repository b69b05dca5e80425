import { afterEach, describe, expect, it } from 'vitest';
import type { ChaosProxyOptions } from './chaos-proxy.js';
import type { LinkPlan } from './faults.js';
import { settle, TcpPeers } from './tcp-peers.fixture.js';
import { until } from './until.js';
import { VirtualClock } from './virtual-clock.js';

let peers: TcpPeers;
afterEach(() => peers.close());

async function connected(plan: LinkPlan = {}, options: Partial<ChaosProxyOptions> = {}) {
  peers = await TcpPeers.start({ plan: () => plan, ...options });
  return peers.connect();
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

describe('a freeze', () => {
  it('holds bytes back and thaws with nothing lost or swapped', async () => {
    const { client, server, link } = await connected({
      faults: [{ kind: 'freeze', after: { direction: 'up', bytes: 10 } }],
    });
    for (const letter of LETTERS) client.socket.write(letter);
    server.socket.write('down');
    await server.received(10);
    await settle();
    expect(String(server.bytes())).toBe(LETTERS.slice(0, 10));
    expect(link.bytesUp).toBe(10);
    link.thaw();
    expect(String(await server.received(26))).toBe(LETTERS);
    expect(String(await client.received(4))).toBe('down');
  });

  it('puts back-pressure on the sender and forwards its end after the thaw', async () => {
    const { client, server, link } = await connected({}, { bufferBytes: 1000 });
    link.inject({ kind: 'freeze', direction: 'up' });
    const chunk = Buffer.alloc(1_000_000);
    let chunks = 0;
    for (; chunks < 10 || client.socket.writableLength === 0; chunks++) client.socket.write(chunk);
    client.socket.end();
    await settle();
    expect(link.bytesWaiting).toBeLessThanOrEqual(1000 + 65_536);
    expect([server.bytes().length, server.state()]).toEqual([0, 'open']);
    link.thaw('up');
    await server.received(chunks * chunk.length);
    await until(() => server.state() === 'ended');
  });
});

describe('a shape', () => {
  it('splits what is forwarded into pieces of k bytes', async () => {
    const { client, server } = await connected({ up: { chunkBytes: 4 } });
    const sizes: number[] = [];
    server.socket.on('data', (chunk) => sizes.push(chunk.length));
    client.socket.write(LETTERS);
    await server.received(26);
    // Two pieces can meet in one read, when the first was written in the very turn in which the receiver came to read.
    expect(Math.max(...sizes)).toBeLessThanOrEqual(8);
    expect(String(server.bytes())).toBe(LETTERS);
  });

  it('delays every byte and the end, in order, on the clock it was given', async () => {
    const clock = new VirtualClock();
    const { client, server, link } = await connected({ up: { delayMs: 100 } }, { clock });
    client.socket.write('one');
    await until(() => link.bytesWaiting === 3);
    clock.advance(60);
    client.socket.end('two');
    await until(() => link.bytesWaiting === 6);
    clock.advance(39);
    await settle();
    expect(server.bytes().length).toBe(0);
    await clock.advanceAsync(1);
    expect(String(await server.received(3))).toBe('one');
    await clock.advanceAsync(59);
    await settle();
    expect(String(server.bytes())).toBe('one');
    await clock.advanceAsync(1);
    expect(String(await server.received(6))).toBe('onetwo');
    await clock.advanceAsync(100);
    await until(() => server.state() === 'ended');
  });

  it('throttles to its bytes per second on the clock it was given', async () => {
    const clock = new VirtualClock();
    const { client, server, link } = await connected({ up: { bytesPerSecond: 1000 } }, { clock });
    client.socket.write(Buffer.alloc(2000));
    await until(() => link.bytesWaiting + link.bytesUp === 2000);
    await clock.advanceAsync(500);
    await until(() => link.bytesUp >= 500);
    expect(link.bytesUp).toBeLessThanOrEqual(520);
    await clock.advanceAsync(500);
    expect(link.bytesUp).toBeGreaterThanOrEqual(980);
    expect(link.bytesUp).toBeLessThanOrEqual(1020);
    link.shape({});
    await server.received(2000);
  });

  it('lets a slow direction leave the other alone', async () => {
    const { client, server, link } = await connected({ down: { bytesPerSecond: 1 } }, { clock: new VirtualClock() });
    server.socket.write('slow');
    client.socket.write('fast'.repeat(50_000));
    await server.received(200_000);
    await until(() => link.bytesDown === 1);
    expect(link.ageMs).toBe(0);
  });

  it('refuses a shape that forwards nothing', async () => {
    const { link } = await connected();
    expect(() => link.shape({ bytesPerSecond: 0 })).toThrow('use freeze');
    expect(() => link.shape({ chunkBytes: 0.5 }, 'up')).toThrow('chunkBytes');
    expect(() => link.shape({ delayMs: -1 })).toThrow('delayMs');
    expect(() => link.inject({ kind: 'cut', after: { direction: 'up', bytes: -1 } })).toThrow(RangeError);
  });
});
