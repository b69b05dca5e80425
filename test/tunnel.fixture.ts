import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { setTimeout as after } from 'node:timers/promises';

/** How one end saw a tunnel end, and how long after it was opened. `open` is one that had not when it was looked at. */
export interface End {
  readonly by: 'fin' | 'reset' | 'open';
  readonly afterMs: number;
  /** Over TLS: whether the last record before the FIN was an alert, which is close_notify. */
  readonly isNotified?: boolean;
}

/** HAProxy refuses an upgrade to websocket without a key. */
const KEY = 'AAAAAAAAAAAAAAAAAAAAAA==';
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';

/** What RFC 6455 answers to a key. */
function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/** One end of a tunnel: bytes are all that a proxy sees of it. */
export class TunnelEnd {
  readonly socket: Duplex;
  /** What has arrived since the upgrade. */
  receivedBytes = 0;
  readonly #openedMs = performance.now();
  #end: End | undefined;
  readonly #ended: Promise<End>;

  constructor(socket: Duplex, wire: Socket, tap?: RecordTap) {
    this.socket = socket;
    this.#ended = new Promise((resolve) => {
      const finish = (by: 'fin' | 'reset'): void => {
        this.#end ??= {
          by,
          afterMs: performance.now() - this.#openedMs,
          ...(tap && { isNotified: tap.endsWithAlert }),
        };
        resolve(this.#end);
      };
      wire.on('end', () => finish('fin'));
      wire.on('error', () => finish('reset'));
      wire.on('close', (hadError) => finish(hadError ? 'reset' : 'fin'));
      socket.on('error', () => undefined);
    });
    socket.on('data', (chunk: Buffer) => (this.receivedBytes += chunk.length));
  }

  /** Says something at once and then again and again, for as long as it can. */
  keepTalking(everyMs: number): void {
    const timer = setInterval(() => {
      if (this.socket.writable) this.socket.write('x');
    }, everyMs);
    this.socket.on('close', () => clearInterval(timer));
  }

  /** Writes as much as the other side takes, and goes on when it takes more. */
  flood(): void {
    const chunk = Buffer.alloc(65_536);
    const pour = (): void => {
      while (this.socket.writable && this.socket.write(chunk));
    };
    this.socket.on('drain', pour);
    pour();
  }

  /** How it ended, or that it is still open after this time. */
  async endWithin(timeMs: number): Promise<End> {
    return Promise.race([this.#ended, after(timeMs, { by: 'open', afterMs: timeMs } as const)]);
  }
}

/** Reads the headers of TLS records as they pass, which Node's TLS keeps to itself. */
class RecordTap extends Duplex {
  endsWithAlert = false;
  readonly #wire: Socket;
  #pending = Buffer.alloc(0);

  constructor(wire: Socket) {
    super();
    this.#wire = wire;
    wire.on('data', (chunk: Buffer) => {
      this.#look(chunk);
      if (!this.push(chunk)) wire.pause();
    });
    wire.on('end', () => this.push(null));
    wire.on('error', (error) => this.destroy(error));
  }

  override _read(): void {
    this.#wire.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#wire.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#wire.end(done);
  }

  /** A record is five bytes of type, version and length, and then the rest. Type 21 is an alert. */
  #look(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    while (this.#pending.length >= 5) {
      const length = 5 + this.#pending.readUInt16BE(3);
      if (this.#pending.length < length) return;
      this.endsWithAlert = this.#pending[0] === 21;
      this.#pending = this.#pending.subarray(length);
    }
  }
}

export interface Tunnel {
  readonly client: TunnelEnd;
  readonly backend: TunnelEnd;
}

/** A backend that accepts every upgrade and then only does what a test says. Its ends are known by the path that was asked for. */
export class TunnelBackend implements AsyncDisposable {
  readonly #server: Server;
  readonly #isHalfOpen: boolean;
  /** That nobody new is let in, and that nobody is there any more. */
  #isClosed = false;
  readonly #sockets = new Set<Socket>();
  readonly #ends = new Map<string, (end: TunnelEnd) => void>();

  private constructor(server: Server, isHalfOpen: boolean) {
    this.#server = server;
    this.#isHalfOpen = isHalfOpen;
  }

  /** With `isHalfOpen` neither end closes because the other one has, as a program that does not listen would not. */
  static async start({ isHalfOpen = false } = {}): Promise<TunnelBackend> {
    const server = createServer({ allowHalfOpen: isHalfOpen });
    const backend = new TunnelBackend(server, isHalfOpen);
    server.on('connection', (socket) => backend.#accept(socket));
    server.on('close', () => (backend.#isClosed = true));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return backend;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Opens a tunnel through a proxy; `ca` makes it one of TLS. The number keeps tunnels of one path apart. */
  async tunnel(port: number, path: string, { isTls = false } = {}): Promise<Tunnel> {
    const target = `${path}?n=${this.#ends.size}`;
    const arrived = new Promise<TunnelEnd>((resolve) => this.#ends.set(target, resolve));
    const wire = connect({ port, host: '127.0.0.1', allowHalfOpen: this.#isHalfOpen });
    wire.on('error', () => undefined);
    this.#sockets.add(wire);
    const tap = isTls ? new RecordTap(wire) : undefined;
    // TLS 1.2, where the type of an alert is not itself encrypted.
    const socket = tap ? connectTls({ socket: tap, rejectUnauthorized: false, maxVersion: 'TLSv1.2' }) : wire;
    socket.on('error', () => undefined);
    socket.write(
      `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`,
    );
    const [answer] = (await once(socket, 'data')) as [Buffer];
    if (!answer.toString('latin1').startsWith('HTTP/1.1 101')) throw new Error(`${path}: ${answer.toString('latin1')}`);
    return { client: new TunnelEnd(socket, wire, tap), backend: await arrived };
  }

  /** Lets nobody new in. Tunnels that are open stay. */
  refuse(): void {
    this.#server.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    const closed = once(this.#server, 'close');
    if (this.#server.listening) this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    let head = '';
    const read = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', read);
      const target = head.split(' ', 2)[1] ?? '';
      const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1] ?? KEY;
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${UPGRADE}Sec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`);
      this.#ends.get(target)?.(new TunnelEnd(socket, socket));
    };
    socket.on('data', read);
  }
}
