import fc from 'fast-check';
import { expect, it } from 'vitest';
import { closeFrame, FrameHeader, writeHeader } from './frame-header.js';
import { WholeFrames } from './whole-frames.js';

interface Message {
  readonly opcode: number;
  readonly parts: readonly Uint8Array[];
}

const frame = (first: number, payload: Uint8Array): Buffer => {
  const bytes = Buffer.alloc(10 + payload.length);
  const at = writeHeader(bytes, 0, first, payload.length);
  bytes.set(payload, at);
  return bytes.subarray(0, at + payload.length);
};

const framesOf = ({ opcode, parts }: Message): Buffer[] =>
  parts.map((part, i) => frame((i === parts.length - 1 ? 0x80 : 0) | (i === 0 ? opcode : 0), part));

/** Reads frames as a client does. */
class Reading {
  /** Whole messages and controls, in order. */
  readonly read: string[] = [];
  #message: { opcode: number; parts: Buffer[] } | undefined;

  /** Takes what has come in one piece. Throws if a frame is open at its end. */
  take(bytes: Buffer): void {
    const header = new FrameHeader(false);
    for (let at = 0; at < bytes.length;) {
      if (header.read(bytes, at) !== 'whole') throw new Error('a header is open');
      const begin = at + header.headerBytes;
      at = begin + header.payloadBytes;
      if (at > bytes.length) throw new Error('a frame is open');
      this.#frame(header, bytes.subarray(begin, at));
    }
  }

  #frame({ isControl, isFinal, opcode }: FrameHeader, payload: Buffer): void {
    if (isControl) {
      this.read.push(`control ${opcode} ${payload.toString('hex')}`);
      return;
    }
    if ((opcode === 0) !== (this.#message !== undefined)) throw new Error('a fragment in the wrong place');
    this.#message ??= { opcode, parts: [] };
    this.#message.parts.push(payload);
    if (!isFinal) return;
    this.read.push(`message ${this.#message.opcode} ${Buffer.concat(this.#message.parts).toString('hex')}`);
    this.#message = undefined;
  }
}

/** Chunks of one source, at most. */
const CHUNKS_MAX = 2_000;

const payload = fc.oneof(
  fc.uint8Array({ maxLength: 130 }),
  fc.integer({ min: 120, max: 70_000 }).map((length) => new Uint8Array(length).map((_, i) => i % 251)),
);
const message = fc.record({
  opcode: fc.constantFrom(1, 2, 0x41),
  parts: fc.array(payload, { minLength: 1, maxLength: 3 }),
});
const control = fc.record({
  opcode: fc.constantFrom(9, 10),
  parts: fc.tuple(fc.uint8Array({ maxLength: 125 })),
});

it('passes every message however the bytes are cut, and leaves no frame open after any chunk', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(message, control), { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 20 }),
      (messages, cuts) => {
        const source = Buffer.concat(messages.flatMap(framesOf));
        const frames = new WholeFrames();
        const passed = new Reading();
        const whole = new Reading();
        whole.take(source);
        let cut = 0;
        for (let at = 0; at < source.length;) {
          const end = at + Math.max(cuts[cut++ % cuts.length] ?? 1, Math.floor(source.length / CHUNKS_MAX));
          passed.take(Buffer.concat(frames.push(Buffer.from(source.subarray(at, end)))));
          at = end;
        }
        expect(passed.read).toEqual(whole.read);
        expect(frames.messages).toBe(messages.filter(({ opcode }) => (opcode & 8) === 0).length);
      },
    ),
    { numRuns: 200 },
  );
});

it('passes whole frames as they are, without a copy', () => {
  const chunk = Buffer.concat([frame(0x81, Buffer.from('a')), frame(0x82, Buffer.from('b'))]);
  const pieces = new WholeFrames().push(chunk);
  expect(pieces).toHaveLength(1);
  expect(pieces[0]).toBe(chunk);
});

it('sees the close frame and passes nothing behind it', () => {
  const frames = new WholeFrames();
  const close = closeFrame(4001, 'done');
  expect(Buffer.concat(frames.push(Buffer.concat([close, frame(0x81, Buffer.from('late'))])))).toEqual(close);
  expect(frames.closeCode).toBe(4001);
  expect(frames.push(frame(0x81, Buffer.from('later')))).toEqual([]);
});

it.each([
  ['a masked frame', [0x81, 0x81, 1, 2, 3, 4, 5]],
  ['a reserved opcode', [0x83, 0]],
  ['a reserved bit', [0xa1, 0]],
  ['a control frame in fragments', [0x09, 0]],
  ['a long control frame', [0x89, 126, 0, 126]],
  ['HTTP', [...Buffer.from('HTTP/1.1 200 OK\r\n')]],
])('finds that %s is not what a server sends', (_what, bytes) => {
  const frames = new WholeFrames();
  const before = frame(0x81, Buffer.from('fine'));
  expect(frames.push(Buffer.concat([before, Buffer.from(bytes)]))).toEqual([before]);
  expect(frames.broken).toBe(true);
  expect(frames.push(before)).toEqual([]);
});

it('cuts the reason of a close to what a frame holds, at a character', () => {
  const bytes = closeFrame(1012, 'ä'.repeat(100));
  expect(bytes.length).toBeLessThanOrEqual(127);
  expect(bytes.subarray(4).toString()).toBe('ä'.repeat(61));
});
