import { HoldfastError } from '@holdfast/store';
import { describe, expect, it } from 'vitest';
import {
  parseCount,
  parseOrigin,
  parsePath,
  parsePodPrefix,
  parseShare,
  parseStore,
  parseTime,
  parseWorkers,
} from './values.js';

/** The code and the text of the error that a value is refused with. */
function refusal(parse: () => unknown): string {
  try {
    return `accepted: ${JSON.stringify(parse())}`;
  } catch (error) {
    if (error instanceof HoldfastError) return error.message;
    throw error;
  }
}

describe('a time', () => {
  it.each([
    ['0ms', 0],
    ['500ms', 500],
    ['5s', 5_000],
    ['1.5s', 1_500],
    ['2m', 120_000],
    ['1h', 3_600_000],
  ])('%s is %i milliseconds', (text, timeMs) => {
    expect(parseTime('--a')(text)).toBe(timeMs);
  });

  it.each(['5', 's', '', '-1s', '5 s', '5sec', '1e3ms', '600h'])(
    '%j is refused with the flag and an example',
    (text) => {
      expect(refusal(() => parseTime('--drain-rate')(text))).toMatch(/^HF_OPTION: .*--drain-rate .*500ms/);
    },
  );
});

describe('a count', () => {
  const parse = parseCount('--port', { min: 0, max: 65_535 });

  it('is accepted at both ends of its range', () => {
    expect([parse('0'), parse('65535')]).toEqual([0, 65_535]);
  });

  it.each(['65536', '-1', '1.5', 'x', '', '0x10', ' 1'])('%j is refused with the range', (text) => {
    expect(refusal(() => parse(text))).toMatch(/^HF_OPTION: .*--port .*0 to 65535/);
  });
});

describe('the number of workers', () => {
  it('is one per processor for auto', () => {
    expect(parseWorkers('auto')).toBeGreaterThanOrEqual(1);
  });

  it('is at least one', () => {
    expect(refusal(() => parseWorkers('0'))).toContain('HF_OPTION');
  });
});

describe('the store', () => {
  it('is a Redis by its URL, with or without TLS', () => {
    for (const url of [
      'redis://host',
      'redis://user:secret@host:6380/1',
      'rediss://host?ca=/etc/ca.pem',
      'redis+cluster://one,two:7001',
      'rediss+sentinel://user:secret@one,two/main?prefix=app:',
    ]) {
      expect(parseStore(url)).toEqual({ kind: 'redis', url });
    }
  });

  it('is memory: or lmdb: and a path', () => {
    expect(parseStore('memory:')).toEqual({ kind: 'memory' });
    expect(parseStore('lmdb:./data')).toEqual({ kind: 'lmdb', path: './data' });
    expect(parseStore('lmdb:/var/lib/a:b')).toEqual({ kind: 'lmdb', path: '/var/lib/a:b' });
  });

  it.each([
    'redis:',
    'redis:host',
    'redis+cluster:',
    'redis+sentinel://one',
    'redis+ring://one',
    'lmdb:',
    'memory:x',
    'data',
    '',
    './data',
  ])('%j is refused with HF_STORE_URL', (text) => {
    expect(refusal(() => parseStore(text))).toMatch(/^HF_STORE_URL: .*memory:, lmdb:PATH or redis:/);
  });

  it('is not repeated in the error when it may hold a password', () => {
    expect(refusal(() => parseStore('mysql://user:secret@host'))).not.toContain('secret');
  });
});

describe('a share', () => {
  it.each([
    ['0', 0],
    ['.5', 0.5],
    ['0.25', 0.25],
    ['1', 1],
  ])('%s is taken', (text, share) => {
    expect(parseShare('--age-jitter')(text)).toBe(share);
  });

  it.each(['', '1.1', '-0.1', '10%', 'x', '1e-1'])('%j is refused', (text) => {
    expect(refusal(() => parseShare('--age-jitter')(text))).toMatch(/^HF_OPTION: .*--age-jitter .*0 to 1/);
  });
});

describe('names and addresses', () => {
  it('are accepted when they are what the server takes', () => {
    expect(parsePodPrefix('chat.eu-1')).toBe('chat.eu-1');
    expect(parsePath('/socket')).toBe('/socket');
    expect(parseOrigin('https://app.example.com')).toBe('https://app.example.com');
    expect(parseOrigin('*')).toBe('*');
  });

  it.each([
    ['--pod-prefix', () => parsePodPrefix('a b')],
    ['--pod-prefix', () => parsePodPrefix('x'.repeat(41))],
    ['--path', () => parsePath('socket')],
    ['--path', () => parsePath('/socket?x')],
    ['--allow-origin', () => parseOrigin('app.example.com')],
    ['--allow-origin', () => parseOrigin('https://app.example.com/path')],
  ])('%s is refused when it is not', (flag, parse) => {
    expect(refusal(parse)).toMatch(new RegExp(`^HF_OPTION: .*${flag} `));
  });
});
