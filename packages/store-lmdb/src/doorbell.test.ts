import { readdirSync, utimesSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { once } from 'node:events';
import type { StreamKey } from '@holdfast/store';
import { startProcess, until } from '@holdfast/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { newDirectory } from './directory.fixture.js';
import { Doorbell, type Ring } from './doorbell.js';

/** Megabytes go through a pipe, perhaps on a busy machine. */
const PATIENT = { timeoutMs: 30_000 };

interface Listening {
  readonly doorbell: Doorbell;
  readonly heard: Ring[];
}

async function listen(directory: string): Promise<Listening> {
  const heard: Ring[] = [];
  const doorbell = await Doorbell.open(directory, (ring) => heard.push(ring));
  onTestFinished(() => doorbell.close());
  return { doorbell, heard };
}

/** A process that is connected, but reads nothing until it is told to. */
async function listenDeaf(directory: string): Promise<{ sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => sockets.push(socket));
  server.listen(join(directory, `${process.pid}-deaf.sock`));
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { sockets };
}

const socketsIn = (directory: string): string[] => readdirSync(directory).filter((name) => name.endsWith('.sock'));

describe('the doorbell', { timeout: 60_000 }, () => {
  it('is heard by every other process, from when it is open', async () => {
    const directory = newDirectory();
    const first = await listen(directory);
    const second = await listen(directory);
    const third = await listen(directory);
    first.doorbell.ring(new Map([['t:x', 3]]), [['pod', { session: 's', epoch: 2 }]]);
    second.doorbell.ring(new Map([['t:y', 1]]), []);
    await until(() => third.heard.length === 2 && first.heard.length === 1 && second.heard.length === 1);
    expect(second.heard).toEqual([{ streams: [['t:x', 3]], fenced: [['pod', { session: 's', epoch: 2 }]] }]);
    expect(first.heard).toEqual([{ streams: [['t:y', 1]], fenced: [] }]);
  });

  it('is not rung for nothing', async () => {
    const directory = newDirectory();
    const [one, other] = [await listen(directory), await listen(directory)];
    one.doorbell.ring(new Map(), []);
    one.doorbell.ring(new Map([['t:x', 1]]), []);
    await until(() => other.heard.length > 0);
    expect(other.heard).toHaveLength(1);
  });

  it('merges what it has to tell a process that does not read, and at last says that it is too much', async () => {
    const directory = newDirectory();
    const { sockets } = await listenDeaf(directory);
    const { doorbell } = await listen(directory);
    await until(() => sockets.length === 1);
    for (let end = 1; end <= 200_000; end++)
      doorbell.ring(new Map<StreamKey, number>([[`t:topic-${end % 9000}`, end]]), []);
    let told = '';
    sockets
      .at(0)!
      .setEncoding('utf8')
      .on('data', (chunk: string) => (told += chunk));
    sockets.at(0)!.resume();
    await until(() => told.includes('"everything"'), PATIENT);
    expect(told.length).toBeLessThan(1_000_000);
    doorbell.ring(new Map([['t:after', 1]]), []);
    await until(() => told.endsWith('{"ring":{"streams":[["t:after",1]],"fenced":[]}}\n'));
  });

  it('tells a process that reads again the newest end of each stream once', async () => {
    const directory = newDirectory();
    const { sockets } = await listenDeaf(directory);
    const { doorbell } = await listen(directory);
    await until(() => sockets.length === 1);
    for (let end = 1; end <= 200_000; end++) doorbell.ring(new Map([['t:x', end]]), []);
    let told = '';
    sockets
      .at(0)!
      .setEncoding('utf8')
      .on('data', (chunk: string) => (told += chunk));
    sockets.at(0)!.resume();
    await until(() => told.includes('["t:x",200000]'), PATIENT);
    expect(told.split('\n').length).toBeLessThan(20_000);
  });

  it('removes what dead processes have left, but no socket that is young', async () => {
    const directory = newDirectory();
    await using killed = await startProcess({
      command: process.execPath,
      args: [
        '-e',
        `for (const name of ['old', 'young']) require('node:net').createServer().listen(${JSON.stringify(directory)} + '/1-' + name + '.sock', () => console.log(name))`,
      ],
      ready: /young/,
    });
    killed.kill('SIGKILL');
    await killed.exited;
    const aMinuteAgo = Date.now() / 1000 - 60;
    utimesSync(join(directory, '1-old.sock'), aMinuteAgo, aMinuteAgo);
    const { doorbell } = await listen(directory);
    await until(() => socketsIn(directory).length === 2);
    expect(socketsIn(directory)).toContain('1-young.sock');
    utimesSync(join(directory, '1-young.sock'), aMinuteAgo, aMinuteAgo);
    doorbell.lookAround();
    await until(() => socketsIn(directory).length === 1);
  });

  it('knows whether any other process lives', async () => {
    const directory = newDirectory();
    const { doorbell } = await listen(directory);
    expect(doorbell.isAlone()).toBe(true);
    const other = await listen(directory);
    expect(doorbell.isAlone()).toBe(false);
    other.doorbell.close();
    expect(doorbell.isAlone()).toBe(true);
  });

  it('hangs up on what is no other process of the store, and goes on', async () => {
    const directory = newDirectory();
    const { doorbell, heard } = await listen(directory);
    for (const noise of ['GET / HTTP/1.1\n', '{}\n', '\n', '[1,2]\n', 'null\n', `{"hello":"${'../'.repeat(9)}x"}\n`]) {
      const stranger = connect(join(directory, socketsIn(directory).at(0)!));
      stranger.on('error', () => undefined);
      stranger.end(noise);
      await once(stranger, 'close');
    }
    const other = await listen(directory);
    other.doorbell.ring(new Map([['t:x', 1]]), []);
    await until(() => heard.length === 1);
    expect(doorbell.isAlone()).toBe(false);
  });

  it('leaves nothing behind when it is closed', async () => {
    const directory = newDirectory();
    const { doorbell } = await listen(directory);
    doorbell.close();
    doorbell.close();
    doorbell.ring(new Map([['t:x', 1]]), []);
    expect(socketsIn(directory)).toEqual([]);
  });
});
