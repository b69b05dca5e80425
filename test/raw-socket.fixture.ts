import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** How a connection ended: by an HTTP status before it was upgraded, by a close frame, or without a word. */
export type Ending =
  | { readonly by: 'status'; readonly code: number }
  | { readonly by: 'close'; readonly code: number; readonly reason: string }
  | { readonly by: 'nothing' };

export interface FrameShape {
  readonly opcode?: number;
  readonly fin?: boolean;
  readonly rsv?: number;
  readonly masked?: boolean;
  /** The length that the header claims, where it is another than that of the payload. */
  readonly length?: number;
}

const MASK = Buffer.from([1, 2, 3, 4]);

/** The bytes of a frame of RFC 6455, right or wrong. */
export function frameBytes(payload: string | Uint8Array, shape: FrameShape = {}): Buffer {
  const { opcode = typeof payload === 'string' ? 1 : 2, fin = true, rsv = 0, masked = true } = shape;
  const data = Buffer.from(payload as string);
  const length = shape.length ?? data.length;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extended);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) head.writeUInt16BE(length, 2);
  if (extended === 8) head.writeBigUInt64BE(BigInt(length), 2);
  if (!masked) return Buffer.concat([head, data]);
  for (let i = 0; i < data.length; i++) data[i] = Number(data[i]) ^ Number(MASK[i % 4]);
  return Buffer.concat([head, MASK, data]);
}

/** A TCP connection that speaks HTTP and RFC 6455 as badly as a test wants, and reads what a server answers. */
export class RawSocket {
  readonly socket: Socket;
  readonly ended: Promise<Ending>;
  /** Text messages of the server. */
  readonly texts: string[] = [];
  #received = Buffer.alloc(0);
  #isUpgraded = false;
  #upgraded: () => void = () => undefined;
  #heard: () => void = () => undefined;
  #ending: Ending = { by: 'nothing' };

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => this.#read(chunk));
    this.ended = new Promise((resolve) => {
      socket.on('close', () => {
        this.#upgraded();
        this.#heard();
        resolve(this.#ending);
      });
    });
  }

  /** An HTTP status has come, other than that of an upgrade. */
  get hasStatus(): boolean {
    return this.#ending.by === 'status';
  }

  static async connect(port: number): Promise<RawSocket> {
    const socket = connect(port, '127.0.0.1');
    const raw = new RawSocket(socket);
    await once(socket, 'connect');
    return raw;
  }

  /** Connects and upgrades. */
  static async open(port: number, path = '/', protocols = 'holdfast.v1'): Promise<RawSocket> {
    const raw = await RawSocket.connect(port);
    const upgraded = new Promise<void>((resolve) => (raw.#upgraded = resolve));
    raw.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n` +
        `Sec-WebSocket-Protocol: ${protocols}\r\n\r\n`,
    );
    await upgraded;
    return raw;
  }

  write(data: string | Uint8Array): void {
    if (this.socket.writable) this.socket.write(data);
  }

  say(payload: string | Uint8Array, shape?: FrameShape): void {
    this.write(frameBytes(payload, shape));
  }

  /** The next text message that begins with this word, or undefined when the connection ends before. */
  async hear(word: string): Promise<string | undefined> {
    for (;;) {
      const text = this.texts.shift();
      if (text?.startsWith(word)) return text;
      if (text !== undefined) continue;
      if (this.socket.destroyed) return undefined;
      await new Promise<void>((resolve) => (this.#heard = resolve));
    }
  }

  #read(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    if (!this.#isUpgraded) {
      const end = this.#received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const code = Number(/^HTTP\/1\.1 (\d{3})/.exec(this.#received.toString('latin1', 0, end))?.[1]);
      if (code !== 101) {
        this.#ending = { by: 'status', code };
        return;
      }
      this.#isUpgraded = true;
      this.#received = this.#received.subarray(end + 4);
      this.#upgraded();
    }
    while (this.#readFrame());
    this.#heard();
  }

  #readFrame(): boolean {
    const bytes = this.#received;
    if (bytes.length < 2) return false;
    let length = bytes.readUInt8(1) & 0x7f;
    let at = 2;
    if (length === 126) {
      if (bytes.length < 4) return false;
      length = bytes.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (bytes.length < 10) return false;
      length = Number(bytes.readBigUInt64BE(2));
      at = 10;
    }
    if (bytes.length < at + length) return false;
    const opcode = bytes.readUInt8(0) & 0x0f;
    const payload = bytes.subarray(at, at + length);
    this.#received = bytes.subarray(at + length);
    if (opcode === 1) this.texts.push(payload.toString());
    if (opcode === 8) {
      this.#ending = { by: 'close', code: payload.readUInt16BE(0), reason: payload.toString('utf8', 2) };
      // A close is answered, as RFC 6455 asks for.
      this.say(payload.subarray(0, 2), { opcode: 8 });
      this.socket.end();
    }
    return true;
  }
}
