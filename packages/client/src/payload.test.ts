import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { binaryOf, payloadOf, wellFormed } from './payload.js';

describe('payloadOf', () => {
  it('knows buffers of another realm', () => {
    const foreign = runInNewContext('new Uint8Array([1, 2, 3]).buffer') as ArrayBuffer;
    expect(foreign).not.toBeInstanceOf(ArrayBuffer);
    expect(payloadOf(foreign)).toEqual({ data: Uint8Array.of(1, 2, 3), binary: true });
  });

  it('makes bytes of a view with just what it shows', () => {
    const { buffer } = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    expect(payloadOf(new Uint16Array(buffer, 2, 2))).toEqual({ data: Uint8Array.of(3, 4, 5, 6), binary: true });
    expect(payloadOf(Buffer.from('abc').subarray(1))).toEqual({ data: new Uint8Array([98, 99]), binary: true });
  });

  it('takes a detached buffer for an empty one', () => {
    const buffer = new ArrayBuffer(4);
    structuredClone(buffer, { transfer: [buffer] });
    expect(payloadOf(buffer)).toEqual({ data: new Uint8Array(), binary: true });
  });

  it('leaves a Blob and a File as they are', () => {
    const [blob, file] = [new Blob(['x']), new File(['x'], 'name')];
    expect(payloadOf(blob)).toBe(blob);
    expect(payloadOf(file)).toBe(file);
  });
});

describe('wellFormed', () => {
  it.each([
    ['plain', 'plain'],
    ['😀 é', '😀 é'],
    ['\ud83d', '\ufffd'],
    ['\ude00\ud83d', '\ufffd\ufffd'],
    ['a\udc00\ud800\udc00b', 'a\ufffd\ud800\udc00b'],
  ])('makes of %j %j', (given, expected) => {
    expect(wellFormed(given)).toBe(expected);
  });
});

describe('binaryOf', () => {
  it('never gives away what lies around the bytes', () => {
    const whole = Uint8Array.of(1, 2, 3, 4);
    const part = binaryOf(whole.subarray(1, 3), 'arraybuffer') as ArrayBuffer;
    expect(new Uint8Array(part)).toEqual(Uint8Array.of(2, 3));
    expect(binaryOf(whole, 'arraybuffer')).toBe(whole.buffer);
  });
});
