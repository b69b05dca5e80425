import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WebSocket as HoldfastWebSocket } from '@holdfast/client';
import { ChaosProxy, startProcess, until, type RunningProcess } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { WebSocket as WsWebSocket, type ClientOptions } from 'ws';

const program = join(import.meta.dirname, 'fixtures/ws-chat.mjs');

/** The program with nothing but its import changed, where the packages of this repository are found. */
function ported(): string {
  const source = readFileSync(program, 'utf8');
  const changed = source.replace("from 'ws'", "from '@holdfast/server'");
  const differing = changed.split('\n').filter((line, i) => line !== source.split('\n')[i]);
  expect(differing).toEqual(["import WebSocket, { WebSocketServer } from '@holdfast/server';"]);
  const folder = join(import.meta.dirname, '../node_modules/.cache/ws-program');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'ws-chat.mjs');
  writeFileSync(path, changed);
  return path;
}

interface Running extends AsyncDisposable {
  readonly port: number;
  readonly process: RunningProcess;
}

async function run(path: string): Promise<Running> {
  const process = await startProcess({ command: globalThis.process.execPath, args: [path], ready: /^port (\d+)$/ });
  return {
    process,
    port: Number(process.readyMatch?.[1]),
    [Symbol.asyncDispose]: () => process.stop(0).then(() => undefined),
  };
}

/** What both kinds of client have in common. */
type Client = InstanceType<typeof globalThis.WebSocket>;
type Connect = (url: string, protocols?: string[]) => Client;

const plain: Connect = (url, protocols) => new WsWebSocket(url, protocols) as unknown as Client;
const session: Connect = (url, protocols) => new HoldfastWebSocket(url, protocols);

/** One who chats, and all that it sees. */
class Person {
  readonly seen: unknown[] = [];
  readonly socket: Client;

  constructor(socket: Client) {
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', ({ data }) => this.seen.push(typeof data === 'string' ? data : shown(data)));
    socket.addEventListener('close', ({ code, reason, wasClean }) => this.seen.push({ code, reason, wasClean }));
    socket.addEventListener('error', () => this.seen.push('error'));
  }

  async sees(count: number): Promise<void> {
    await until(() => this.seen.length >= count, { what: () => `${count} events, of ${JSON.stringify(this.seen)}` });
  }
}

const shown = (data: unknown): string => `bytes ${Array.from(new Uint8Array(data as ArrayBuffer)).join(' ')}`;

/** A chat of three, and what each of them saw of it. */
async function chat({ port, process }: Running, connect: Connect): Promise<unknown> {
  const url = `ws://127.0.0.1:${port}/chat`;
  const ada = new Person(connect(`${url}?name=ada`, ['chat.1', 'chat.2']));
  await ada.sees(1);
  const bob = new Person(connect(`${url}?name=bob`, ['chat.2']));
  await bob.sees(1);
  await ada.sees(2);
  const eve = new Person(connect(`${url}?name=eve`, ['chat.2']));
  await eve.sees(1);
  await bob.sees(2);
  const protocols = [ada.socket.protocol, bob.socket.protocol, eve.socket.protocol];
  ada.socket.send('hello');
  await bob.sees(3);
  bob.socket.send(Uint8Array.from([1, 2, 3]));
  await eve.sees(3);
  eve.socket.send('/quit');
  await eve.sees(4);
  await ada.sees(5);
  bob.socket.close(4002, 'see you');
  await bob.sees(5);
  await ada.sees(6);
  // Longer than the program's heartbeat takes to end those who do not answer.
  const beats = Date.now() + 800;
  await until(() => Date.now() > beats);
  expect(ada.socket.readyState).toBe(ada.socket.OPEN);
  const count = await (await fetch(`http://127.0.0.1:${port}/`)).text();
  const banned = new Person(connect(`${url}?name=banned`));
  await until(() => banned.seen.length > 0 && banned.socket.readyState === banned.socket.CLOSED);
  process.kill('SIGTERM');
  await ada.sees(8);
  await process.waitForLine(/^closed$/);
  const { code } = await process.exited;
  return { ada: ada.seen, bob: bob.seen, eve: eve.seen, protocols, count, code };
}

/** A client that does not answer pings is ended by the program. */
async function silent({ port }: Running): Promise<unknown> {
  const options: ClientOptions & { autoPong?: boolean } = { autoPong: false };
  const client = new WsWebSocket(`ws://127.0.0.1:${port}/chat?name=silent`, options);
  const [code] = (await once(client, 'close')) as [number];
  return code;
}

describe('a program that was written for ws', () => {
  it('does the same when only its import is changed, with plain clients and with those of holdfast', async () => {
    await using original = await run(program);
    const expected = await chat(original, plain);
    await using changed = await run(ported());
    expect(await chat(changed, plain)).toEqual(expected);
    await using again = await run(ported());
    expect(await chat(again, session)).toEqual(expected);
    expect(expected).toMatchObject({
      bob: [
        '{"welcome":"bob","protocol":"chat.2","others":1}',
        'eve joined',
        'ada: hello',
        'eve left with 4001 as you wish',
        { code: 4002, reason: 'see you', wasClean: true },
      ],
      protocols: ['chat.2', 'chat.2', 'chat.2'],
      code: 0,
    });
  });

  it('ends who does not answer its heartbeat, with either import', async () => {
    await using original = await run(program);
    await using changed = await run(ported());
    expect([await silent(original), await silent(changed)]).toEqual([1006, 1006]);
  });

  it('keeps a client of holdfast through a network that is gone for longer than its heartbeat allows', async () => {
    await using changed = await run(ported());
    await using proxy = await ChaosProxy.listen({ target: { port: changed.port } });
    const ada = new Person(session(`ws://127.0.0.1:${changed.port}/chat?name=ada`));
    await ada.sees(1);
    const bob = new Person(session(`ws://127.0.0.1:${proxy.port}/chat?name=bob`));
    await bob.sees(1);
    proxy.offline(1_000);
    ada.socket.send('are you there?');
    bob.socket.send('I am');
    await bob.sees(2);
    await ada.sees(3);
    expect(bob.seen).toContain('ada: are you there?');
    expect(ada.seen.slice(1)).toEqual(['bob joined', 'bob: I am']);
  });
});
