import { afterEach, describe, expect, it } from 'vitest';
import { ChaosProxy, type ChaosProxyOptions } from './chaos-proxy.js';
import { collect } from './collect.js';
import { freePort } from './free-port.js';
import type { LinkPlan } from './faults.js';
import { TcpPeers } from './tcp-peers.fixture.js';
import { until } from './until.js';
import { VirtualClock } from './virtual-clock.js';

const started: TcpPeers[] = [];
afterEach(async () => {
  for (const peers of started.splice(0)) await peers.close();
});

async function start(options: Partial<ChaosProxyOptions> = {}): Promise<TcpPeers> {
  const peers = await TcpPeers.start(options);
  started.push(peers);
  return peers;
}

describe('ChaosProxy', () => {
  it('gives the WebSocket URL it listens on', async () => {
    const { proxy } = await start();
    expect(proxy.url()).toBe(`ws://127.0.0.1:${proxy.port}/`);
    expect(proxy.url('chat?room=1')).toBe(`ws://127.0.0.1:${proxy.port}/chat?room=1`);
  });

  it('plans each link by its index and a random stream of its own, the same for the same seed', async () => {
    const drawn: number[][] = [];
    for (const [seed, extraDraws] of [
      [5, 0],
      [5, 3],
      [6, 0],
    ] as const) {
      const numbers: number[] = [];
      const plan: ChaosProxyOptions['plan'] = (index, random) => {
        numbers.push(index, random.int(0, 1_000_000));
        for (let draws = 0; draws < extraDraws; draws++) random();
        return {};
      };
      const peers = await start({ seed, plan });
      for (let links = 0; links < 3; links++) await peers.connect();
      drawn.push(numbers);
    }
    expect(drawn[0]).toEqual(drawn[1]);
    expect(drawn[0]).not.toEqual(drawn[2]);
    expect(drawn[0]?.filter((_, i) => i % 2 === 0)).toEqual([0, 1, 2]);
  });

  it('asks for the target anew for each connection', async () => {
    const other = await start();
    const first = await start();
    const targets = [first, other].map(({ server }) => ({ port: (server.address() as { port: number }).port }));
    let asked = 0;
    const peers = await start({ target: () => targets[asked++] ?? { port: 0 } });
    for (const { servers } of [first, other]) {
      (await peers.dial()).socket.write('x');
      await until(() => servers.length === 1);
    }
    expect(asked).toBe(2);
  });

  it('tells of each link and of its end', async () => {
    const peers = await start();
    const links = collect(peers.proxy, 'link');
    const ends = collect(peers.proxy, 'end');
    const { link } = await peers.connect();
    link.inject('cut');
    expect(await ends.waitFor(1)).toEqual([link]);
    expect(links.items).toEqual([link]);
  });

  it('injects a fault into every link and counts what it did', async () => {
    const peers = await start();
    const first = await peers.connect();
    const both = [first, await peers.connect()];
    first.client.socket.write('12345');
    await first.server.received(5);
    peers.proxy.inject('reset');
    await Promise.all(both.map(({ link }) => link.ended));
    await until(() => peers.proxy.links.length === 0);
    expect(peers.proxy.statistics).toEqual({
      accepted: 2,
      refused: 0,
      open: 0,
      bytesUp: 5,
      bytesDown: 0,
      faults: { cut: 0, reset: 2, fin: 0, blackHole: 0, freeze: 0 },
    });
  });

  it('freezes, shapes and thaws every link', async () => {
    const peers = await start();
    const { client, server, link } = await peers.connect();
    peers.proxy.inject('freeze');
    peers.proxy.shape({ chunkBytes: 1 }, 'up');
    client.socket.write('abc');
    peers.proxy.thaw();
    expect(String(await server.received(3))).toBe('abc');
    expect(link.open).toBe(true);
  });

  it('resets the connections that the plan refuses and carries on the others', async () => {
    const peers = await start({ plan: (index): LinkPlan => ({ refuse: index === 0 }) });
    const refused = await peers.dial();
    await until(() => refused.state() === 'reset');
    await peers.connect();
    expect(peers.proxy.statistics).toMatchObject({ accepted: 1, refused: 1, open: 1 });
    expect(peers.servers).toHaveLength(1);
  });

  it('resets the client when the target cannot be reached', async () => {
    const port = await freePort();
    const peers = await start({ target: { port } });
    const link = peers.proxy.nextLink();
    const client = await peers.dial();
    expect(await (await link).ended).toBe('target unreachable');
    await until(() => client.state() === 'reset');
  });

  it('drops connections beyond its bound of links', async () => {
    const peers = await start({ linksMax: 1 });
    const { link } = await peers.connect();
    const second = await peers.dial();
    await until(() => second.state() !== 'open');
    expect(peers.proxy.statistics).toMatchObject({ accepted: 1, refused: 1 });
    expect(link.open).toBe(true);
  });
});

describe('a proxy that is offline', () => {
  it('cuts its links and resets new ones until it is online again', async () => {
    const peers = await start();
    const { client, server } = await peers.connect();
    peers.proxy.offline();
    await until(() => client.state() !== 'open' && server.state() !== 'open');
    const refused = await peers.dial();
    await until(() => refused.state() === 'reset');
    await peers.proxy.online();
    expect((await peers.connect()).link.open).toBe(true);
  });

  it('comes back by itself after the time it was given', async () => {
    const clock = new VirtualClock();
    const peers = await start({ clock });
    peers.proxy.offline(1000);
    peers.proxy.offline(2000);
    clock.advance(1999);
    const refused = await peers.dial();
    await until(() => refused.state() === 'reset');
    clock.advance(1);
    await peers.connect();
    expect(clock.pending).toBe(0);
  });

  it('can stop listening and listen on the same port again, while open links go on', async () => {
    const peers = await start();
    const { client, server } = await peers.connect();
    peers.proxy.refuse('stopListening');
    const refused = await peers.dial();
    expect(refused.state()).toBe('closed');
    client.socket.write('still here');
    await server.received(10);
    await peers.proxy.online();
    await peers.connect();
  });
});

describe('closing a proxy', () => {
  it('destroys its links, frees its port and can be said twice', async () => {
    const peers = await start();
    const { client, server, link } = await peers.connect();
    link.inject('blackHole');
    const { port } = peers.proxy;
    await peers.proxy[Symbol.asyncDispose]();
    await peers.proxy.close();
    expect(await link.ended).toBe('proxy closed');
    await until(() => client.state() !== 'open' && server.state() !== 'open');
    const next = await ChaosProxy.listen({ target: { port: 1 }, port });
    await next.close();
  });

  it('fails to listen where something else does', async () => {
    const peers = await start();
    const listening = ChaosProxy.listen({ target: { port: 1 }, port: peers.proxy.port });
    await expect(listening).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
