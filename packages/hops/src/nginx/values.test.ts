import { expect, it } from 'vitest';
import { count, timeMs, variables, writtenMs } from './values.js';

it.each([
  ['60', 60_000],
  ['90s', 90_000],
  ['1h30m', 5_400_000],
  ['500ms', 500],
  ['7d', 604_800_000],
  ['1m 30s', 90_000],
  ['', undefined],
  ['1x', undefined],
  ['$timeout', undefined],
  ['1'.repeat(100), undefined],
])('reads the time %j as nginx does', (text, ms) => {
  expect(timeMs(text)).toBe(ms);
});

it.each([
  [60_000, '60 s'],
  [180_000, '3 m'],
  [3_600_000, '1 h'],
  [604_800_000, '7 d'],
  [1500, '1500 ms'],
  [0, '0 ms'],
])('writes %i ms for people', (ms, text) => {
  expect(writtenMs(ms)).toBe(text);
});

it('reads counts and variables', () => {
  expect([count('512'), count('10k'), count('auto'), count(undefined)]).toEqual([512, 10_240, undefined, undefined]);
  expect(variables('a$b-${c}d$http_upgrade')).toEqual(['b', 'c', 'http_upgrade']);
});
