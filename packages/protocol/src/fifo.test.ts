import { expect, it } from 'vitest';
import { Fifo } from './fifo.js';

it('gives out in the order of arrival, while its storage is cut again and again', () => {
  const fifo = new Fifo<number>();
  let pushed = 0;
  let shifted = 0;
  for (let round = 0; round < 1_000; round++) {
    for (let i = 0; i < 3 + (round % 5); i++) fifo.push(pushed++);
    for (let i = 0; i < 1 + (round % 7) && fifo.length > 0; i++) expect(fifo.shift()).toBe(shifted++);
    expect(fifo.length).toBe(pushed - shifted);
    expect(fifo.at(0)).toBe(pushed === shifted ? undefined : shifted);
    expect(fifo.at(fifo.length)).toBeUndefined();
  }
  while (fifo.length > 0) expect(fifo.shift()).toBe(shifted++);
  expect(shifted).toBe(pushed);
  expect(fifo.shift()).toBeUndefined();
});

it('is empty when cleared', () => {
  const fifo = new Fifo<number>();
  fifo.push(1);
  fifo.clear();
  expect([fifo.length, fifo.at(0), fifo.shift()]).toEqual([0, undefined, undefined]);
});
