import { describe, expect, it } from 'vitest';
import { ModelLink } from './model-link.js';
import { Timeline } from './timeline.js';

function link(random = () => 0.5) {
  const timeline = new Timeline();
  const it = new ModelLink({ timeline, random, latencyMs: [10, 30] });
  const heard: string[] = [];
  for (const side of ['client', 'server'] as const) {
    it.join(side, {
      data: (data) => heard.push(`${timeline.nowMs} ${side} hears ${data as string}`),
      lost: (code) => heard.push(`${timeline.nowMs} ${side} loses ${code}`),
    });
  }
  const run = (): string[] => {
    while (timeline.nextMs < Infinity) timeline.step();
    return heard.splice(0);
  };
  return { link: it, run, timeline };
}

describe('ModelLink', () => {
  it('delays messages, and lets none overtake another', () => {
    const latencies = [1, 0, 0.5];
    const { link: it, run } = link(() => latencies.shift() as number);
    for (const text of ['a', 'b', 'c']) it.send('client', text, false);
    expect(run()).toEqual(['30 server hears a', '30 server hears b', '30 server hears c']);
  });

  it('delivers a message only if all its bytes have passed, and then breaks', () => {
    for (const [bytes, whole] of [
      [12, 2],
      [11, 1],
      [6, 1],
      [5, 0],
      [0, 0],
    ] as const) {
      const { link: it, run } = link();
      it.cutAfter('client', bytes);
      for (const text of ['abcd', 'efgh', 'ijkl']) it.send('client', text, false);
      const heard = run();
      expect(heard.filter((line) => line.includes('hears'))).toHaveLength(whole);
      expect(heard.slice(-2)).toEqual(['40 client loses 1006', '40 server loses 1006']);
    }
  });

  it('tells nobody of a black hole', () => {
    const { link: it, run } = link();
    it.send('client', 'a', false);
    it.blackHole('client');
    it.send('client', 'b', false);
    it.send('server', 'c', false);
    expect(run()).toEqual(['20 client hears c']);
    it.close('client', 1000, '');
    expect(run()).toEqual([]);
  });

  it('leaves an end unaware of a cut', () => {
    const { link: it, run } = link();
    it.cut(['server']);
    it.send('server', 'a', false);
    expect([run(), it.isUp]).toEqual([['20 client loses 1006'], false]);
  });

  it('tells of a close behind what was said before, and forgets who has closed', () => {
    const { link: it, run } = link();
    it.send('client', 'a', false);
    it.close('client', 4_507, '');
    it.send('server', 'b', false);
    expect(run()).toEqual(['20 server hears a', '20 server loses 4507']);
    expect(it.isUp).toBe(false);
  });
});
