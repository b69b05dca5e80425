import { describe, expect, it } from 'vitest';
import { encode } from './encode.js';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe('encode', () => {
  it('writes a header that a person can read, and the payload untouched', () => {
    expect(encode({ type: 'm', n: 7, ack: 3, data: 'h\u00e9llo', binary: false })).toEqual({
      data: 'm 7 3\nh\u00e9llo',
      binary: false,
    });
    expect(encode({ type: 'v', data: '', binary: false })).toEqual({ data: 'v\n', binary: false });
  });

  it('writes a byte payload behind the same header, in a message of its own kind', () => {
    const expected = bytes(109, 32, 49, 32, 48, 10, 255, 0);
    expect(encode({ type: 'm', n: 1, ack: 0, data: bytes(255, 0), binary: true })).toEqual({
      data: expected,
      binary: true,
    });
    expect(encode({ type: 'v', data: bytes(104), binary: false })).toEqual({
      data: bytes(118, 10, 104),
      binary: false,
    });
  });

  it('asks its caller for the buffer', () => {
    const made: number[] = [];
    const allocate = (length: number): Uint8Array => {
      made.push(length);
      return new Uint8Array(length);
    };
    encode({ type: 't', n: 1, topic: 'a', data: bytes(1, 2, 3), binary: true }, allocate);
    encode({ type: 'ping', stamp: 1, ack: 0 }, allocate);
    expect(made).toEqual(['t 1 a\n'.length + 3]);
  });

  it('escapes what would break a header line', () => {
    expect(encode({ type: 'unsub', topic: 'a b=c%\n' }).data).toBe('unsub a%20b%3Dc%25%0A\n');
  });

  it('throws for a topic that cannot be written, which its callers have let in', () => {
    expect(() => encode({ type: 'unsub', topic: '' })).toThrow(RangeError);
    expect(() => encode({ type: 'unsub', topic: '\ud800' })).toThrow(RangeError);
  });
});
