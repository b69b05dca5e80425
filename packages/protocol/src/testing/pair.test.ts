import { describe, expect, it } from 'vitest';
import { announceSeed, randomSeed, seededRandom } from '@holdfast/testing';
import { Pair, type PairOptions } from './pair.js';

const seed = randomSeed();
announceSeed('pair', seed);

const open = (options: Partial<PairOptions> = {}): Pair => {
  const pair = new Pair({ random: seededRandom(seed), ...options });
  pair.open();
  return pair;
};
const texts = (pair: Pair): string[] => pair.received.map(({ text }) => text);

describe('Pair', () => {
  it('carries messages both ways', () => {
    const pair = open();
    pair.send('a');
    pair.serverSend('b');
    pair.drive(200);
    expect(texts(pair)).toEqual(['b']);
    expect(pair.session?.handled).toEqual([{ n: 1, text: 'a' }]);
  });
});
