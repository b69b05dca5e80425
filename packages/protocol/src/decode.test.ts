import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { announceSeed, randomSeed } from '@holdfast/testing';
import { decode } from './decode.js';
import { encode, type Wire } from './encode.js';
import { isFault } from './error.js';
import * as errors from './errors.js';
import { FRAME_TYPES, FRAMES, frame } from './frames.fixture.js';
import type { Frame } from './frames.js';
import { LIMITS } from './limits.js';
import { DEFAULT_POLICY } from './policy.js';
import { textOf } from './utf8.js';

// Many runs, on a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 60_000 });

const seed = randomSeed();
announceSeed('codec', seed, { command: 'npx vitest run --project unit packages/protocol/src/decode.test.ts' });
const runs = (numRuns: number): { seed: number; numRuns: number } => ({ seed, numRuns });

const bytesOf = (data: string | Uint8Array): Uint8Array =>
  typeof data === 'string' ? new TextEncoder().encode(data) : data;
/** The same message as a browser gives it (text as a string), and as Node's `ws` does (text as bytes). */
const carriers = ({ data, binary }: Wire): Wire[] =>
  binary
    ? [{ data, binary }]
    : [
        { data: textOf(data) as string, binary },
        { data: bytesOf(data), binary },
      ];
/** A frame without regard to whether text is held as a string or as bytes. */
const normal = (value: Frame): unknown => ('data' in value ? { ...value, data: bytesOf(value.data) } : value);
const isControl = ({ type }: Frame): boolean => !['m', 'r', 't', 'v'].includes(type);
const jsonTypes = ['hello', 'welcome', 'resume', 'resumed'];

/** What is wrong with what becomes of a message: it is a coded fault, or it is encoded to the same again. */
function flawOf(data: string | Uint8Array, binary: boolean): string | undefined {
  const decoded = decode(data, binary);
  if (isFault(decoded)) return decoded.fault.code.startsWith('HF_') ? undefined : 'no code';
  const again = encode(decoded);
  // A body of JSON has many spellings; it has to read the same.
  const isSame = jsonTypes.includes(decoded.type)
    ? JSON.stringify(decode(again.data, false)) === JSON.stringify(decoded)
    : bytesOf(again.data).join() === bytesOf(data).join();
  return isSame ? undefined : JSON.stringify(decoded);
}

describe('decode', () => {
  it.each(FRAME_TYPES)('reads back every %s, from a string and from bytes', (type) => {
    const property = fc.property(FRAMES[type], (value) => {
      for (const { data, binary } of carriers(encode(value))) {
        const decoded = decode(data, binary);
        expect(isFault(decoded) ? decoded : normal(decoded)).toEqual(normal(value));
      }
    });
    fc.assert(property, runs(200));
  });

  it('takes every truncation for a fault, or for a frame that is encoded as it stands', () => {
    const property = fc.property(frame, (value) => {
      const bytes = bytesOf(encode(value).data);
      const binary = 'data' in value && value.binary;
      for (let length = 0; length < bytes.length; length++)
        expect(flawOf(bytes.subarray(0, length), binary)).toBeUndefined();
    });
    fc.assert(property, runs(150));
  });

  it('takes no truncation of a control frame without its LF for a frame', () => {
    const property = fc.property(frame.filter(isControl), (value) => {
      const text = textOf(encode(value).data) as string;
      for (let length = 0; length <= text.indexOf('\n'); length++) {
        expect(decode(text.slice(0, length), false)).toMatchObject({ fault: errors.HEADER });
      }
    });
    fc.assert(property, runs(150));
  });

  it('takes every change of a byte for a fault, or for a frame that is encoded as it stands', () => {
    const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }), how: fc.constantFrom(0, 1, 2) });
    const property = fc.property(frame, fc.array(change, { minLength: 1, maxLength: 3 }), (value, changes) => {
      const bytes = [...bytesOf(encode(value).data)];
      for (const { at, to, how } of changes)
        bytes.splice(at % (bytes.length + 1), how === 0 ? 0 : 1, ...(how === 2 ? [] : [to]));
      const mutated = Uint8Array.from(bytes);
      expect(flawOf(mutated, 'data' in value && value.binary)).toBeUndefined();
      const text = textOf(mutated);
      expect(text === undefined ? undefined : flawOf(text, false)).toBeUndefined();
    });
    fc.assert(property, runs(2_000));
  });

  it('never throws, whatever bytes or text come', () => {
    const bytes = fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (data, binary) => {
      expect(flawOf(data, binary)).toBeUndefined();
    });
    fc.assert(bytes, runs(2_000));
    const text = fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (data) => {
      expect(decode(data, false)).toBeTypeOf('object');
    });
    fc.assert(text, runs(2_000));
    const headers = fc.tuple(fc.constantFrom(...FRAME_TYPES, 'x', ''), fc.array(fc.string({ unit: 'grapheme-ascii' })));
    const fields = fc.property(headers, fc.string({ unit: 'grapheme-ascii' }), ([type, rest], body) => {
      expect(flawOf(`${[type, ...rest].join(' ')}\n${body}`, false)).toBeUndefined();
    });
    fc.assert(fields, runs(2_000));
  });

  it('never throws, whatever JSON a body is', () => {
    const property = fc.property(fc.constantFrom(...jsonTypes), fc.json(), (type, json) => {
      expect(flawOf(`${type}\n${json}`, false)).toBeUndefined();
    });
    fc.assert(property, runs(1_000));
  });

  it('ignores members of a body that it does not know', () => {
    const body = { window: { messages: 1, bytes: 1, later: 1 }, later: true };
    expect(decode(`hello\n${JSON.stringify(body)}`, false)).toEqual({
      type: 'hello',
      body: { window: { messages: 1, bytes: 1 } },
    });
  });

  it.each([
    ['', errors.HEADER],
    ['ping 1 2', errors.HEADER],
    ['constructor\n', errors.FRAME],
    ['__proto__\n', errors.FRAME],
    ['PING 1 2\n', errors.FRAME],
    ['\n', errors.FRAME],
    ['ping 1\n', errors.FIELD],
    ['ping 1 2 3\n', errors.FIELD],
    ['ping 1  2\n', errors.FIELD],
    ['ping 01 2\n', errors.FIELD],
    ['ping +1 2\n', errors.FIELD],
    ['ping -1 2\n', errors.FIELD],
    ['ping 1e3 2\n', errors.FIELD],
    ['ping 9007199254740992 2\n', errors.FIELD],
    ['ping 1 2\r\n', errors.FIELD],
    ['ping 1 2\nx', errors.BODY],
    ['m 0 0\nx', errors.FIELD],
    ['t 1 %41\nx', errors.FIELD],
    ['t 1 a%2fb\nx', errors.FIELD],
    ['t 1 a=b\nx', errors.FIELD],
    ['t 1 %ED%A0%80\nx', errors.FIELD],
    ['sub 1 caf\u00e9 a\n', errors.FIELD],
    ['gap 3 2 e\n', errors.FIELD],
    ['gap 1 2 e \n', errors.FIELD],
    ['gap 1 2 e a b\n', errors.FIELD],
    ['pace fast\n', errors.FIELD],
    ['bye 999\n', errors.FIELD],
    ['bye 5000\n', errors.FIELD],
    ['bye 0\n', errors.FIELD],
    ['hello\n', errors.BODY],
    ['hello\n\ufeff{"window":{"messages":1,"bytes":1}}', errors.BODY],
    ['hello\n[]', errors.BODY],
    ['hello\nnull', errors.BODY],
    ['hello\n{"window":{"messages":0,"bytes":1}}', errors.BODY],
    ['hello\n{"window":{"messages":1.5,"bytes":1}}', errors.BODY],
    ['hello\n{"window":{"messages":1,"bytes":1},"auth":1}', errors.BODY],
  ])('refuses %j', (text, fault) => {
    expect(decode(text, false)).toMatchObject({ fault });
    expect(decode(bytesOf(text), false)).toMatchObject({ fault });
  });

  it('refuses a control frame in a binary message', () => {
    expect(decode(bytesOf('ping 1 2\n'), true)).toMatchObject({ fault: errors.BODY });
  });

  it('refuses a body that is no UTF-8', () => {
    expect(decode(Uint8Array.from([...bytesOf('bye 1000\n'), 0xff]), false)).toMatchObject({ fault: errors.FIELD });
    expect(decode(Uint8Array.from([...bytesOf('hello\n'), 0xc3]), false)).toMatchObject({ fault: errors.BODY });
  });

  it('shows of an unknown type no more than a terminal may see', () => {
    expect(decode(`\u001b[31m${'x'.repeat(100)}\n`, false)).toMatchObject({
      detail: expect.stringMatching(/^[ -~]{1,80}$/) as string,
    });
  });

  it('gives the payload as a view, not as a copy', () => {
    const bytes = bytesOf('m 1 0\nabc');
    const decoded = decode(bytes, true) as { data: Uint8Array };
    expect(decoded.data.buffer).toBe(bytes.buffer);
  });
});

describe('limits of the codec', () => {
  const at = (limit: number): [number, boolean][] => [
    [limit - 1, true],
    [limit, true],
    [limit + 1, false],
  ];
  const hello = { type: 'hello', body: { window: { messages: 1, bytes: 1 } } } as const;

  it.each(at(LIMITS.headerBytes))('takes a header of %i bytes: %s', (length, taken) => {
    const header = `x${' '.repeat(length - 1)}`;
    // A header of this length belongs to no frame, so that it is read shows in what it is refused for.
    const fault = taken ? errors.FRAME : errors.HEADER;
    expect(decode(`${header}\n`, false)).toMatchObject({ fault });
    expect(decode(bytesOf(`${header}\n`), false)).toMatchObject({ fault });
  });

  it.each(at(LIMITS.handshakeBytes))('takes a body of %i bytes: %s', (length, taken) => {
    const body = JSON.stringify(hello.body);
    const text = `hello\n${body}${' '.repeat(length - body.length)}`;
    expect(decode(text, false)).toEqual(taken ? hello : { fault: errors.TOO_LARGE, detail: 'hello' });
    expect(decode(bytesOf(text), false)).toEqual(taken ? hello : { fault: errors.TOO_LARGE, detail: 'hello' });
  });

  it('counts a body in bytes, not in characters', () => {
    const body = `{"window":{"messages":1,"bytes":1},"pad":"${'\u20ac'.repeat(LIMITS.handshakeBytes / 3)}"}`;
    expect(decode(`hello\n${body}`, false)).toMatchObject({ fault: errors.TOO_LARGE });
  });

  it.each(at(LIMITS.topics))('takes %i topics: %s', (count, taken) => {
    const topics = Array.from({ length: count }, (_, i) => ({ topic: `t${i}`, epoch: 'e', offset: i }));
    const body = { session: 's', token: 't', attempt: 1, epoch: 'e', received: 0, topics, ...hello.body };
    expect(isFault(decode(`resume\n${JSON.stringify(body)}`, false))).toBe(!taken);
  });

  it.each(at(LIMITS.acksPerFrame))('takes acks of %i topics: %s', (count, taken) => {
    const topics = Array.from({ length: count }, (_, i) => ({ topic: `t${i}`, offset: i }));
    expect(isFault(decode(encode({ type: 'ack', ack: 0, topics }).data, false))).toBe(!taken);
  });

  it.each(at(LIMITS.topicBytes))('takes a topic of %i bytes: %s', (length, taken) => {
    expect(isFault(decode(`unsub ${'x'.repeat(length)}\n`, false))).toBe(!taken);
  });

  it.each(at(LIMITS.idBytes))('takes an id of %i bytes: %s', (length, taken) => {
    expect(isFault(decode(`sub 1 ${'x'.repeat(length)} a\n`, false))).toBe(!taken);
  });

  it.each(at(LIMITS.authBytes))('takes an auth of %i bytes: %s', (length, taken) => {
    const body = { ...hello.body, auth: 'x'.repeat(length) };
    expect(isFault(decode(`hello\n${JSON.stringify(body)}`, false))).toBe(!taken);
  });

  it.each(at(LIMITS.reasonBytes))('takes a reason of %i bytes: %s', (length, taken) => {
    expect(isFault(decode(`bye 1000\n${'x'.repeat(length)}`, false))).toBe(!taken);
  });

  it('has room for the largest session there may be', () => {
    const id = 'x'.repeat(LIMITS.idBytes);
    const topics = Array.from({ length: LIMITS.topics }, (_, i) => ({
      topic: '"'.repeat(LIMITS.topicBytes - 3) + `${100 + i}`,
      epoch: id,
      offset: LIMITS.number,
      end: LIMITS.number,
    }));
    const window = { messages: LIMITS.number, bytes: LIMITS.number };
    const auth = '\u0001'.repeat(LIMITS.authBytes);
    const n = LIMITS.number;
    const resume = { session: id, token: id, attempt: n, epoch: id, received: n, topics, window, auth };
    expect(isFault(decode(`resume\n${JSON.stringify(resume)}`, false))).toBe(false);
    const resumed = { token: id, epoch: id, pod: id, policy: DEFAULT_POLICY, received: n, offset: n, end: n, topics };
    expect(isFault(decode(`resumed\n${JSON.stringify(resumed)}`, false))).toBe(false);
    const acks = topics.slice(0, LIMITS.acksPerFrame).map(({ topic, offset }) => ({ topic, offset }));
    expect(isFault(decode(encode({ type: 'ack', ack: n, topics: acks }).data, false))).toBe(false);
  });
});
