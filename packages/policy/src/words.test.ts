import { describe, expect, it } from 'vitest';
import { distance, nearest, oneOf, wordsOf } from './words.js';

describe('the distance of two words', () => {
  it.each([
    ['', '', 0],
    ['', 'abc', 3],
    ['ping', 'ping', 0],
    ['pign', 'ping', 1],
    ['kitten', 'sitting', 3],
    ['cloudflair', 'cloudflare', 2],
  ])('%j and %j is %i', (a, b, steps) => {
    expect(distance(a, b)).toBe(steps);
    expect(distance(b, a)).toBe(steps);
  });
});

describe('the nearest word', () => {
  const words = ['read', 'send', 'connect', 'nginx', 'ingress-nginx'];
  it.each([
    ['raed', 'read'],
    ['readTimeout', 'read'],
    ['ingressNginx', 'ingress-nginx'],
    ['ingres-nginx', 'ingress-nginx'],
    ['my-nginx', 'nginx'],
    ['conect', 'connect'],
    ['xyz', undefined],
    ['x'.repeat(1_000), undefined],
  ])('to %s is %s', (word, expected) => expect(nearest(word, words)).toBe(expected));

  it('is looked for among the words that an expectation names', () => {
    expect(wordsOf(oneOf(words))).toEqual(words);
    expect(wordsOf('a text')).toEqual([]);
  });
});
