import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { announceSeed, randomSeed } from '@holdfast/testing';
import { sizeOf, textOf } from './utf8.js';

// Many runs, on a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 60_000 });

const seed = randomSeed();
announceSeed('utf8', seed, { command: 'npx vitest run --project unit packages/protocol/src/utf8.test.ts' });

describe('sizeOf', () => {
  it('is what a text takes in UTF-8, lone surrogates as the character that replaces them', () => {
    const anyUnits = fc.array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd700, max: 0xe000 })));
    const property = fc.property(anyUnits, (units) => {
      const text = String.fromCharCode(...units);
      expect(sizeOf(text)).toBe(new TextEncoder().encode(text).length);
    });
    fc.assert(property, { seed, numRuns: 2_000 });
  });

  it('is the length of bytes', () => expect(sizeOf(new Uint8Array(3))).toBe(3));
});

describe('textOf', () => {
  it('reads UTF-8, a byte order mark included', () => {
    expect(textOf(new TextEncoder().encode('\ufeffh\u00e9'))).toBe('\ufeffh\u00e9');
    expect(textOf('as it is')).toBe('as it is');
  });

  it('has nothing to say of bytes that are no UTF-8', () => {
    expect(textOf(Uint8Array.of(0xff))).toBeUndefined();
    expect(textOf(Uint8Array.of(0xed, 0xa0, 0x80))).toBeUndefined();
  });
});
