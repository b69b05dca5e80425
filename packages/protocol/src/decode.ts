import { isId, readHello, readResume, readResumed, readWelcome, topicFromWire } from './bodies.js';
import { fault, type Fault } from './error.js';
import { BODY, FIELD, FRAME, HEADER, TOO_LARGE } from './errors.js';
import type { Frame, FrameOf, FrameType, Payload, TopicAck } from './frames.js';
import { LIMITS } from './limits.js';
import { sizeOf, textOf } from './utf8.js';

const LF = 10;

/**
 * Decodes one WebSocket message of holdfast.v1. `binary` tells its opcode, since text may come as bytes. Never throws: what is
 * no frame is a {@link Fault}. A header has exactly one spelling, so what decodes is encoded to the same bytes again. The payload
 * of a data frame is a view of `data`, not a copy.
 */
export function decode(data: string | Uint8Array, binary: boolean): Frame | Fault {
  const message = typeof data === 'string' ? undefined : decodeMessage(data, binary);
  if (message) return message;
  const header = typeof data === 'string' ? textHeader(data) : byteHeader(data);
  if (header === undefined) return fault(HEADER, 'no LF within the limit');
  const fields = header.split(' ');
  const type = fields[0] as string;
  if (!Object.hasOwn(DECODERS, type)) return fault(FRAME, printable(type));
  const decoder = DECODERS[type as FrameType] as Decoder<FrameType>;
  if (fields.length - 1 < decoder.fields || (fields.length - 1 > decoder.fields && !decoder.more)) {
    return fault(FIELD, `${type} has ${fields.length - 1} fields`);
  }
  if (binary && decoder.rest !== 'payload') return fault(BODY, `${type} must be text`);
  const rest = typeof data === 'string' ? data.slice(header.length + 1) : data.subarray(header.length + 1);
  if (rest.length > 0 && decoder.rest === 'none') return fault(BODY, `${type} has no body`);
  if (decoder.rest === 'text' && exceeds(rest, LIMITS.handshakeBytes)) return fault(TOO_LARGE, type);
  return decoder.read(type as FrameType, fields, { data: rest, binary });
}

const M = 109;
const R = 114;
const SPACE = 32;
/** Numbers of fewer digits than the highest cannot exceed it. */
const SAFE_DIGITS = 15;

/** Reads `m` and `r` straight from their bytes: nearly all frames are these. What is unusual in any way goes the long way. */
function decodeMessage(bytes: Uint8Array, binary: boolean): FrameOf<'m' | 'r'> | undefined {
  if ((bytes[0] !== M && bytes[0] !== R) || bytes[1] !== SPACE) return undefined;
  let n = 0;
  let at = 2;
  let digit = digitAt(bytes, at);
  for (; digit >= 0; digit = digitAt(bytes, ++at)) n = n * 10 + digit;
  if (digitAt(bytes, 2) < 1 || at - 2 > SAFE_DIGITS || bytes[at] !== SPACE) return undefined;
  const start = ++at;
  let ack = 0;
  for (digit = digitAt(bytes, at); digit >= 0; digit = digitAt(bytes, ++at)) ack = ack * 10 + digit;
  const digits = at - start;
  if (digits === 0 || digits > SAFE_DIGITS || bytes[at] !== LF) return undefined;
  if (digits > 1 && digitAt(bytes, start) === 0) return undefined;
  return { type: bytes[0] === M ? 'm' : 'r', n, ack, data: bytes.subarray(at + 1), binary };
}

/** The digit at this place, or a number that is none. */
function digitAt(bytes: Uint8Array, at: number): number {
  const digit = (bytes[at] ?? 0) - 48;
  return digit <= 9 ? digit : -1;
}

interface Decoder<T extends FrameType> {
  /** How many header fields follow the type. */
  readonly fields: number;
  /** Whether more may follow. */
  readonly more?: boolean;
  /** What follows the header: an application's payload, text of ours, or nothing. */
  readonly rest: 'payload' | 'text' | 'none';
  readonly read: (type: T, fields: readonly string[], rest: Payload) => FrameOf<T> | Fault;
}

const data: Decoder<'m' | 'r'> = {
  fields: 2,
  rest: 'payload',
  read(type, [, a, b], rest) {
    const n = number(a);
    const ack = number(b);
    if (n === undefined || n === 0 || ack === undefined) return fault(FIELD, type);
    return { type, n, ack, data: rest.data, binary: rest.binary };
  },
};

const beat: Decoder<'ping' | 'pong'> = {
  fields: 2,
  rest: 'none',
  read(type, [, a, b]) {
    const stamp = number(a);
    const ack = number(b);
    return stamp === undefined || ack === undefined ? fault(FIELD, type) : { type, stamp, ack };
  },
};

const spread: Decoder<'drain' | 'again'> = {
  fields: 2,
  rest: 'none',
  read(type, [, a, b]) {
    const afterMs = number(a);
    const withinMs = number(b);
    return afterMs === undefined || withinMs === undefined ? fault(FIELD, type) : { type, afterMs, withinMs };
  },
};

function json<T extends 'hello' | 'welcome' | 'resume' | 'resumed'>(
  readBody: (value: unknown) => FrameOf<T>['body'] | undefined,
): Decoder<T> {
  return {
    fields: 0,
    rest: 'text',
    read(type, _fields, rest) {
      const source = textOf(rest.data);
      const body = source === undefined ? undefined : readBody(parse(source));
      return body === undefined ? fault(BODY, type) : ({ type, body } as FrameOf<T>);
    },
  };
}

const DECODERS: { readonly [T in FrameType]: Decoder<T> } = {
  m: data as Decoder<'m'>,
  r: data as Decoder<'r'>,
  t: {
    fields: 2,
    rest: 'payload',
    read(type, [, a, b], rest) {
      const n = number(a);
      const topic = topicFromWire(b as string);
      if (n === undefined || n === 0 || topic === undefined) return fault(FIELD, type);
      return { type, n, topic, data: rest.data, binary: rest.binary };
    },
  },
  v: { fields: 0, rest: 'payload', read: (type, _fields, rest) => ({ type, data: rest.data, binary: rest.binary }) },
  hello: json<'hello'>(readHello),
  welcome: json<'welcome'>(readWelcome),
  resume: json<'resume'>(readResume),
  resumed: json<'resumed'>(readResumed),
  sub: {
    fields: 3,
    rest: 'none',
    read(type, [, a, epoch, b]) {
      const n = number(a);
      const topic = topicFromWire(b as string);
      if (n === undefined || !isId(epoch) || topic === undefined) return fault(FIELD, type);
      return { type, n, epoch, topic };
    },
  },
  unsub: {
    fields: 1,
    rest: 'none',
    read(type, [, a]) {
      const topic = topicFromWire(a as string);
      return topic === undefined ? fault(FIELD, type) : { type, topic };
    },
  },
  ack: {
    fields: 1,
    more: true,
    rest: 'none',
    read(type, [, a, ...list]) {
      const ack = number(a);
      if (ack === undefined || list.length > LIMITS.acksPerFrame) return fault(FIELD, type);
      const topics: TopicAck[] = [];
      for (const item of list) {
        const at = item.lastIndexOf('=');
        const topic = topicFromWire(item.slice(0, Math.max(at, 0)));
        const offset = number(item.slice(at + 1));
        if (topic === undefined || offset === undefined) return fault(FIELD, type);
        topics.push({ topic, offset });
      }
      return { type, ack, topics };
    },
  },
  gap: {
    fields: 3,
    more: true,
    rest: 'none',
    read(type, fields) {
      const [, a, b, epoch, c] = fields;
      const from = number(a);
      const to = number(b);
      const topic = c === undefined ? '' : topicFromWire(c);
      if (from === undefined || to === undefined || from > to) return fault(FIELD, type);
      if (!isId(epoch) || topic === undefined || fields.length > 5) return fault(FIELD, type);
      return { type, from, to, epoch, topic };
    },
  },
  ping: beat as Decoder<'ping'>,
  pong: beat as Decoder<'pong'>,
  pace: {
    fields: 1,
    rest: 'none',
    read: (type, [, pace]) => (pace === 'foreground' || pace === 'background' ? { type, pace } : fault(FIELD, type)),
  },
  drain: spread as Decoder<'drain'>,
  again: spread as Decoder<'again'>,
  bye: {
    fields: 1,
    rest: 'text',
    read(type, [, a], rest) {
      const code = number(a);
      const reason = textOf(rest.data);
      // Codes that an application may close with (RFC 6455, section 7.4); 1005 stands for "no code".
      const allowed = code === 1000 || code === 1005 || (code !== undefined && code >= 1001 && code <= 4999);
      if (!allowed || reason === undefined || exceeds(reason, LIMITS.reasonBytes)) return fault(FIELD, type);
      return { type, code, reason };
    },
  },
};

/** Looks at the length first: a UTF-8 text has at least as many bytes as units. */
const exceeds = (data: string | Uint8Array, bytes: number): boolean => data.length > bytes || sizeOf(data) > bytes;

/** Decimal digits without a leading zero, up to what a double holds exactly. */
function number(field: string | undefined): number | undefined {
  if (field === undefined || field.length > 16 || !/^(?:0|[1-9]\d*)$/.test(field)) return undefined;
  const value = Number(field);
  return value <= LIMITS.number ? value : undefined;
}

function textHeader(data: string): string | undefined {
  const end = data.indexOf('\n');
  return end < 0 || end > LIMITS.headerBytes ? undefined : data.slice(0, end);
}

function byteHeader(bytes: Uint8Array): string | undefined {
  let header = '';
  for (let i = 0; i < bytes.length && i <= LIMITS.headerBytes; i++) {
    const byte = bytes[i] as number;
    if (byte === LF) return header;
    header += String.fromCharCode(byte);
  }
  return undefined;
}

function parse(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    return undefined;
  }
}

/** A peer's text in an error of ours: short, and without anything that a terminal obeys. */
const printable = (value: string): string => JSON.stringify(value.slice(0, 32)).replace(/[^ -~]/g, '?');
