import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Guard, StreamKey } from '@holdfast/store';

/** Streams that have grown and sessions that were lost, with their pods; or that it is too much to say, so look at everything. */
export type Ring =
  | {
      readonly streams: readonly (readonly [StreamKey, number])[];
      readonly fenced: readonly (readonly [string, Guard])[];
    }
  | 'everything';

/** More than this is not kept for a process that does not read; it is told to look at everything. */
const PENDING_MAX = 4096;
/** A message of {@link PENDING_MAX} of the longest names is about a megabyte; a peer that sends more is none. */
const LINE_CHARS_MAX = 4_194_304;
/** A process id, and what tells apart who had it. */
const SOCKET_NAME = /^\d+-[\w-]+\.sock$/;
/** A process that is stopped, or busy for longer, is not waited for. */
const MEET_MS = 500;
/** A socket that refuses is left by a dead process, or belongs to one that is about to listen. */
const STALE_AFTER_MS = 5000;

/**
 * Tells the other processes of a store what this one has committed. Each process listens on a socket of its own, and has a connection
 * to each other that only it writes to. A ring may be lost: with a process that comes or goes, or one that is killed behind its commit.
 */
export class Doorbell {
  readonly #directory: string;
  readonly #name = `${process.pid}-${randomBytes(6).toString('base64url')}.sock`;
  readonly #onRing: (ring: Ring) => void;
  readonly #server: Server;
  readonly #peers = new Map<string, Peer>();
  readonly #incoming = new Set<Socket>();
  #isOpen = true;

  private constructor(directory: string, onRing: (ring: Ring) => void) {
    this.#directory = directory;
    this.#onRing = onRing;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Listens, and waits until those who are there know of it: what they commit from then on it is told of. */
  static async open(directory: string, onRing: (ring: Ring) => void): Promise<Doorbell> {
    const doorbell = new Doorbell(directory, onRing);
    await new Promise<void>((resolve, reject) => {
      doorbell.#server.once('error', reject).listen(join(directory, doorbell.#name), resolve);
    });
    // What is open only to listen keeps no process alive, and ends none: who cannot be accepted now comes again.
    doorbell.#server.unref().on('error', () => undefined);
    doorbell.lookAround();
    await doorbell.#meetEverybody();
    return doorbell;
  }

  /** Connects to processes that it does not know yet, and removes the sockets of dead ones. */
  lookAround(): void {
    for (const name of this.#others()) this.#meet(name);
  }

  /** Whether no other living process has a socket here. A dead one whose number was given to a new process counts as alive. */
  isAlone(): boolean {
    return !this.#others().some((name) => isAlive(Number.parseInt(name, 10)));
  }

  ring(streams: ReadonlyMap<StreamKey, number>, fenced: readonly (readonly [string, Guard])[]): void {
    if (streams.size === 0 && fenced.length === 0) return;
    for (const peer of this.#peers.values()) peer.tell(streams, fenced);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#server.close();
    for (const peer of this.#peers.values()) peer.close();
    for (const socket of this.#incoming) socket.destroy();
    rmSync(join(this.#directory, this.#name), { force: true });
  }

  #others(): string[] {
    const names = existsSync(this.#directory) ? readdirSync(this.#directory) : [];
    return names.filter((name) => SOCKET_NAME.test(name) && name !== this.#name);
  }

  async #meetEverybody(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise((resolve) => (timer = setTimeout(resolve, MEET_MS)));
    await Promise.race([Promise.all([...this.#peers.values()].map(({ hasMet }) => hasMet)), patience]);
    clearTimeout(timer);
  }

  #meet(name: string): Peer | undefined {
    const known = this.#peers.get(name);
    if (known !== undefined || !this.#isOpen) return known;
    const path = join(this.#directory, name);
    const socket = connect(path).unref();
    const peer = new Peer(socket, this.#name);
    this.#peers.set(name, peer);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' && isOlderThan(path, STALE_AFTER_MS)) rmSync(path, { force: true });
    });
    socket.on('close', () => {
      this.#peers.delete(name);
      peer.met();
    });
    return peer;
  }

  #accept(socket: Socket): void {
    this.#incoming.add(socket.unref());
    socket.on('error', () => undefined);
    socket.on('close', () => this.#incoming.delete(socket));
    readLines(socket, (line) => {
      const message = JSON.parse(line) as { readonly hello: string } | { readonly ring: Ring };
      if ('ring' in message) this.#onRing(message.ring);
      else if (SOCKET_NAME.test(message.hello)) this.#meet(message.hello)?.met();
      else socket.destroy();
    });
  }
}

/** The way to one other process. While that does not read, what there is to tell is merged. */
class Peer {
  readonly #socket: Socket;
  /** Resolves when the other has a way back to us, or is not there. */
  readonly hasMet: Promise<void>;
  met!: () => void;
  #isReady = false;
  #streams = new Map<StreamKey, number>();
  #fenced: (readonly [string, Guard])[] = [];
  #tooMuch = false;

  constructor(socket: Socket, ownName: string) {
    this.#socket = socket;
    this.hasMet = new Promise((resolve) => (this.met = resolve));
    const go = (): void => {
      this.#isReady = true;
      this.#flush();
    };
    socket.on('connect', () => {
      socket.write(`${JSON.stringify({ hello: ownName })}\n`);
      go();
    });
    socket.on('drain', go);
  }

  tell(streams: ReadonlyMap<StreamKey, number>, fenced: readonly (readonly [string, Guard])[]): void {
    if (!this.#tooMuch) {
      for (const [stream, end] of streams) this.#streams.set(stream, end);
      this.#fenced.push(...fenced);
      if (this.#streams.size + this.#fenced.length > PENDING_MAX) this.#forget(true);
    }
    if (this.#isReady) this.#flush();
  }

  close(): void {
    this.#socket.destroy();
  }

  #flush(): void {
    if (!this.#tooMuch && this.#streams.size === 0 && this.#fenced.length === 0) return;
    const ring: Ring = this.#tooMuch ? 'everything' : { streams: [...this.#streams], fenced: this.#fenced };
    this.#forget(false);
    this.#isReady = this.#socket.write(`${JSON.stringify({ ring })}\n`);
  }

  #forget(tooMuch: boolean): void {
    this.#streams = new Map();
    this.#fenced = [];
    this.#tooMuch = tooMuch;
  }
}

function readLines(socket: Socket, onLine: (line: string) => void): void {
  let rest = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    try {
      lines.forEach(onLine);
    } catch {
      socket.destroy(); // not one of us
    }
    if (rest.length > LINE_CHARS_MAX) socket.destroy();
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function isOlderThan(path: string, ms: number): boolean {
  const { mtimeMs = Date.now() } = statSync(path, { throwIfNoEntry: false }) ?? {};
  return Date.now() - mtimeMs > ms;
}
