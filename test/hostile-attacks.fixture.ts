import { once } from 'node:events';
import type { Random } from '@holdfast/testing';
import { frameBytes, RawSocket, type Ending, type FrameShape } from './raw-socket.fixture.js';

/** What a server is attacked with. */
export interface Attack {
  readonly name: string;
  /** Does its worst, and leaves the connection for the server to end. */
  readonly run: (port: number, random: Random) => Promise<RawSocket>;
  readonly mayEnd: (ending: Ending) => boolean;
}

export const LIMITS = { messages: 16, payloadBytes: 20_000 };

const HELLO = 'hello\n{"window":{"messages":64,"bytes":100000}}';
const TOKEN = 'A'.repeat(43);
const resume = (fields: object = {}): string =>
  `resume\n${JSON.stringify({
    session: 'unknown-session-id',
    token: TOKEN,
    attempt: 1,
    epoch: 'abcdefgh',
    received: 0,
    topics: [],
    window: { messages: 64, bytes: 100_000 },
    ...fields,
  })}`;

/** Frames that are right in some state or another. */
const FRAMES = [
  HELLO,
  resume(),
  'm 1 0\nhello',
  'r 1 0\nhello',
  't 1 topic\nhello',
  'v\nhello',
  'ack 0\n',
  'ack 0 topic=3\n',
  'ping 1 0\n',
  'pong 1 0\n',
  'pace background\n',
  'drain 1 2\n',
  'sub 0 epoch topic\n',
  'unsub topic\n',
  'gap 1 2 epoch\n',
  'bye 1000\n',
  'welcome\n{}',
  'resumed\n{}',
];
const LETTERS = Array.from('\n\0 {}[]":,.-+e0123456789hello=%\u00e4\ud83d\ude00\u2028');

/** A frame with some bytes changed, dropped, doubled or put in. It may still be right. */
function mutated(frame: string, random: Random): string {
  const letters = Array.from(frame);
  for (let i = random.int(1, 6); i > 0; i--) {
    const at = random.int(0, Math.max(0, letters.length - 1));
    const letter = random.pick(LETTERS);
    const [drop, add] = random.pick([
      [1, [letter]],
      [1, []],
      [0, [letter]],
      [0, letters.slice(at, at + random.int(1, 20))],
    ] as const);
    letters.splice(at, drop, ...add);
  }
  return letters.join('');
}

const truncated = (frame: string, random: Random): string => frame.slice(0, random.int(0, frame.length - 1));

// ---------------------------------------------------------------------------------------------------- what they come to

const closedWith =
  (...codes: readonly number[]) =>
  (ending: Ending): boolean =>
    ending.by === 'close' && codes.includes(ending.code);

/** A close of holdfast carries its coded error; one of `ws` for a broken frame has the codes of RFC 6455. */
const isCoded = (ending: Ending): boolean =>
  ending.by === 'close' &&
  (/^HF_[A-Z_]+( retry=\d+)?$/.test(ending.reason) || [1000, 1002, 1007, 1009].includes(ending.code));

const hasStatus =
  (...codes: readonly number[]) =>
  (ending: Ending): boolean =>
    ending.by === 'status' && codes.includes(ending.code);

// ------------------------------------------------------------------------------------------------------------- attacks

type Payload = string | Uint8Array;

/** Something that is no frame, so that whoever was let in by accident is thrown out. */
const NONSENSE = 'nonsense\n';

/** How a first frame looks on the wire, and what follows it. */
interface Shape extends FrameShape {
  readonly alone?: boolean;
}

function first(name: string, mayEnd: Attack['mayEnd'], make: (random: Random) => Payload, shape?: Shape): Attack {
  return {
    name: `first frame: ${name}`,
    mayEnd,
    run: async (port, random) => {
      const raw = await RawSocket.open(port, random.chance(0.5) ? '/' : '/?hf=x');
      raw.say(make(random), shape);
      if (!shape?.alone) raw.say(NONSENSE);
      return raw;
    },
  };
}

function middle(
  name: string,
  mayEnd: Attack['mayEnd'],
  attack: (raw: RawSocket, random: Random) => unknown,
  protocols?: string,
): Attack {
  return {
    name: `mid-session: ${name}`,
    mayEnd,
    run: async (port, random) => {
      const raw = await RawSocket.open(port, '/', protocols);
      raw.say(HELLO);
      await raw.hear('welcome');
      await attack(raw, random);
      return raw;
    },
  };
}

const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

const FIRST: Attack[] = [
  first('mutated hello', isCoded, (random) => mutated(HELLO, random)),
  first('mutated resume', isCoded, (random) => mutated(resume(), random)),
  first('truncated', isCoded, (random) => truncated(random.pick([HELLO, resume()]), random)),
  first('in a wrong state', closedWith(4500), (random) => random.pick(FRAMES.slice(2))),
  first('random bytes', closedWith(4500), (random) => {
    const bytes = Buffer.from(Array.from({ length: random.int(0, 200) }, () => random.int(0, 255)));
    return bytes;
  }),
  first('random text', closedWith(4500), (random) =>
    Array.from({ length: random.int(0, 100) }, () => random.pick(LETTERS)).join(''),
  ),
  first('a binary control frame', closedWith(4500), (random) => Buffer.from(random.pick([HELLO, resume(), 'ack 0\n']))),
  first('impossible windows', closedWith(4500), (random) => {
    const bad = ['0', '-1', '1e400', '1.5', '"8"', 'null', '9007199254740992', '[]', '{}'];
    return `hello\n{"window":{"messages":${random.pick(bad)},"bytes":${random.pick(['1', ...bad])}}}`;
  }),
  first('a huge window', isCoded, () => 'hello\n{"window":{"messages":9007199254740991,"bytes":9007199254740991}}'),
  first('deep JSON', closedWith(4500), (random) => `hello\n${deep(random.int(1_000, 9_000))}`),
  first(
    'deep JSON in an unknown member',
    isCoded,
    () => `hello\n{"window":{"messages":1,"bytes":1},"x":${deep(4_000)}}`,
  ),
  first('names of the prototype', isCoded, (random) => {
    const name = random.pick(['__proto__', 'constructor', 'prototype', 'toString']);
    return random.chance(0.5)
      ? `hello\n{"${name}":{"window":{"messages":1,"bytes":1}}}`
      : resume({ session: name, topics: [{ topic: name, epoch: name, offset: 0 }] });
  }),
  first(
    'a frame named as a member of the prototype',
    closedWith(4500),
    (random) => `${random.pick(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])} 1 2\n{}`,
  ),
  first(
    'a long auth',
    closedWith(4500, 1009),
    (random) => `hello\n{"window":{"messages":1,"bytes":1},"auth":"${'a'.repeat(random.int(8_193, 30_000))}"}`,
  ),
  first('a header without an end', closedWith(4500, 1009), () => 'h'.repeat(1_000_000)),
  first('a header line that is too long', closedWith(4500), () => `ack 0${' topic=1'.repeat(2_000)}\n`),
  first('larger than any frame may be', closedWith(1009), () => 'x'.repeat(40_000)),
  first(
    'a made-up token',
    closedWith(4502),
    (random) =>
      resume({ token: Array.from({ length: 43 }, () => random.pick(Array.from('ABCDEFabcdef0123_-'))).join('') }),
    { alone: true },
  ),
  first('too many topics', closedWith(4500), () =>
    resume({ topics: Array.from({ length: 300 }, (_, i) => ({ topic: `t${i}`, epoch: 'e', offset: 0 })) }),
  ),
  first('numbers beyond all bounds', isCoded, (random) => {
    const number = random.pick([-1, 1.5, 1e300, '1', null, 2 ** 53]);
    return resume(random.pick([{ received: number }, { attempt: number }, { window: { messages: number, bytes: 1 } }]));
  }),
  // Below holdfast: what breaks RFC 6455 is for ws to answer.
  first('text that is no UTF-8', closedWith(1007), () => Buffer.from([0x68, 0xff, 0xfe, 0x0a]), { opcode: 1 }),
  first('not masked', closedWith(1002), () => HELLO, { masked: false }),
  first('an unknown opcode', closedWith(1002), () => HELLO, { opcode: 3 }),
  first('reserved bits', closedWith(1002), () => HELLO, { rsv: 7 }),
  first('a control frame in parts', closedWith(1002), () => 'x', { opcode: 9, fin: false }),
  first('a ping that is too long', closedWith(1002), () => 'x'.repeat(200), { opcode: 9 }),
  first('a continuation of nothing', closedWith(1002), () => HELLO, { opcode: 0 }),
  first('a length beyond all memory', closedWith(1009), () => 'x', { length: 2 ** 50 }),
  {
    name: 'first frame: none',
    mayEnd: closedWith(4504),
    run: (port) => RawSocket.open(port),
  },
  {
    name: 'first frame: byte by byte, for ever',
    mayEnd: closedWith(4504),
    run: async (port) => {
      const raw = await RawSocket.open(port);
      const bytes = frameBytes(HELLO);
      let at = 0;
      const timer = setInterval(() => raw.write(bytes.subarray(at, ++at)), 50);
      raw.socket.once('close', () => clearInterval(timer));
      return raw;
    },
  },
  {
    name: 'first frame: a message that begins and does not end',
    mayEnd: closedWith(4504),
    run: async (port) => {
      const raw = await RawSocket.open(port);
      for (let i = 0; i < 100; i++) raw.say('x'.repeat(100), { opcode: i === 0 ? 1 : 0, fin: false });
      return raw;
    },
  },
  {
    name: 'first frame: hello again and again, at once',
    mayEnd: closedWith(4500),
    run: async (port) => {
      const raw = await RawSocket.open(port);
      for (let i = 0; i < 10; i++) raw.say(HELLO);
      return raw;
    },
  },
];

const MIDDLE: Attack[] = [
  middle('mutated', isCoded, (raw, random) => {
    for (let i = 0; i < 20; i++) raw.say(mutated(random.pick(FRAMES), random));
    raw.say(NONSENSE);
  }),
  middle('truncated', isCoded, (raw, random) => {
    for (let i = 0; i < 5; i++) raw.say(truncated(random.pick(FRAMES), random));
    raw.say(NONSENSE);
  }),
  middle('what only a server says', closedWith(4500), (raw, random) =>
    raw.say(random.pick(FRAMES.filter((frame) => /^(?:welcome|resumed|t |v\n|sub|unsub|gap|drain)/.test(frame)))),
  ),
  middle('another greeting', closedWith(4500), (raw, random) => raw.say(random.pick([HELLO, resume()]))),
  middle('a number that was skipped', closedWith(4500), (raw, random) => raw.say(`m ${random.int(2, 1e9)} 0\nx`)),
  middle('the acknowledgement of what was never sent', closedWith(4500), (raw, random) =>
    raw.say(
      random.pick([`ack ${random.int(1_000, 1e9)}\n`, 'm 1 1000\nx', 'ping 1 1000\n', 'pong 1 9007199254740991\n']),
    ),
  ),
  middle('more than its window', closedWith(4500), (raw) => {
    const frames = Array.from({ length: 500 }, (_, i) => frameBytes(`m ${i + 1} 0\n${'x'.repeat(50)}`));
    raw.write(Buffer.concat(frames));
  }),
  middle('more than a message may have', closedWith(1009), (raw) =>
    raw.say(`m 1 0\n${'x'.repeat(LIMITS.payloadBytes + 1)}`),
  ),
  middle('pings and turns of pace without end, and nothing read', isCoded, async (raw) => {
    raw.socket.pause();
    for (let i = 0; i < 2_000; i++) raw.say(`ping ${i} 0\n`);
    for (let i = 0; i < 500; i++) raw.say(i % 2 ? 'pace background\n' : 'pace foreground\n');
    raw.say(NONSENSE);
    if (raw.socket.writableLength > 0) await once(raw.socket, 'drain');
    raw.socket.resume();
  }),
  // ws cuts a connection that has this many of them unanswered: a code would wait behind the answers.
  middle(
    'pings of RFC 6455 without end',
    ({ by }) => by === 'nothing',
    (raw) => {
      for (let i = 0; i < 500; i++) raw.say('x', { opcode: 9 });
      raw.say(NONSENSE);
    },
  ),
  middle('silence: it answers no ping', closedWith(4505), () => undefined),
  middle('two farewells, and then more', isCoded, (raw) => {
    raw.say('bye 1000\n');
    raw.say('bye 4000\n');
    raw.say('m 1 0\nx');
    raw.say(NONSENSE);
  }),
  middle('codes of close that nobody may use', closedWith(4500), (raw, random) =>
    raw.say(`bye ${random.pick(['0', '999', '5000', '-1', '1e3', '99999999999999999999'])}\n`),
  ),
  middle('a close that is none', closedWith(1002, 1007), (raw, random) =>
    raw.say(Buffer.from(random.pick([[3], [0, 1], [0x03, 0xec], [0x03, 0xe8, 0xff, 0xfe]])), { opcode: 8 }),
  ),
  middle('text that is no UTF-8', closedWith(1007), (raw) =>
    raw.say(Buffer.from([0x6d, 0x20, 0x31, 0x20, 0x30, 0x0a, 0xc3, 0x28]), { opcode: 1 }),
  ),
  middle('parts that are no message', closedWith(1002), (raw) => {
    raw.say('m 1 0\n', { fin: false });
    raw.say('m 2 0\n');
  }),
];

/** Before there is anything that could be closed with a code. */
const HTTP: Attack[] = [
  {
    name: 'http: noise',
    mayEnd: hasStatus(400),
    run: async (port, random) => {
      const raw = await RawSocket.connect(port);
      raw.write(Buffer.from(Array.from({ length: 500 }, () => random.int(0, 255))));
      return raw;
    },
  },
  {
    name: 'http: a megabyte of headers',
    mayEnd: hasStatus(431),
    run: async (port) => {
      const raw = await RawSocket.connect(port);
      raw.write(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(1_000_000)}\r\n\r\n`);
      return raw;
    },
  },
  {
    name: 'http: an upgrade that is none',
    mayEnd: hasStatus(400, 405),
    run: async (port, random) => {
      const raw = await RawSocket.connect(port);
      const [method, version, key, offer] = random.pick([
        ['GET', '13', 'short', 'holdfast.v1'],
        ['GET', '12', 'AAAAAAAAAAAAAAAAAAAAAA==', 'holdfast.v1'],
        ['POST', '13', 'AAAAAAAAAAAAAAAAAAAAAA==', 'holdfast.v1'],
        ['GET', '13', 'AAAAAAAAAAAAAAAAAAAAAA==', 'holdfast.v1,,;'],
      ]);
      raw.write(
        `${method} / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: ${version}\r\n` +
          `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Protocol: ${offer}\r\n\r\n`,
      );
      return raw;
    },
  },
];

export const ATTACKS: readonly Attack[] = [...FIRST, ...MIDDLE, ...HTTP];
