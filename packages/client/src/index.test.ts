import { collect, until } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { journal } from './fake-socket.fixture.js';
import { WebSocket } from './index.js';
import { scriptedServer } from './real-server.fixture.js';

// Over real sockets, with a server that the test plays frame by frame.

const eager = { random: () => 0, environment: 'development' } as const;

describe('a session over ws', () => {
  it('carries text, bytes and Blobs both ways, and ends with a bye', async () => {
    await using server = await scriptedServer();
    const socket = new WebSocket(server.url, 'chat', { ...eager, auth: 'token' });
    const events = journal(socket);
    const pod = await server.nextTransport();
    expect(pod.socket.protocol).toBe('holdfast.v1+chat');
    expect((await pod.hear('hello')).body.auth).toBe('token');
    pod.welcome();
    await until(() => socket.readyState === 1);
    expect(socket.protocol).toBe('chat');

    socket.send('text é');
    socket.send(Uint8Array.of(7));
    socket.send(new Blob(['blob']));
    expect(await pod.hear('m')).toMatchObject({ n: 1, data: 'text é', binary: false });
    expect(await pod.hear('m')).toMatchObject({ n: 2, data: Buffer.of(7), binary: true });
    expect(await pod.hear('m')).toMatchObject({ n: 3, data: Buffer.from('blob'), binary: true });

    const messages = collect<unknown>(socket, 'message', { map: ({ data }: MessageEvent) => data as unknown });
    socket.binaryType = 'arraybuffer';
    pod.say({ type: 'm', n: 1, ack: 3, data: 'answer é', binary: false });
    pod.say({ type: 'm', n: 2, ack: 3, data: Uint8Array.of(8, 9), binary: true });
    const [text, bytes] = await messages.waitFor(2);
    expect(text).toBe('answer é');
    expect(new Uint8Array(bytes as ArrayBuffer)).toEqual(Uint8Array.of(8, 9));

    socket.close(4000, 'enough');
    expect(await pod.hear('bye')).toEqual({ type: 'bye', code: 4000, reason: 'enough' });
    pod.say({ type: 'bye', code: 4000, reason: '' });
    await until(() => socket.readyState === 3);
    expect(events.at(-1)).toBe('close 4000 enough clean');
  });

  it('goes on over another transport when one is cut, again and again', async () => {
    await using server = await scriptedServer();
    const socket = new WebSocket(server.url, [], eager);
    const events = journal(socket);
    let pod = await server.nextTransport();
    await pod.hear('hello');
    pod.welcome();
    await until(() => socket.readyState === 1);
    for (let round = 1; round <= 3; round++) {
      socket.send(`before ${round}`);
      await pod.hear('m');
      pod.socket.terminate();
      await until(() => socket.getStatistics().state === 'recovering');
      socket.send(`during ${round}`);
      pod = await server.nextTransport();
      const { body } = await pod.hear('resume');
      expect(body).toMatchObject({ session: 's1', token: round === 1 ? 't1' : 't2', received: round - 1 });
      pod.resumed({ received: 2 * round - 2, offset: round - 1, end: round });
      pod.say({ type: 'm', n: round, ack: 2 * round - 2, data: `missed ${round}`, binary: false });
      expect(await pod.hear('r')).toMatchObject({ n: 2 * round - 1, data: `before ${round}` });
      expect(await pod.hear('m')).toMatchObject({ n: 2 * round, data: `during ${round}` });
      pod.say({ type: 'ack', ack: 2 * round, topics: [] });
      await until(() => events.at(-1) === 'recovered 1');
    }
    expect(server.requests.map(({ url }) => url)).toEqual(['/path', '/path?hf=s1', '/path?hf=s1', '/path?hf=s1']);
    const round = (n: number) => ['recovering 1006', `message missed ${n}`, 'recovered 1'];
    expect(events).toEqual(['open', ...round(1), ...round(2), ...round(3)]);
    expect(socket.getStatistics()).toMatchObject({ recoveries: 3, sent: 6, resent: 3, received: 3, missing: 0 });
    pod.say({ type: 'bye', code: 1000, reason: '' });
    await until(() => socket.readyState === 3);
  });

  it('moves when the server drains, and hears of gaps', async () => {
    await using server = await scriptedServer();
    const socket = new WebSocket(server.url, [], eager);
    const events = journal(socket);
    const first = await server.nextTransport();
    await first.hear('hello');
    first.welcome();
    first.say({ type: 'sub', topic: 'news', epoch: 'n1', n: 0 });
    first.say({ type: 'drain', afterMs: 0, withinMs: 0 });
    const second = await server.nextTransport();
    await second.hear('resume');
    const closes = collect<number>(first.socket, 'close');
    second.resumed({ topics: [{ topic: 'news', epoch: 'n1', offset: 0, end: 6 }] });
    second.say({ type: 'gap', topic: 'news', from: 1, to: 5, epoch: 'n1' });
    second.say({ type: 't', topic: 'news', n: 6, data: 'six', binary: false });
    await until(() => events.length === 4);
    expect(events).toEqual(['open', 'moved p2', 'gap news 1 5', 'message news: six']);
    expect(await closes.waitFor(1)).toEqual([4507]);
    second.say({ type: 'bye', code: 1000, reason: '' });
    await until(() => socket.readyState === 3);
  });

  it('is refused as a whole where the server says that it is over', async () => {
    await using server = await scriptedServer();
    const socket = new WebSocket(server.url, [], eager);
    const events = journal(socket);
    const pod = await server.nextTransport();
    await pod.hear('hello');
    pod.socket.close(4503, 'HF_UNAUTHORIZED');
    await until(() => socket.readyState === 3);
    expect(events).toEqual(['error', 'close 4503 HF_UNAUTHORIZED unclean']);
  });
});
