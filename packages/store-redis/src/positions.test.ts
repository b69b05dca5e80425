import { type StreamKey, Tails, type Wake } from '@holdfast/store';
import { expect, it } from 'vitest';
import { type Position, Positions } from './positions.js';

function made(now: Record<StreamKey, Position>) {
  const tails = new Tails();
  const wakes: Wake[] = [];
  const tail = tails.open('a', (wake) => wakes.push(wake));
  const gone: Position = { end: -1, epoch: '' };
  const positions = new Positions(tails, async (streams) => streams.map((stream) => now[stream] ?? gone));
  const checked = async (): Promise<[StreamKey, number][]> => {
    await positions.check();
    await Promise.resolve();
    return wakes.splice(0).flatMap(({ streams }) => [...streams]);
  };
  return { positions, tail, wakes, checked };
}

it('wakes for what was written unheard, once', async () => {
  const now: Record<StreamKey, Position> = { 't:x': { end: 3, epoch: 'e' }, 't:other': { end: 9, epoch: 'e' } };
  const { tail, checked } = made(now);
  tail.follow('t:x');
  expect(await checked()).toEqual([['t:x', 3]]);
  expect(await checked()).toEqual([]);
  now['t:x'] = { end: 4, epoch: 'e' };
  expect(await checked()).toEqual([['t:x', 4]]);
});

it('wakes for nothing that was told', async () => {
  const { positions, tail, checked } = made({ 't:x': { end: 3, epoch: 'e' } });
  tail.follow('t:x');
  expect(positions.told('t:x', 3)).toBe(true);
  expect(positions.told('t:x', 2)).toBe(false);
  expect(await checked()).toEqual([]);
});

it('wakes for a stream that begins anew, or is gone, though its end is lower', async () => {
  const now: Record<StreamKey, Position> = { 't:x': { end: 3, epoch: 'e' }, 't:y': { end: 5, epoch: 'e' } };
  const { tail, checked } = made(now);
  tail.follow('t:x');
  tail.follow('t:y');
  await checked();
  now['t:x'] = { end: 1, epoch: 'f' };
  delete now['t:y'];
  expect(await checked()).toEqual([
    ['t:x', 1],
    ['t:y', 0],
  ]);
  expect(await checked()).toEqual([]);
});

it('fences a pod out of sessions that another has, or nobody', async () => {
  const now: Record<StreamKey, Position> = {
    's:own': { end: 0, epoch: 'e', owner: { pod: 'a', epoch: 1 } },
    's:moved': { end: 0, epoch: 'e', owner: { pod: 'b', epoch: 4 } },
  };
  const { tail, wakes, positions } = made(now);
  for (const stream of ['s:own', 's:moved', 's:ended'] as const) tail.follow(stream);
  await positions.check();
  await Promise.resolve();
  expect(wakes.flatMap(({ fenced }) => fenced)).toEqual([
    { session: 'moved', epoch: 3 },
    { session: 'ended', epoch: Number.MAX_SAFE_INTEGER, gone: true },
  ]);
});
