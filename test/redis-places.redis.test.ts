import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Batch, Store } from '@holdfast/store';
import { RedisStore, type RedisStoreOptions } from '@holdfast/store-redis';
import { freePort, startProcess, until } from '@holdfast/testing';
import { createClient } from 'redis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { RedisServer } from './redis.fixture.js';

const NOW = 1_750_000_000_000;
const COMMAND = fileURLToPath(new URL('../packages/cli/dist/main.js', import.meta.url));
const APP = fileURLToPath(new URL('fixtures/effects.mjs', import.meta.url));

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'holdfast-redis-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

async function startServer(...flags: string[]): Promise<RedisServer> {
  const server = await RedisServer.start(flags);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

async function openStore(options: RedisStoreOptions): Promise<RedisStore> {
  const store = await RedisStore.open({ commandMs: 1_000, checkMs: 100, ...options });
  onTestFinished(() => store.close());
  return store;
}

const batchOf = (topic: string, text: string): Batch => ({
  pod: 'a',
  nowMs: NOW,
  parts: [{ effects: [{ type: 'publish', topic, data: Buffer.from(text), binary: false }] }],
});

async function textsOf(store: Store, topic: string): Promise<string[]> {
  const { entries } = await store.read(`t:${topic}`, 0, { entries: 100_000, bytes: 1e9 });
  return entries.map(({ data }) => Buffer.from(data).toString());
}

async function untilDone(store: Store, batch: Batch): Promise<void> {
  for (;;) {
    try {
      await store.commit(batch);
      return;
    } catch (error) {
      expect(error).toMatchObject({ retryable: true });
      await delay(50);
    }
  }
}

/** A real sentinel that watches this master, alone, and fails over soon. */
async function startSentinel(master: RedisServer): Promise<{ readonly port: number }> {
  const port = await freePort();
  const file = join(directory(), 'sentinel.conf');
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `sentinel monitor main 127.0.0.1 ${master.port} 1`,
    'sentinel down-after-milliseconds main 500',
    'sentinel failover-timeout main 3000',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const sentinel = await startProcess({
    command: 'redis-server',
    args: [file, '--sentinel'],
    ready: /\+monitor master main/,
  });
  onTestFinished(async () => {
    sentinel.kill('SIGKILL');
    await sentinel.exited;
  });
  return { port };
}

describe('sentinels', () => {
  it('lead to the master, and to the next one when it has died: each batch is applied once', async () => {
    const master = await startServer();
    const replica = await startServer('--replicaof', '127.0.0.1', `${master.port}`);
    await until(async () => /master_link_status:up/.test(String(await replica.command('INFO', 'replication'))), {
      timeoutMs: 20_000,
      what: 'the replica',
    });
    const sentinel = await startSentinel(master);
    const client = createClient({ url: `redis://127.0.0.1:${sentinel.port}` });
    onTestFinished(() => client.destroy());
    await client.connect();
    const knowsReplica = async (): Promise<boolean> =>
      /slave/.test(JSON.stringify(await client.sendCommand(['SENTINEL', 'REPLICAS', 'main'])));
    await until(knowsReplica, { timeoutMs: 20_000, what: 'the sentinel to know the replica' });
    // The first sentinel of the URL is not there.
    const url = `redis+sentinel://127.0.0.1:${await freePort()},127.0.0.1:${sentinel.port}/main`;
    const store = await openStore({ url });
    const other = await openStore({ url });
    const woken: number[] = [];
    other.tail('b', ({ streams }) => woken.push(streams.get('t:t') ?? 0)).follow('t:t');

    let given = 0;
    let isOver = false;
    const writing = (async () => {
      while (!isOver) await untilDone(store, batchOf('t', `${given++}`));
    })();
    await delay(300);
    await master.command('WAIT', '1', '1000');
    await master.stop();
    await until(() => replica.command('ROLE').then((role) => String((role as unknown[])[0]) === 'master'), {
      timeoutMs: 20_000,
      what: 'the failover',
    });
    await until(
      () =>
        store.stats().then(
          () => true,
          () => false,
        ),
      { timeoutMs: 20_000, what: 'the new master' },
    );
    await delay(200);
    isOver = true;
    await writing;
    const found = await textsOf(store, 't');
    // What had not reached the replica is lost, and told by another epoch; nothing comes twice or out of order.
    expect(found).toEqual(
      Array.from({ length: given }, (_, index) => `${index}`).filter((text) => found.includes(text)),
    );
    expect(found.at(-1)).toBe(`${given - 1}`);
    await until(() => woken.includes(found.length), { timeoutMs: 10_000, what: 'the wake-up from the new master' });
  }, 60_000);

  it('that know no such master are named as the reason, within the time, without a password', async () => {
    const sentinel = await startSentinel(await startServer());
    const url = `redis+sentinel://:hunter2@127.0.0.1:${sentinel.port}/other`;
    const error: unknown = await RedisStore.open({ url, connectMs: 500 }).catch((thrown: unknown) => thrown);
    expect(String(error)).toMatch(/HF_STORE: .*no sentinel names a master 'other'/);
    expect(String(error)).not.toContain('hunter2');
  }, 20_000);
});

/** A certificate of 127.0.0.1, and of who signed it. */
function certificates(): { readonly ca: string; readonly flags: string[] } {
  const path = directory();
  const file = (name: string): string => join(path, name);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { stdio: 'ignore' });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.pem'),
    '-subj',
    '/CN=test ca',
    '-days',
    '2',
  );
  openssl('req', ...key, '-keyout', file('server.key'), '-out', file('server.csr'), '-subj', '/CN=redis');
  writeFileSync(file('names'), 'subjectAltName=IP:127.0.0.1\n');
  const signing = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-days', '2'];
  openssl('x509', '-req', '-in', file('server.csr'), '-out', file('server.pem'), ...signing, '-extfile', file('names'));
  const own = ['--tls-cert-file', file('server.pem'), '--tls-key-file', file('server.key')];
  return { ca: file('ca.pem'), flags: [...own, '--tls-ca-cert-file', file('ca.pem'), '--tls-auth-clients', 'no'] };
}

describe('a server with TLS, a user who may do what is needed and no more, and a prefix', () => {
  const start = async () => {
    const { ca, flags } = certificates();
    const tlsPort = await freePort();
    const server = await startServer('--tls-port', `${tlsPort}`, ...flags);
    const may = ['+@all', '-@dangerous', '-@admin', '+info'];
    await server.command('ACL', 'SETUSER', 'app', 'on', '>s%cret', '~app:*', 'resetchannels', '&app:*', ...may);
    const url = `rediss://app:s%25cret@127.0.0.1:${tlsPort}`;
    return { server, ca, url };
  };

  it('is used as the URL says, wake-ups and all', async () => {
    const { server, ca, url } = await start();
    const place = `${url}?prefix=app:&ca=${encodeURIComponent(ca)}`;
    const [store, other] = [await openStore({ url: place }), await openStore({ url: place, checkMs: 60_000 })];
    const woken: number[] = [];
    other.tail('b', ({ streams }) => woken.push(streams.get('t:t') ?? 0)).follow('t:t');
    await until(async () => String(await server.command('PUBSUB', 'CHANNELS')).includes('app:topic@0:t'), {
      what: 'the subscription',
    });
    await store.commit(batchOf('t', 'secret'));
    expect(await textsOf(other, 't')).toEqual(['secret']);
    await until(() => woken.includes(1), { what: 'the wake-up' });
    expect(((await server.command('KEYS', '*')) as string[]).filter((key) => !key.startsWith('app:'))).toEqual([]);
  }, 20_000);

  it.each([
    ['whose certificate nobody has vouched for', '?prefix=app:', /HF_STORE: .*certificate/],
    ['whose keys the user may not touch', '?prefix=other:&ca=', /HF_STORE_DENIED: .*NOPERM/],
  ])(
    'is refused %s, and no password is shown',
    async (_, query, why) => {
      const { ca, url } = await start();
      const full = `${url}${query.endsWith('=') ? query + encodeURIComponent(ca) : query}`;
      const error: unknown = await RedisStore.open({ url: full, connectMs: 1_000 }).catch((thrown: unknown) => thrown);
      expect(String(error)).toMatch(why);
      expect(String(error)).not.toMatch(/s%c|s%25c/);
    },
    20_000,
  );

  it('is served from by the command, which shows no password, also not when it is wrong', async () => {
    const { ca, url } = await start();
    const query = `?prefix=app:&ca=${encodeURIComponent(ca)}`;
    const args = (store: string) => [COMMAND, 'serve', APP, '--json', '--port', '0', '--store', store];
    await using server = await startProcess({
      command: process.execPath,
      args: args(`${url}${query}`),
      ready: /"event":"listening"/,
    });
    expect(server.stdout.kept.join('\n')).not.toMatch(/s%c|s%25c/);

    const wrong = `${url.replace('s%25cret', 'hunter2')}${query}`;
    // At once, and not when a server is given up that does not answer.
    const failed = await startProcess({
      command: process.execPath,
      args: args(wrong),
      ready: /WRONGPASS/,
    });
    onTestFinished(async () => {
      failed.kill('SIGKILL');
      await failed.exited;
    });
    expect([...failed.stdout.kept, ...failed.stderr.kept].join('\n')).not.toContain('hunter2');
  }, 60_000);
});
