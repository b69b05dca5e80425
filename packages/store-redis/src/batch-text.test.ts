import type { Batch } from '@holdfast/store';
import { expect, it } from 'vitest';
import { grownBy, readResult, writeBatch, writeResult } from './batch-text.js';

const data = Buffer.from('--payload--').subarray(2, 9);
const guard = { session: 's', epoch: 2 };

it("writes what is the store's, and the payloads beside it", () => {
  const done = (): void => undefined;
  const effects = [
    { type: 'publish', topic: 't', data, binary: true, done },
    { type: 'data', ...guard, data: '1', done },
    { type: 'send', ...guard, data, binary: false, done },
  ] as const;
  const { batch, payloads, adds } = writeBatch({ pod: 'a', nowMs: 1, parts: [{ guard, watermark: 3, effects }] });
  expect(JSON.parse(JSON.stringify(batch))).toEqual({
    pod: 'a',
    nowMs: 1,
    parts: [
      {
        guard,
        watermark: 3,
        effects: [
          { type: 'publish', topic: 't', binary: true, payload: 1 },
          { type: 'data', ...guard, data: '1' },
          { type: 'send', ...guard, binary: false, payload: 2 },
        ],
      },
    ],
  });
  expect(payloads.map(String)).toEqual(['payload', 'payload']);
  expect(adds).toBe(true);
});

it.each<[Batch['parts'], boolean]>([
  [[], false],
  [[{ guard, watermark: 1, acked: 2, end: true, effects: [] }], false],
  [[{ effects: [{ type: 'unsubscribe', ...guard, topic: 't' }] }], false],
  [[{ effects: [{ type: 'subscribe', ...guard, topic: 't' }] }], true],
])('knows whether a batch adds something: %j', (parts, adds) => {
  expect(writeBatch({ pod: 'a', nowMs: 1, parts }).adds).toBe(adds);
});

it('reads what the script answers, and which streams have grown how far', () => {
  const result = readResult('F G P0 P4 3:e x 0: 4:e');
  expect(result.parts).toEqual([
    { fenced: true },
    { fenced: true, gone: true },
    { fenced: false, effects: [] },
    {
      fenced: false,
      effects: [{ offset: 3, epoch: 'e' }, 'fenced', { offset: 0, epoch: '' }, { offset: 4, epoch: 'e' }],
    },
  ]);
  expect(readResult('')).toEqual({ parts: [] });
  expect(writeResult(result)).toBe('F G P0 P4 3:e x 0: 4:e');
  const publish = { type: 'publish', topic: 't', data, binary: true } as const;
  const effects = [publish, { type: 'send', ...guard, data, binary: true }, { type: 'data', ...guard, data }, publish];
  const refused = { effects: [publish] };
  const parts = [refused, refused, { effects: [] }, { effects }] as unknown as Batch['parts'];
  expect([...grownBy({ pod: 'a', nowMs: 1, parts }, result)]).toEqual([['t:t', { end: 4, epoch: 'e' }]]);
});
