import { describe, expect, it } from 'vitest';
import { Credit } from './credit.js';
import { Reader, type Step } from './reader.js';
import type { LogEntry, LogSlice } from './server-output.js';

const wide = { messages: 100, bytes: 1_000 };
const entry = (offset: number, bytes = 1): LogEntry => ({ offset, data: new Uint8Array(bytes), binary: false });
const slice = (first: number, end: number, offsets: readonly number[], epoch = 'e1'): LogSlice => ({
  epoch,
  first,
  end,
  entries: offsets.map((offset) => entry(offset)),
});
const reader = (offset: number, end: number, credit = new Credit(wide)): Reader => {
  const it = new Reader(credit, { epoch: 'e1', offset, end });
  it.begin(credit);
  return it;
};
const steps = (it: Reader, answer: LogSlice, isSafe = false): string[] => {
  const brief = (step: Step): string => {
    if (step.do === 'send') return `${step.entry.offset}`;
    return step.do === 'gap' ? `gap ${step.from}-${step.to}` : step.do;
  };
  it.answered();
  return Array.from(it.take(answer, isSafe), brief);
};

describe('Reader', () => {
  it('sends a new entry at once if it is the next', () => {
    const it = reader(5, 5);
    expect([it.takes(entry(6)), it.sent, it.atEnd]).toEqual([true, 6, true]);
    expect([it.takes(entry(6)), it.takes(entry(8)), it.end, it.wantsRead]).toEqual([false, false, 8, true]);
  });

  it('leaves a new entry in the log while a read is on its way', () => {
    const it = reader(5, 6);
    it.asked();
    expect([it.takes(entry(6)), it.wantsRead]).toEqual([false, false]);
    expect(steps(it, slice(1, 6, [6]))).toEqual(['6']);
  });

  it('sends a slice from where it is, whatever else is in it', () => {
    expect(steps(reader(5, 9), slice(1, 9, [4, 5, 6, 7, 9]))).toEqual(['6', '7']);
  });

  it('stops at the credit, and asks for nothing until something is acknowledged', () => {
    const it = reader(0, 3, new Credit({ messages: 2, bytes: 100 }));
    expect(steps(it, slice(1, 3, [1, 2, 3]))).toEqual(['1', '2']);
    expect(it.wantsRead).toBe(false);
    expect(it.ack(1)).toBe(true);
    expect(it.wantsRead).toBe(true);
  });

  it('does not ask again and again for an entry that does not fit what is left of the window', () => {
    const it = reader(0, 2, new Credit({ messages: 9, bytes: 10 }));
    it.answered();
    const answer = { epoch: 'e1', first: 1, end: 2, entries: [entry(1, 9), entry(2, 2)] };
    expect(Array.from(it.take(answer, false))).toHaveLength(1);
    expect(it.wantsRead).toBe(false);
    it.ack(1);
    expect(it.wantsRead).toBe(true);
  });

  it('says what retention has dropped before it goes on', () => {
    const it = reader(2, 9);
    expect(steps(it, slice(6, 9, [6, 7, 8, 9]))).toEqual(['gap 3-5', '6', '7', '8', '9']);
    expect(steps(reader(2, 9), slice(10, 9, []))).toEqual(['gap 3-9']);
  });

  it('refuses an ack of what was never sent', () => {
    const it = reader(5, 9);
    expect([it.ack(6), it.acked, it.ack(5), it.ack(4)]).toEqual([false, 5, true, true]);
  });

  it('gives its credit back when the stream is left', () => {
    const credit = new Credit({ messages: 1, bytes: 100 });
    const it = reader(0, 2, credit);
    it.takes(entry(1));
    expect(credit.open).toBe(false);
    it.leave();
    expect(credit.open).toBe(true);
  });

  it('goes on behind what was acknowledged when a transport begins that says nothing of it', () => {
    const it = reader(0, 3);
    steps(it, slice(1, 3, [1, 2, 3]));
    it.ack(2);
    const credit = new Credit({ messages: 1, bytes: 100 });
    it.begin(credit);
    expect([it.sent, it.isUntouched, it.wantsRead]).toEqual([2, true, true]);
    expect(steps(it, slice(1, 3, [3]))).toEqual(['3']);
  });
});

describe('Reader of a stream that has begun anew', () => {
  it('tells of it first, and then what there is', () => {
    const it = reader(7, 2);
    it.beginAnew(new Credit(wide));
    expect([it.sent, it.wantsRead, it.takes(entry(1))]).toEqual([0, true, false]);
    expect(steps(it, slice(1, 2, [1, 2], 'e2'))).toEqual(['gap 0-0', '1', '2']);
    expect(it.epoch).toBe('e2');
  });

  it('tells of it with the oldest that is kept', () => {
    const it = reader(7, 2);
    it.beginAnew(new Credit(wide));
    expect(steps(it, slice(3, 4, [3, 4], 'e2'))).toEqual(['gap 0-2', '3', '4']);
  });

  it('tells of it in band only where no ack of the old stream can be on its way', () => {
    expect(steps(reader(7, 9), slice(1, 2, [1, 2], 'e2'), true)).toEqual(['gap 0-0', '1', '2']);
    expect(steps(reader(7, 9), slice(1, 2, [1, 2], 'e2'), false)).toEqual(['reattach']);
  });

  it('looks once more behind that, since what rang meanwhile may have meant the new stream', () => {
    const it = reader(7, 9);
    steps(it, slice(1, 1, [1], 'e2'), true);
    expect([it.atEnd, it.wantsRead]).toEqual([false, true]);
    steps(it, slice(1, 2, [2], 'e2'), true);
    expect(it.atEnd).toBe(true);
  });

  it('asks the log when the client speaks of an epoch or an offset that is not known here', () => {
    const it = reader(2, 2);
    it.begin(new Credit(wide), 4, 'e2');
    expect([it.wantsRead, it.takes(entry(5))]).toEqual([true, false]);
    expect(steps(it, slice(1, 5, [5], 'e2'))).toEqual(['5']);
    const ahead = reader(2, 2);
    ahead.begin(new Credit(wide), 4);
    expect(ahead.wantsRead).toBe(true);
  });

  it('refuses a client that claims to have what the log never had', () => {
    const it = reader(2, 2);
    it.begin(new Credit(wide), 4);
    expect(steps(it, slice(1, 2, []))).toEqual(['refuse']);
  });

  it('asks the log when somebody says that the epoch is another', () => {
    const it = reader(2, 2);
    expect(it.wantsRead).toBe(false);
    it.doubt();
    expect(it.wantsRead).toBe(true);
    expect(steps(it, slice(1, 2, []))).toEqual([]);
    expect(it.wantsRead).toBe(false);
  });

  it('takes the word of the store on a stream whose epoch has changed', () => {
    const it = reader(7, 9);
    it.refresh({ epoch: 'e2', offset: 1, end: 3 });
    it.begin(new Credit(wide));
    expect([it.epoch, it.sent, it.end]).toEqual(['e2', 1, 3]);
    it.refresh({ epoch: 'e2', offset: 0, end: 2, streamEpoch: 'e3' });
    expect([it.end, it.wantsRead]).toEqual([2, true]);
  });

  it('tells it again to a client that comes back without having heard of it', () => {
    const it = reader(7, 9);
    steps(it, slice(1, 1, [1], 'e2'), true);
    it.refresh({ epoch: 'e1', offset: 7, end: 1, streamEpoch: 'e2' });
    it.begin(new Credit(wide));
    expect([it.epoch, it.sent, it.wantsRead]).toEqual(['e1', 7, true]);
    expect(steps(it, slice(1, 1, [1], 'e2'), true)).toEqual(['gap 0-0', '1']);
    it.ack(1);
    it.begin(new Credit(wide));
    expect([it.epoch, it.sent]).toEqual(['e2', 1]);
  });

  it('goes on with what it knows of a stream that is still the same, whatever the subscription began with', () => {
    const it = reader(7, 9);
    it.refresh({ epoch: 'e0', offset: 1, end: 12, streamEpoch: 'e1' });
    it.begin(new Credit(wide));
    expect([it.epoch, it.sent, it.end]).toEqual(['e1', 7, 12]);
  });
});
