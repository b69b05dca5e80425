import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameCounter } from './frame-counter.js';

/** A client's frame, masked with zeros. */
function frame(first: number, payload: Uint8Array, claimed = payload.length): Buffer {
  const extended = claimed < 126 ? 0 : claimed < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extended + 4);
  head[0] = first;
  head[1] = 0x80 | (extended === 0 ? claimed : extended === 2 ? 126 : 127);
  if (extended === 2) head.writeUInt16BE(claimed, 2);
  if (extended === 8) head.writeBigUInt64BE(BigInt(claimed), 2);
  return Buffer.concat([head, payload]);
}

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7);

it('counts messages and finds the close however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(0, 1, 125, 126, 300, 70_000), { maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 10 }),
      (sizes, cuts) => {
        const messages = sizes.flatMap((size) => [
          frame(0x02, bytes(size)),
          frame(0x89, bytes(3)),
          frame(0x80, bytes(1)),
        ]);
        const source = Buffer.concat([...messages, frame(0x88, Buffer.from([15, 161, 120]))]);
        const counter = new FrameCounter(1_000_000);
        let cut = 0;
        for (let at = 0; at < source.length;) {
          const end = at + (cuts[cut++ % cuts.length] ?? 1);
          counter.push(source.subarray(at, end));
          at = end;
        }
        expect([counter.messages, counter.closeCode, counter.fault]).toEqual([sizes.length, 4_001, undefined]);
      },
    ),
    { numRuns: 100 },
  );
});

describe('a fault', () => {
  const faultOf = (...frames: Buffer[]) => {
    const counter = new FrameCounter(100);
    for (const one of frames) counter.push(one);
    return counter.fault;
  };

  it.each([
    ['an unmasked frame', Buffer.from([0x81, 1, 65]), 'not websocket'],
    ['a reserved opcode', frame(0x83, bytes(1)), 'not websocket'],
    ['a message one byte too large', frame(0x82, bytes(101)), 'too large'],
    ['a message that only claims to be large', frame(0x82, bytes(1), 10_000_000), 'too large'],
    ['a message at the bound', frame(0x82, bytes(100)), undefined],
  ])('%s', (_what, one, fault) => expect(faultOf(one)).toBe(fault));

  it('is a message whose fragments are too large together, and not two messages', () => {
    expect(faultOf(frame(0x02, bytes(60)), frame(0x80, bytes(60)))).toBe('too large');
    expect(faultOf(frame(0x82, bytes(60)), frame(0x82, bytes(60)))).toBeUndefined();
  });
});

it('reads the code of a close frame that comes byte by byte, masked', () => {
  const mask = [1, 2, 3, 4];
  const payload = [0x0f ^ 1, 0xa2 ^ 2];
  const counter = new FrameCounter(100);
  for (const byte of [0x88, 0x82, ...mask, ...payload]) counter.push(Buffer.from([byte]));
  expect(counter.closeCode).toBe(4_002);
});
