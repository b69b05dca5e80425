import { expect, test } from 'vitest';
import { hash32 } from './hash.js';

// From the reference implementation (MurmurHash3.cpp) and its ports.
test.each([
  ['', 0, 0x0000_0000],
  ['', 1, 0x514e_28b7],
  ['', 0xffff_ffff, 0x81f1_6f39],
  ['test', 0, 0xba6b_d213],
  ['test', 0x9747_b28c, 0x704b_81dc],
  ['Hello, world!', 0, 0xc036_3e43],
  ['Hello, world!', 0x9747_b28c, 0x2488_4cba],
  ['The quick brown fox jumps over the lazy dog', 0, 0x2e4f_f723],
  ['The quick brown fox jumps over the lazy dog', 0x9747_b28c, 0x2fa8_26cd],
  ['aaa', 0x9747_b28c, 0x283e_0130],
  ['aa', 0x9747_b28c, 0x5d21_1726],
  ['a', 0x9747_b28c, 0x7fa0_9ea6],
  ['ππππππππ', 0x9747_b28c, 0xd58_063c1],
])('MurmurHash3 of %j with seed %i is that of other implementations', (text, seed, expected) => {
  expect(hash32(text, seed)).toBe(expected);
});

test('the lowest bits of similar texts are spread evenly', () => {
  const counts = new Map<number, number>();
  for (let n = 0; n < 8_000; n++) {
    const bits = hash32(`10.0.${n >> 8}.${n & 255}:8080`) & 7;
    counts.set(bits, (counts.get(bits) ?? 0) + 1);
  }
  for (let bits = 0; bits < 8; bits++) expect(Math.abs((counts.get(bits) ?? 0) - 1_000)).toBeLessThan(150);
});
