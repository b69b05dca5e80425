import type { Batch } from '@holdfast/store';
import { expect, it } from 'vitest';
import { InDoubt } from './in-doubt.js';

const batch = (): Batch => ({ pod: 'a', nowMs: 0, parts: [] });

it('numbers batches from 1, and says that those before are over', () => {
  const inDoubt = new InDoubt();
  for (let id = 1; id <= 3; id++) {
    expect(inDoubt.begin(batch())).toMatchObject({ id, open: id });
    inDoubt.answered(id);
  }
});

it('gives a batch that has failed the number that it had, and keeps it open until it is answered', () => {
  const inDoubt = new InDoubt();
  const first = batch();
  inDoubt.begin(first);
  inDoubt.failed(1);
  expect(inDoubt.begin(batch())).toMatchObject({ id: 2, open: 1 });
  inDoubt.answered(2);
  expect(inDoubt.begin(first)).toMatchObject({ id: 1, open: 1 });
  inDoubt.answered(1);
  expect(inDoubt.begin(batch())).toMatchObject({ id: 3, open: 3 });
});

it('takes a batch that was answered and is given once more for another one', () => {
  const inDoubt = new InDoubt();
  const twice = batch();
  inDoubt.begin(twice);
  inDoubt.answered(1);
  expect(inDoubt.begin(twice)).toMatchObject({ id: 2, open: 2 });
});

it('forgets a batch that nobody comes back to within 256 others', () => {
  const inDoubt = new InDoubt();
  const left = batch();
  inDoubt.begin(left);
  inDoubt.failed(1);
  for (let id = 2; id <= 256; id++) {
    expect(inDoubt.begin(batch())).toMatchObject({ id, open: 1 });
    inDoubt.answered(id);
  }
  expect(inDoubt.begin(batch())).toMatchObject({ id: 257, open: 257 });
});
