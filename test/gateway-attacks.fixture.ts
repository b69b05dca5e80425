import { createHash } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { frameBytes, RawSocket, type Ending, type FrameShape } from './raw-socket.fixture.js';

/** One hostile or broken request, and what it may come to: a status, or the code of a close frame. */
export interface Attack {
  readonly name: string;
  readonly pieces: readonly (string | Buffer)[];
  /** Between the pieces. */
  readonly pauseMs?: number;
  /** The client closes its half behind the last piece. */
  readonly ends?: boolean;
  readonly wanted: readonly (number | 'nothing')[];
}

const KEY = 'AAAAAAAAAAAAAAAAAAAAAA==';

interface Parts {
  readonly method?: string;
  readonly path?: string;
  readonly version?: string;
  readonly without?: string;
  readonly more?: string;
  readonly body?: string;
}

/** A handshake, with something wrong. */
function upgrade({
  method = 'GET',
  path = '/',
  version = 'HTTP/1.1',
  without,
  more = '',
  body = '',
}: Parts = {}): string {
  const headers = [
    'Host: a',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${KEY}`,
  ].filter((line) => without === undefined || !line.startsWith(without));
  return `${method} ${path} ${version}\r\n${headers.join('\r\n')}\r\n${more}\r\n${body}`;
}

const post = (headers: string, body: string): string => `POST / HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`;
const get = (path: string, headers = 'Host: a\r\n'): string => `GET ${path} HTTP/1.1\r\n${headers}\r\n`;

type Row = readonly [
  name: string,
  bytes: string | Buffer | readonly (string | Buffer)[],
  ...wanted: (number | 'nothing')[],
];

const table = (
  what: string,
  wanted: readonly (number | 'nothing')[],
  rows: readonly Row[],
  more: Partial<Attack> = {},
): Attack[] =>
  rows.map(([name, bytes, ...own]) => ({
    name: `${what}: ${name}`,
    pieces: typeof bytes === 'string' || Buffer.isBuffer(bytes) ? [bytes] : bytes,
    wanted: own.length > 0 ? own : wanted,
    ...more,
  }));

const CHUNKED = 'Transfer-Encoding: chunked';

const LENGTHS = table(
  'length',
  [400],
  [
    ...['+5', '-1', '5 5', '5, 5', '5, 6', '0x5', '5;', '', ' ', '\t', '5a', '1e1', '99999999999999999999'].map(
      (length): Row => [JSON.stringify(length), post(`Content-Length: ${length}`, 'hello')],
    ),
    ['twice', post('Content-Length: 5\r\nContent-Length: 5', 'hello')],
    ['two of them', post('Content-Length: 5\r\nContent-Length: 6', 'hello')],
    ['in a trailer', post(CHUNKED, '0\r\nContent-Length: 3\r\n\r\n')],
    ['too large', post('Content-Length: 30000', 'hello'), 413],
    ['too large in chunks', post(CHUNKED, `7530\r\n${'x'.repeat(30_000)}\r\n0\r\n\r\n`), 413],
  ],
);

const CODINGS = table(
  'coding',
  [400],
  [
    ['length and coding', post(`Content-Length: 5\r\n${CHUNKED}`, '0\r\n\r\n')],
    ['coding and length', post(`${CHUNKED}\r\nContent-Length: 5`, '0\r\n\r\n')],
    ['no length and coding', post(`${CHUNKED}\r\nContent-Length: 0`, '0\r\n\r\n')],
    ['twice', post(`${CHUNKED}\r\n${CHUNKED}`, '0\r\n\r\n')],
    ['HTTP/1.0', `POST / HTTP/1.0\r\nHost: a\r\n${CHUNKED}\r\n\r\n0\r\n\r\n`],
    ...['xchunked', 'chunked, identity', 'identity', 'chunked, chunked', '"chunked"', 'chunkedx', 'chunked;q=1'].map(
      (coding): Row => [coding, post(`Transfer-Encoding: ${coding}`, '0\r\n\r\n'), 400, 501],
    ),
    ['gzip, chunked', post('Transfer-Encoding: gzip, chunked', '0\r\n\r\n'), 501],
    ['a space before the colon', post('Transfer-Encoding : chunked', '0\r\n\r\n')],
    ['a line feed in it', post('Transfer-Encoding:\nchunked', '0\r\n\r\n')],
  ],
);

const CHUNKS = table(
  'chunk',
  [400],
  [
    ...['0x3', '3 ', ' 3', 'g', '-3', '+3', '', '3;a\n', '3\n', '3\r', 'fffffffffffffffff', '3;a\rb'].map(
      (size): Row => [JSON.stringify(size), post(CHUNKED, `${size}\r\nabc\r\n0\r\n\r\n`)],
    ),
    ['no end', post(CHUNKED, '3\r\nabc0\r\n\r\n')],
    ['a line feed at its end', post(CHUNKED, '3\r\nabc\n0\r\n\r\n')],
    ['more than it says', post(CHUNKED, '2\r\nabc\r\n0\r\n\r\n')],
    ['a trailer that is none', post(CHUNKED, '0\r\nno colon\r\n\r\n')],
  ],
);

const HEADS = table(
  'head',
  [400],
  [
    ['folded', get('/', 'Host: a\r\nX-A: 1\r\n folded\r\n')],
    ['folded by a tab', get('/', 'Host: a\r\nX-A: 1\r\n\tfolded\r\n')],
    ['folded at once', get('/', ' Host: a\r\n')],
    ['folded coding', post('Transfer-Encoding:\r\n chunked', '0\r\n\r\n')],
    ['line feeds', 'GET / HTTP/1.1\nHost: a\n\n'],
    ['a line feed at the end', 'GET / HTTP/1.1\r\nHost: a\r\n\n'],
    ['a line feed in the middle', 'GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n'],
    ['a carriage return in a value', get('/', 'Host: a\rX: 1\r\n')],
    ['NUL', get('/', 'Host: a\r\nX: a\0b\r\n')],
    ['a space before the colon', get('/', 'Host : a\r\n')],
    ['no colon', get('/', 'Host: a\r\nnonsense\r\n')],
    ['no name', get('/', 'Host: a\r\n: x\r\n')],
    ['a control character in a name', get('/', 'Host: a\r\nX\x01: x\r\n')],
    ['DEL in a value', get('/', 'Host: a\r\nX: a\x7fb\r\n'), 400, 200],
    ['no Host', get('/', '')],
    ['an empty Host', get('/', 'Host: \r\n')],
    ['two Hosts', get('/', 'Host: a\r\nHost: b\r\n')],
    ['the same Host twice', get('/', 'Host: a\r\nHost: a\r\n')],
    ...['a b', 'a@b', 'a/b', 'a?b', 'a:b', 'a:123456', 'a,b', '[::1', 'a\\b', '<a>'].map((name): Row => [
      `Host ${name}`,
      get('/', `Host: ${name}\r\n`),
    ]),
    ['one large header', get('/', `Host: a\r\nX: ${'x'.repeat(9_000)}\r\n`), 431],
    ['many headers', get('/', `Host: a\r\n${'X: 1234567890\r\n'.repeat(900)}`), 431],
    ['a large cookie in a handshake', upgrade({ more: `Cookie: ${'c'.repeat(9_000)}\r\n` }), 431],
    ['a long path', get(`/${'p'.repeat(9_000)}`), 431],
  ],
);

const LINES = table(
  'line',
  [400, 505],
  [
    ...[
      'GET /\tHTTP/1.1',
      'GET / http/1.1',
      'GET / HTTP/1.2',
      'GET / HTTP/2.0',
      'GET / HTTP/9.9',
      'GET / HTTP/1',
      'GET / HTTP/1.1 x',
    ].map((line): Row => [line, `${line}\r\nHost: a\r\n\r\n`]),
    ...[
      'G@T / HTTP/1.1',
      'get / HTTP/1.1',
      'GETT / HTTP/1.1',
      'GET /a b HTTP/1.1',
      'GET /\x01 HTTP/1.1',
      'GET /\xff HTTP/1.1',
      'GET',
      '/ HTTP/1.1',
    ].map((line): Row => [JSON.stringify(line), `${line}\r\nHost: a\r\n\r\n`]),
    ['HTTP/0.9', 'GET /\r\n\r\n'],
    ['HTTP/2 with prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['TLS', Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, ...Array.from({ length: 300 }, () => 7)])],
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['bytes', Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 73) & 255))],
    ['CONNECT', 'CONNECT b:80 HTTP/1.1\r\nHost: b\r\n\r\n', 405],
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 405],
    ['no path', 'GET a HTTP/1.1\r\nHost: a\r\n\r\n'],
    ...[
      '/../x',
      '/a/../b',
      '/a/..',
      '/./x',
      '/a/%2e%2e/b',
      '/a/.%2E/b',
      '/%2e/',
      '/a%2f..%2fb',
      '/a\\..\\b',
      '/a%5c..',
      '/a%00b',
      '/a%0d%0ab',
    ].map((path): Row => [path, get(path)]),
  ],
);

const HANDSHAKES = table(
  'handshake',
  [400],
  [
    ...['POST', 'PUT', 'DELETE', 'OPTIONS'].map((method): Row => [method, upgrade({ method }), 405]),
    ...['12', '8', '0', '14', '13, 13', '13;', '', 'x'].map((version): Row => [
      `version ${version}`,
      upgrade({ without: 'Sec-WebSocket-Version', more: `Sec-WebSocket-Version: ${version}\r\n` }),
      426,
    ]),
    ['no version', upgrade({ without: 'Sec-WebSocket-Version' }), 426],
    ['two versions', upgrade({ more: 'Sec-WebSocket-Version: 8\r\n' }), 426],
    ...[
      '',
      'A',
      'A'.repeat(22),
      `${'A'.repeat(23)}=`,
      `${'A'.repeat(30)}==`,
      `${'!'.repeat(22)}==`,
      `${KEY}, ${KEY}`,
    ].map((key): Row => [
      `key ${key}`,
      upgrade({ without: 'Sec-WebSocket-Key', more: `Sec-WebSocket-Key: ${key}\r\n` }),
    ]),
    ['no key', upgrade({ without: 'Sec-WebSocket-Key' })],
    ['two keys', upgrade({ more: `Sec-WebSocket-Key: ${KEY}\r\n` })],
    ['two upgrades', upgrade({ more: 'Upgrade: websocket\r\n' })],
    ['upgrade to two', upgrade({ without: 'Upgrade:', more: 'Upgrade: websocket, h2c\r\n' })],
    ['HTTP/1.0', upgrade({ version: 'HTTP/1.0' })],
    ['a body', upgrade({ more: 'Content-Length: 5\r\n', body: 'hello' })],
    ['a body in chunks', upgrade({ more: `${CHUNKED}\r\n`, body: '0\r\n\r\n' })],
    ...['', ',', 'a, a', 'a b', 'a"', 'a@b', Array.from({ length: 65 }, (_, i) => `p${i}`).join(', ')].map(
      (names): Row => [`protocols ${names.slice(0, 10)}`, upgrade({ more: `Sec-WebSocket-Protocol: ${names}\r\n` })],
    ),
    ['many extensions', upgrade({ more: `Sec-WebSocket-Extensions: ${'x, '.repeat(20)}x\r\n` })],
    ['dots in the path', upgrade({ path: '/../x' })],
    ['two Hosts', upgrade({ more: 'Host: b\r\n' })],
    ['a path that leads nowhere', get('/', 'Host: elsewhere\r\n'), 404],
    ['a handshake that leads nowhere', upgrade({ without: 'Host', more: 'Host: elsewhere\r\n' }), 404],
    [
      'HTTP/2 in the clear',
      get('/', 'Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n'),
      200,
      400,
    ],
  ],
);

const SLOW = [
  ...table(
    'slow',
    [408],
    [
      ['nothing', ['']],
      ['half a line', 'GET / HT'],
      ['a line', 'GET / HTTP/1.1\r\n'],
      ['half a head', 'GET / HTTP/1.1\r\nHost: a\r\nX: '],
      ['half a handshake', upgrade().slice(0, 60)],
      ['no body', post('Content-Length: 5', '')],
      ['half a body', post('Content-Length: 5', 'he')],
      ['half a chunk', post(CHUNKED, '5\r\nhe')],
    ],
  ),
  ...table(
    'dripping',
    [408],
    [
      ['a head', Array.from('GET / HTTP/1.1\r\nX: ').concat(Array.from({ length: 60 }, () => 'x'))],
      ['a handshake', Array.from(upgrade())],
    ],
    { pauseMs: 25 },
  ),
];

const HALF_CLOSED = table(
  'half closed',
  [400, 'nothing'],
  [
    ['at once', ''],
    ['in a line', 'GET / HT'],
    ['in a head', 'GET / HTTP/1.1\r\nHost: a\r\n'],
    ['in a body', post('Content-Length: 5', 'he')],
    ['in a chunk', post(CHUNKED, '5\r\nhe')],
    ['behind a request', get('/'), 200, 'nothing'],
    ['behind a handshake', upgrade(), 'nothing', 1000, 1005, 1012],
    ['in a frame', upgrade({ body: '\x81\x85' }), 'nothing', 1000, 1005, 1012],
  ],
  { ends: true },
);

const frames = (payload: string | Uint8Array, shape: FrameShape): Buffer =>
  Buffer.concat([Buffer.from(upgrade()), frameBytes(payload, shape)]);

const PIPELINED = table(
  'behind the handshake',
  [1002],
  [
    ['a close', frames(Buffer.from([3, 232]), { opcode: 8 }), 1000],
    [
      'a message and a close',
      Buffer.concat([frames('hello', {}), frameBytes(Buffer.from([3, 232]), { opcode: 8 })]),
      1000,
    ],
    ['no mask', frames('hello', { masked: false })],
    ['a reserved opcode', frames('hello', { opcode: 3 })],
    ['a reserved control', frames('hello', { opcode: 11 })],
    ['a reserved bit', frames('hello', { rsv: 2 })],
    ['a ping in fragments', frames('hello', { opcode: 9, fin: false })],
    ['a long ping', frames('x'.repeat(126), { opcode: 9 })],
    ['a huge frame', frames('x', { length: 30_000 }), 1009],
    ['a frame beyond all numbers', frames('x', { length: Number.MAX_SAFE_INTEGER }), 1009, 1002],
    ['HTTP', upgrade({ body: get('/') })],
    ['another handshake', upgrade({ body: upgrade() })],
    ['bytes', Buffer.concat([Buffer.from(upgrade()), Buffer.from(Array.from({ length: 64 }, () => 0xff))])],
  ],
);

// ------------------------------------------------------------------------------------------------------------------ pods

const accept = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
const switching = (more = '', key = accept): string =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n${more}\r\n`;

/** What a broken pod answers to `/evil/NAME`: some bytes, and then it waits, closes (`end`) or resets (`reset`). */
const EVIL: Readonly<
  Record<string, { says: string | Buffer; does?: 'end' | 'reset'; wanted: readonly number[]; http?: true }>
> = {
  garbage: { says: '\x00\x01\x02nonsense\r\n\r\n', wanted: [502] },
  ssh: { says: 'SSH-2.0-x\r\n', wanted: [502] },
  silence: { says: '', does: 'end', wanted: [502] },
  reset: { says: '', does: 'reset', wanted: [502] },
  never: { says: '', wanted: [504] },
  half: { says: 'HTTP/1.1 101 Swi', wanted: [504] },
  'half-closed': { says: 'HTTP/1.1 101 Swi', does: 'end', wanted: [502] },
  old: { says: 'HTTP/0.9 200 OK\r\n\r\n', wanted: [502] },
  'wrong-key': { says: switching('', 'AAAAAAAAAAAAAAAAAAAAAAAAAAA='), wanted: [502] },
  'no-key': { says: switching().replace(/Sec-WebSocket-Accept.*\r\n/, ''), wanted: [502] },
  'key-of-another': { says: switching('', `${accept} `.trim().toLowerCase()), wanted: [502] },
  'no-upgrade': { says: switching().replace('Upgrade: websocket\r\n', ''), wanted: [502, 504] },
  h2c: { says: switching().replace('websocket', 'h2c'), wanted: [502] },
  'no-connection': { says: switching().replace('Connection: Upgrade\r\n', ''), wanted: [502, 504] },
  protocol: { says: switching('Sec-WebSocket-Protocol: chat\r\n'), wanted: [502] },
  extension: { says: switching('Sec-WebSocket-Extensions: permessage-deflate\r\n'), wanted: [502] },
  'two-lengths': { says: 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx', wanted: [502] },
  'length-and-coding': { says: `HTTP/1.1 200 OK\r\nContent-Length: 1\r\n${CHUNKED}\r\n\r\n0\r\n\r\n`, wanted: [502] },
  folded: { says: 'HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n', wanted: [502] },
  'line-feeds': { says: 'HTTP/1.1 200 OK\nContent-Length: 0\n\n', wanted: [502] },
  'large-head': { says: `HTTP/1.1 101 OK\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, wanted: [502] },
  'odd-status': { says: 'HTTP/1.1 999 \x01\x02\r\nContent-Length: 0\r\n\r\n', wanted: [502, 999] },
  forbidden: { says: 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno', wanted: [403] },
  unavailable: { says: 'HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n', wanted: [503] },
  'cut-body': { says: 'HTTP/1.1 401 No\r\nContent-Length: 100\r\n\r\nhalf', does: 'end', wanted: [401] },
  'stuck-body': { says: 'HTTP/1.1 401 No\r\nContent-Length: 100\r\n\r\nhalf', wanted: [401] },
  'bad-chunk': { says: `HTTP/1.1 401 No\r\n${CHUNKED}\r\n\r\nzz\r\n`, wanted: [401] },
  'frame-garbage': { says: `${switching()}nonsense`, wanted: [1014] },
  'frame-masked': { says: `${switching()}\x81\x81\x01\x02\x03\x04\x05`, wanted: [1014] },
  'frame-reserved': { says: `${switching()}\x83\x00`, wanted: [1014] },
  'frame-http': { says: `${switching()}HTTP/1.1 200 OK\r\n\r\n`, wanted: [1014] },
  'frame-cut': { says: `${switching()}\x82\x7e\x10\x00half of it`, does: 'end', wanted: [1012] },
  'frame-header-cut': { says: `${switching()}\x82\x7e\x10`, does: 'end', wanted: [1012] },
  'ping-cut': { says: `${switching()}\x89\x05ab`, does: 'end', wanted: [1012] },
  'frame-reset': { says: `${switching()}\x82\x7e\x10\x00half of it`, does: 'reset', wanted: [1012] },
  'ended-at-once': { says: switching(), does: 'end', wanted: [1012] },
  'plain-switching': { says: switching(), wanted: [502], http: true },
  'plain-garbage': { says: 'nonsense\r\n\r\n', wanted: [502], http: true },
  'plain-silence': { says: '', does: 'end', wanted: [502], http: true },
  'plain-never': { says: '', wanted: [504], http: true },
  'plain-two-lengths': {
    says: 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx',
    wanted: [502],
    http: true,
  },
  'plain-cut': { says: 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', does: 'end', wanted: [200], http: true },
  'plain-stuck': { says: 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', wanted: [200], http: true },
};

const PODS = Object.entries(EVIL).map(([name, { wanted, http }]): Attack => ({
  name: `pod: ${name}`,
  pieces: [http ? get(`/evil/${name}`) : upgrade({ path: `/evil/${name}` })],
  wanted,
}));

export const ATTACKS: readonly Attack[] = [
  ...LENGTHS,
  ...CODINGS,
  ...CHUNKS,
  ...HEADS,
  ...LINES,
  ...HANDSHAKES,
  ...SLOW,
  ...HALF_CLOSED,
  ...PIPELINED,
  ...PODS,
];

/** A pod that echoes, answers `ok`, and is as broken as `/evil/NAME` asks. */
export class HostilePod {
  readonly #front: Server;
  readonly #http = createHttpServer((request, response) => {
    request.on('error', () => undefined);
    request.resume();
    request.on('end', () => response.end('ok'));
  });
  readonly #wss = new WebSocketServer({ server: this.#http });
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#wss.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    this.#front = createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => undefined);
      socket.on('end', () => socket.end());
      socket.once('data', (head: Buffer) => this.#meet(socket, head));
    });
  }

  async listen(): Promise<number> {
    this.#front.listen(0, '127.0.0.1');
    await once(this.#front, 'listening');
    return (this.#front.address() as AddressInfo).port;
  }

  /** Connections of the gateway. */
  get connections(): number {
    return this.#sockets.size;
  }

  #meet(socket: Socket, head: Buffer): void {
    const name = /^GET \/evil\/([\w-]+) /.exec(head.toString('latin1'))?.[1];
    const evil = name === undefined ? undefined : EVIL[name];
    if (!evil) {
      socket.unshift(head);
      return void this.#http.emit('connection', socket);
    }
    socket.resume();
    const after = (): void => {
      if (evil.does === 'end') socket.end();
      // Late enough for what was said to have gone out.
      if (evil.does === 'reset') setTimeout(() => socket.resetAndDestroy(), 20);
    };
    if (evil.says.length > 0) socket.write(evil.says, 'latin1', after);
    else after();
  }

  close(): void {
    this.#front.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** After a status the attacker leaves; whether the gateway keeps the connection is its business. */
const LEAVE_MS = 50;

export async function attack(port: number, { pieces, pauseMs = 0, ends = false }: Attack): Promise<Ending> {
  const raw = await RawSocket.connect(port);
  let isAnswered = false;
  raw.socket.on('data', () => {
    if (isAnswered) return;
    isAnswered = true;
    setTimeout(() => raw.hasStatus && raw.socket.end(), LEAVE_MS);
  });
  for (const piece of pieces) {
    if (raw.socket.destroyed) break;
    raw.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
    if (pauseMs > 0) await wait(pauseMs);
  }
  if (ends) raw.socket.end();
  return raw.ended;
}
