import { describe, expect, it } from 'vitest';
import { formatDuration, formatSize, parseDuration, parseSize, speakDuration } from './units.js';

describe('a duration', () => {
  it.each([
    ['500ms', 500],
    ['1.5s', 1_500],
    ['2m', 120_000],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
    ['0s', 0],
  ])('%s is %i ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['5', '', 's', '-1s', '1 s', '1e3s', '1w', '3651d', '1.s', 'off'])('%j is none', (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  );

  it('is written as the longest unit that is exact, and read back', () => {
    for (const ms of [0, 1, 999, 1_000, 90_000, 3_600_000, 86_400_000, 5_400_000]) {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    }
    expect([90_000, 3_600_000, Infinity].map(formatDuration)).toEqual(['90s', '1h', 'unlimited']);
  });

  it('is told to people in about three figures', () => {
    const told = [0, 96_500, 3_598_500, 3_600_000, 45_000, -1_000, -604_725_000, 600_000, Infinity, -Infinity].map(
      speakDuration,
    );
    expect(told).toEqual(['0s', '96.5s', '60m', '1h', '45s', '-1s', '-7d', '10m', 'unlimited', '-unlimited']);
  });
});

describe('a size', () => {
  it.each([
    ['64KiB', 65_536],
    ['4Gi', 4_294_967_296],
    ['16M', 16_000_000],
    ['1.5k', 1_500],
    ['100kB', 100_000],
    ['10B', 10],
  ])('%s is %i bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each(['5', '', 'Ki', '1Pi', '1 Ki', '-1k'])('%j is none', (text) => expect(parseSize(text)).toBeUndefined());

  it('is written in powers of 1,024, and read back', () => {
    for (const bytes of [1, 1_000, 65_536, 16_777_216]) expect(parseSize(formatSize(bytes))).toBe(bytes);
    expect(formatSize(16_777_216)).toBe('16MiB');
  });
});
