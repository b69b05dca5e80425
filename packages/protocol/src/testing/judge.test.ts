import { describe, expect, it } from 'vitest';
import { Judge } from './judge.js';

/** A judge of a client that follows the topic `t` from its beginning, and of which entries 1 to 9 were written in two epochs. */
function judge(): Judge {
  const it = new Judge();
  it.begin('t', { epoch: 'e1', offset: 0 });
  for (let offset = 1; offset <= 9; offset++) {
    it.written('t', `a${offset}`, { epoch: 'e1', offset });
    it.written('t', `b${offset}`, { epoch: 'e2', offset });
  }
  return it;
}
const problemsOf = (...got: (string | [number, number])[]): string[] => {
  const it = judge();
  for (const one of got) {
    if (typeof one === 'string') it.message('t', one);
    else it.gap('t', ...one);
  }
  return it.problems;
};

describe('Judge', () => {
  it.each<[string, (string | [number, number])[]]>([
    ['everything in order', ['a1', 'a2', 'a3']],
    ['a gap that says what is missing', ['a1', [2, 4], 'a5']],
    ['a stream that begins anew', ['a1', [0, 0], 'b1', 'b2']],
    ['a stream that begins anew and has lost its beginning', ['a1', [0, 3], 'b4']],
    ['gaps behind each other', [[1, 2], [3, 4], 'a5']],
  ])('finds nothing wrong with %s', (_, got) => expect(problemsOf(...got)).toEqual([]));

  it.each<[string, (string | [number, number])[]]>([
    ['a message that is missing', ['a1', 'a3']],
    ['the first that is missing', ['a2']],
    ['a message that comes twice', ['a1', 'a1']],
    ['two in the wrong order', ['a2', 'a1']],
    ['one that was never sent', ['a1', 'x']],
    ['a gap that leaves some out', ['a1', [3, 4]]],
    ['a gap over what has come', ['a1', 'a2', [2, 4]]],
    ['another epoch without a gap', ['a1', 'b2']],
    ['something old behind a new epoch', ['a1', [0, 0], 'b1', 'a2']],
  ])('finds %s', (_, got) => expect(problemsOf(...got)).not.toEqual([]));

  it('lets a topic that was left go on from where it was followed again', () => {
    const it = judge();
    it.message('t', 'a1');
    it.begin('t', { epoch: 'e1', offset: 4 });
    it.message('t', 'a5');
    expect(it.problems).toEqual([]);
    it.message('t', 'a7');
    expect(it.problems).toHaveLength(1);
  });

  it('knows whether a client is at the end', () => {
    const it = judge();
    expect([it.isAt('t', 'e1', 0), it.isAt('t', 'e1', 1)]).toEqual([true, false]);
    it.message('t', 'a1');
    expect([it.isAt('t', 'e1', 1), it.isAt('t', 'e1', 2), it.isAt('t', 'e2', 1)]).toEqual([true, false, false]);
    it.gap('t', 2, 3);
    expect(it.isAt('t', 'e1', 3)).toBe(true);
    it.begin('t', { epoch: 'e1', offset: 9 });
    expect(it.isAt('t', 'e1', 9)).toBe(true);
  });
});
