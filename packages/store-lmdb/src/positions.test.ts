import { type StreamKey, Tails, type Wake } from '@holdfast/store';
import { describe, expect, it } from 'vitest';
import { type Position, Positions } from './positions.js';

class Source {
  commit = 1;
  looks = 0;
  readonly now = new Map<StreamKey, Position>();

  lastCommit(): number {
    return this.commit;
  }

  positionsOf(streams: readonly StreamKey[]): (Position | undefined)[] {
    this.looks += streams.length;
    return streams.map((stream) => this.now.get(stream));
  }
}

function following(...streams: StreamKey[]) {
  const source = new Source();
  const tails = new Tails();
  const positions = new Positions(tails, source);
  const wakes: Wake[] = [];
  const tail = tails.open('a', (wake) => wakes.push(wake));
  const follow = (stream: StreamKey): void => {
    tail.follow(stream);
    positions.follow(stream);
  };
  const check = async (): Promise<void> => {
    source.commit += 1;
    await positions.check();
    await Promise.resolve();
  };
  for (const stream of streams) follow(stream);
  return { source, positions, tail, wakes, follow, check };
}

const owned = (end: number, pod: string, epoch: number): Position => ({ end, owner: { pod, epoch } });

describe('the check of positions', () => {
  it('wakes the tails for a stream that has grown beyond what they were told, once', async () => {
    const { source, positions, wakes, check } = following('t:x', 't:y', 't:z');
    for (const stream of ['t:x', 't:y', 't:z'] as const) source.now.set(stream, { end: 5 });
    positions.told('t:y', 5);
    await check();
    await check();
    expect(wakes.map(({ streams }) => [...streams])).toEqual([
      [
        ['t:x', 5],
        ['t:z', 5],
      ],
    ]);
  });

  it('counts from where the stream was when it was first followed', async () => {
    const { source, wakes, follow, check } = following();
    source.now.set('t:x', { end: 5 });
    follow('t:x');
    await check();
    expect(wakes).toEqual([]);
  });

  it('tells a pod that has lost a session whose stream it follows, with every epoch that is over', async () => {
    const { source, wakes, check } = following('s:mine', 's:moved', 's:ended');
    source.now.set('s:mine', owned(0, 'a', 7)).set('s:moved', owned(0, 'b', 4));
    await check();
    expect(wakes.flatMap(({ fenced }) => fenced)).toEqual([
      { session: 'moved', epoch: 3 },
      { session: 'ended', epoch: Number.MAX_SAFE_INTEGER, gone: true },
    ]);
  });

  it('looks at nothing while there was no commit, nor at what nobody follows any more', async () => {
    const { source, positions, tail, check } = following('t:x', 't:y');
    await check();
    source.looks = 0;
    await positions.check();
    expect(source.looks).toBe(0);
    tail.unfollow('t:x');
    await check();
    expect(source.looks).toBe(1);
  });

  it('goes through many streams in slices, so that others may run, and in several checks', async () => {
    const streams = Array.from({ length: 4200 }, (_, number): StreamKey => `t:${number}`);
    const { source, positions, wakes, check } = following(...streams);
    const woken = (): number => wakes.reduce((sum, wake) => sum + wake.streams.size, 0);
    for (const stream of streams) source.now.set(stream, { end: 1 });
    for (const expected of [2000, 4000, 4200, 4200]) {
      await check();
      expect(woken()).toBe(expected);
    }
    expect(Math.max(...wakes.map((wake) => wake.streams.size))).toBe(500);

    for (const stream of streams) source.now.set(stream, { end: 2 });
    await check();
    await positions.checkAll();
    expect(woken()).toBe(8400);
  });
});
