import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { offerOf, retryHint } from '@holdfast/protocol';
import { until, VirtualClock } from '@holdfast/testing';
import { describe, expect, test } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import { FaultyStore } from './faulty-store.fixture.js';
import type { ServerOptions } from './options.js';
import { RawClient } from './raw-client.fixture.js';
import { serve, serverClock } from './server.fixture.js';

/** How a plain client is refused. */
async function refusedPlain(url: string, options: ClientOptions = {}) {
  const client = new WebSocket(url, options);
  const [, response] = (await once(client, 'unexpected-response')) as [unknown, IncomingMessage];
  const { statusCode, headers } = response;
  const body = await text(response);
  return { status: statusCode, retryAfter: headers['retry-after'], body };
}

/** How a client of ours is refused: it is let in to be told. */
async function refusedSession(url: string, options: ClientOptions = {}) {
  const client = await RawClient.connect(url, options);
  return client.closed;
}

test('a page of another origin is refused: 403, and 4503 for a client of ours', async () => {
  const { url } = await serve();
  const options = { headers: { Origin: 'https://evil.example' } };
  expect(await refusedPlain(url, options)).toMatchObject({ status: 403, body: 'HF_ORIGIN' });
  expect(await refusedSession(url, options)).toEqual({ code: 4503, reason: 'HF_ORIGIN' });
  await RawClient.begin(url, {}, { headers: { Origin: 'http://127.0.0.1:3000' } });
});

describe('verifyClient', () => {
  test('refuses with its status and message, and 4503', async () => {
    const { url, wss } = await serve({ verifyClient: (_info, done) => done(false, 402, 'Pay', { 'X-Why': 'x' }) });
    expect(await refusedPlain(url)).toMatchObject({ status: 402, body: 'Pay' });
    expect(await refusedSession(url)).toEqual({ code: 4503, reason: 'HF_UNAUTHORIZED' });
    await until(() => wss.health.handshakes === 0);
  });

  test('is asked at each attach', async () => {
    let allowed = true;
    const { url } = await serve({ verifyClient: () => allowed });
    const client = await RawClient.begin(url);
    allowed = false;
    expect(await refusedPlain(url)).toMatchObject({ status: 401 });
    const back = await RawClient.connect(`${url}?hf=${client.ticket.session}`);
    expect((await back.closed).code).toBe(4503);
  });

  test('that throws ends the connection and gives its place back', async () => {
    const { url, wss } = await serve({
      verifyClient: () => {
        throw new Error('oops');
      },
    });
    const failures: Error[] = [];
    wss.on('handlerError', (error) => failures.push(error));
    const client = new WebSocket(url);
    await once(client, 'error');
    await until(() => failures.length === 1);
    expect(wss.health.handshakes).toBe(0);
  });

  test('that never answers is taken for a no when the handshake has taken too long', async () => {
    const clock = new VirtualClock();
    const asked: unknown[] = [];
    const { url, wss } = await serve({
      clock: serverClock(clock),
      handshakeMs: 5_000,
      verifyClient: (info, _done) => asked.push(info),
    });
    const plain = refusedPlain(url);
    const session = refusedSession(url);
    await until(() => asked.length === 2);
    expect(wss.health.handshakes).toBe(2);
    clock.advance(5_000);
    expect(await plain).toMatchObject({ status: 503, body: 'HF_HANDSHAKE' });
    expect(await session).toEqual({ code: 4504, reason: 'HF_HANDSHAKE' });
    await until(() => wss.health.handshakes === 0);
  });

  test('that says yes when its client has gone changes nothing', async () => {
    const answers: ((accepted: boolean) => void)[] = [];
    const { url, wss } = await serve({ verifyClient: (_info, done) => answers.push(done) });
    for (const protocols of [[], offerOf([])]) {
      const client = new WebSocket(url, protocols);
      client.on('error', () => undefined);
      await until(() => answers.length === 1);
      const closed = new Promise((resolve) => client.on('close', resolve));
      client.terminate();
      await closed;
      answers.pop()?.(true);
      await until(() => wss.health.handshakes === 0 && wss.health.plain === 0);
    }
    expect(wss.health.sessions).toBe(0);
  });
});

describe('authenticate', () => {
  test('decides by the auth of the first frame, at each attach', async () => {
    const { url } = await serve({ authenticate: (auth) => auth === 'secret' });
    const client = await RawClient.begin(url, { auth: 'secret' });
    const thief = await RawClient.connect(url);
    thief.say({ type: 'hello', body: { window: { messages: 1, bytes: 1 }, auth: 'guess' } });
    expect(await thief.closed).toEqual({ code: 4503, reason: 'HF_UNAUTHORIZED' });
    const back = await RawClient.ask(url, client.ticket);
    expect((await back.closed).code).toBe(4503);
    await RawClient.resume(url, client.ticket, { auth: 'secret' });
  });

  test('that throws is the application’s failure, not the store’s', async () => {
    const { url, wss } = await serve({
      authenticate: () => Promise.reject(new Error('oops')),
      admission: { breaker: { failures: 1, openMs: 10_000 } },
    });
    const failures: string[] = [];
    wss.on('handlerError', ({ message }) => failures.push(message));
    wss.on('storeError', () => failures.push('storeError'));
    for (let i = 0; i < 2; i++) {
      const client = await RawClient.connect(url);
      client.say({ type: 'hello', body: { window: { messages: 1, bytes: 1 } } });
      expect((await client.closed).code).toBe(1011);
    }
    expect(failures).toEqual(['oops', 'oops']);
    expect(wss.health).toMatchObject({ ready: true, handshakes: 0 });
  });
});

describe('a server at a limit', () => {
  /** 503 with Retry-After for plain clients, 1013 with a hint for ours. */
  async function expectBusy(url: string): Promise<void> {
    const plain = await refusedPlain(url);
    expect(plain).toMatchObject({ status: 503, body: 'HF_BUSY' });
    expect(Number(plain.retryAfter)).toBeGreaterThan(0);
    const session = await refusedSession(url);
    expect(session.code).toBe(1013);
    expect(retryHint(session.reason)).toBeGreaterThan(0);
  }

  test('of sessions refuses new ones and takes those that come back, also in another disguise', async () => {
    const { url, wss } = await serve({ admission: { maxSessions: 2 } });
    wss.on('connection', () => undefined);
    const client = await RawClient.begin(url);
    const plain = new WebSocket(url);
    await once(plain, 'open');
    await expectBusy(url);
    const disguised = await RawClient.connect(`${url}?hf=nothing`);
    disguised.say({ type: 'hello', body: { window: { messages: 1, bytes: 1 } } });
    expect((await disguised.closed).code).toBe(1013);
    await RawClient.resume(url, client.ticket);
    plain.close();
    await once(plain, 'close');
    await until(() => wss.health.plain === 0);
    await RawClient.begin(url);
  });

  test('of accepts a second refuses more, and takes them a little later', async () => {
    const clock = new VirtualClock();
    const { url, wss } = await serve({ clock: serverClock(clock), admission: { acceptsPerSecond: 2 } });
    for (let i = 0; i < 2; i++) await RawClient.begin(url);
    await expectBusy(url);
    clock.advance(500);
    await RawClient.begin(url);
    expect(wss.health.sessions).toBe(3);
  });

  test('of handshakes refuses more until one is through', async () => {
    const { url, wss } = await serve({ admission: { maxHandshakes: 2 } });
    const waiting = [await RawClient.connect(url), await RawClient.connect(url)];
    expect(wss.health.handshakes).toBe(2);
    expect(await refusedPlain(url)).toMatchObject({ status: 503 });
    waiting[0]?.say({ type: 'hello', body: { window: { messages: 1, bytes: 1 } } });
    await waiting[0]?.hear('welcome');
    waiting[1]?.drop();
    await until(() => wss.health.handshakes === 0);
    await RawClient.begin(url);
  });

  test('lets only so many of ours in to be told at once, and answers the others over HTTP', async () => {
    const { url } = await serve({ admission: { maxSessions: 1, maxHandshakes: 2 } });
    await RawClient.begin(url);
    const silent = [];
    for (let i = 0; i < 2; i++) {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      socket.write(
        `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
          `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: holdfast.v1\r\n\r\n`,
      );
      await once(socket, 'data');
      silent.push(socket);
    }
    const client = new WebSocket(url, offerOf([]));
    const [, response] = (await once(client, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(503);
    for (const socket of silent) socket.destroy();
    await until(async () => (await refusedSession(url).catch(() => undefined))?.code === 1013);
  });
});

test('a client that is turned away cannot have anything gathered while it hears why', async () => {
  const { url, connections } = await serve({ admission: { maxSessions: 1 }, maxPayload: 100_000_000, closeMs: 300 });
  await RawClient.begin(url);
  const client = new RawClient(new WebSocket(url, offerOf([])));
  client.ws.on('open', () => {
    const chunk = Buffer.alloc(100_000, 'x');
    for (let i = 0; i < 200; i++) client.ws.send(chunk, { fin: false });
  });
  expect((await client.closed).code).toBe(1013);
  expect(connections[1]?.bytesRead).toBeLessThan(1_000_000);
});

describe('the first frame', () => {
  const handshakeMs = 5_000;

  test('must come in time', async () => {
    const clock = new VirtualClock();
    const { url, wss } = await serve({ clock: serverClock(clock), handshakeMs });
    const client = await RawClient.connect(url);
    await until(() => wss.health.handshakes === 1);
    await clock.advanceAsync(handshakeMs - 1);
    expect(client.ws.readyState).toBe(WebSocket.OPEN);
    await clock.advanceAsync(1);
    expect(await client.closed).toEqual({ code: 4504, reason: 'HF_HANDSHAKE' });
    expect(wss.health.handshakes).toBe(0);
  });

  test('must be a greeting', async () => {
    const { url } = await serve();
    const client = await RawClient.connect(url);
    client.send(1, 'too early');
    expect(await client.closed).toEqual({ code: 4500, reason: 'HF_STATE' });
  });

  test('is small: a stranger cannot have a message gathered that is as large as those of a session may be', async () => {
    const { url, wss, connections } = await serve({ maxPayload: 100_000_000, closeMs: 300 });
    const client = await RawClient.connect(url);
    const chunk = Buffer.alloc(100_000, 'x');
    for (let i = 0; i < 200; i++) client.ws.send(chunk, { fin: false });
    expect(await client.closed).toEqual({ code: 1009, reason: 'HF_TOO_LARGE' });
    expect(connections[0]?.bytesRead).toBeLessThan(1_000_000);
    await until(() => wss.health.handshakes === 0);
  });

  test('is said once: a client that goes on before it is answered is refused', async () => {
    const store = new FaultyStore();
    const release = store.hold('create');
    const { url, wss } = await serve({ store });
    const client = await RawClient.connect(url);
    const hello = { type: 'hello', body: { window: { messages: 1, bytes: 1 } } } as const;
    client.say(hello);
    client.say(hello);
    expect(await client.closed).toEqual({ code: 4500, reason: 'HF_STATE' });
    release();
    await until(() => wss.health.handshakes === 0);
    expect(wss.clients.size).toBe(0);
    await until(async () => (await store.stats()).sessions === 0);
  });
});

describe('a store that fails', () => {
  const options = (clock: VirtualClock, store: FaultyStore): Partial<ServerOptions> => ({
    store,
    clock: serverClock(clock),
    admission: { breaker: { failures: 3, openMs: 10_000 } },
  });
  const window = { messages: 1, bytes: 1 };

  test('is told to each client that asks, with a hint, and to the application', async () => {
    const store = new FaultyStore();
    const { url, wss } = await serve(options(new VirtualClock(), store));
    const errors: unknown[] = [];
    wss.on('storeError', (error) => errors.push(error));
    const before = await RawClient.begin(url);
    store.failing.add('create').add('attach');
    const client = await RawClient.connect(url);
    client.say({ type: 'hello', body: { window } });
    expect(await client.closed).toEqual({ code: 1011, reason: 'HF_FAILED retry=1000' });
    expect((await (await RawClient.ask(url, before.ticket)).closed).code).toBe(1011);
    expect(errors).toHaveLength(2);
    store.failing.clear();
    await RawClient.resume(url, before.ticket);
  });

  test('is spared after some failures in a row, asked once when the time is over, and let alone or trusted by that', async () => {
    const clock = new VirtualClock();
    const store = new FaultyStore();
    const { url, wss } = await serve(options(clock, store));
    wss.on('storeError', () => undefined);
    store.failing.add('create');
    const ask = async (): Promise<number> => {
      const client = await RawClient.connect(url);
      client.say({ type: 'hello', body: { window } });
      return (await client.closed).code;
    };
    for (let i = 0; i < 3; i++) expect(await ask()).toBe(1011);
    expect(await ask()).toBe(1013);
    await clock.advanceAsync(10_000);
    expect(await ask()).toBe(1011);
    expect(await ask()).toBe(1013);
    store.failing.clear();
    await clock.advanceAsync(10_000);
    await RawClient.begin(url);
    await RawClient.begin(url);
  });

  test('is not given up for good when the one client that may try gives up', async () => {
    const clock = new VirtualClock();
    const store = new FaultyStore();
    const { url, wss } = await serve(options(clock, store));
    wss.on('storeError', () => undefined);
    store.failing.add('create');
    for (let i = 0; i < 3; i++) {
      const client = await RawClient.connect(url);
      client.say({ type: 'hello', body: { window } });
      await client.closed;
    }
    store.failing.clear();
    await clock.advanceAsync(10_000);
    const trial = await RawClient.connect(url);
    expect((await refusedSession(url)).code).toBe(1013);
    trial.drop();
    await until(() => wss.health.handshakes === 0);
    await RawClient.begin(url);
  });

  test('is not taken for recovered because a plain client has come', async () => {
    const clock = new VirtualClock();
    const store = new FaultyStore();
    const { url, wss } = await serve(options(clock, store));
    wss.on('storeError', () => undefined);
    store.failing.add('create');
    for (let i = 0; i < 3; i++) {
      const client = await RawClient.connect(url);
      client.say({ type: 'hello', body: { window } });
      expect((await client.closed).code).toBe(1011);
      if (i === 2) break;
      const plain = new WebSocket(url);
      await once(plain, 'open');
    }
    expect(await refusedPlain(url)).toMatchObject({ status: 503 });
  });
});

test('a client that leaves while the store is asked leaves nothing behind', async () => {
  const store = new FaultyStore();
  const { url, wss, connections } = await serve({ store });
  const release = store.hold('create');
  const client = await RawClient.connect(url);
  client.say({ type: 'hello', body: { window: { messages: 1, bytes: 1 } } });
  client.drop();
  await until(() => connections[0]?.destroyed);
  expect(wss.health.handshakes).toBe(1);
  release();
  await until(() => wss.health.handshakes === 0);
  expect(wss.clients.size).toBe(0);
  await until(async () => (await store.stats()).sessions === 0);
});
