import { describe, expect, it } from 'vitest';
import { testRoute } from '../../environment.fixture.js';
import { Outbox } from './outbox.js';

const { hold } = testRoute();

function outbox(policy = {}) {
  const it = new Outbox({ ...hold, ...policy });
  return {
    it,
    say: (...texts: string[]) => texts.forEach((text) => it.push(Buffer.from(text), () => text)),
    /** Gives a pod what waits, which the system takes or not. */
    give: ({ bytesMax = Infinity, isTaken = true } = {}) => {
      const { frames, taken } = it.next(bytesMax);
      if (isTaken) taken();
      return frames.map(String).join('');
    },
    replays: () => it.replays.map(String).join(''),
  };
}

describe('what a client sent', () => {
  it('is given to a pod once, in order', () => {
    const box = outbox();
    box.say('a', 'b');
    expect([box.give(), box.give()]).toEqual(['ab', '']);
    box.say('c');
    expect([box.it.waiting, box.give(), box.it.lastGiven]).toEqual([1, 'c', 3]);
  });

  it('goes to the next pod before what waits, as far as a pod that has closed has not confirmed it', () => {
    const box = outbox();
    box.say('a', 'b', 'c');
    box.give();
    box.it.confirmed(1);
    box.say('d');
    box.it.parted('closed', 0);
    expect(box.give()).toBe('bcd');
    expect(box.it.doubts).toEqual({ unanswered: 1, unknown: 0, resent: 2 });
  });

  it('is in doubt where a pod was killed, unless it cannot have left the gateway', () => {
    const box = outbox();
    box.say('a', 'b', 'c', 'd', 'e');
    expect(box.give({ bytesMax: 3 })).toBe('abc');
    box.it.confirmed(2);
    box.it.answered();
    expect(box.give({ bytesMax: 1, isTaken: false })).toBe('d');
    box.it.parted('killed', 2);
    expect(box.give()).toBe('de');
    expect(box.it.doubts).toEqual({ unanswered: 0, unknown: 1, resent: 1 });
  });

  it('is not taken for one pod because the system has taken it late for the one before', () => {
    const box = outbox();
    box.say('a');
    const { taken } = box.it.next();
    box.it.parted('closed', 0);
    box.give({ isTaken: false });
    taken();
    box.it.parted('killed', 0);
    expect([box.give(), box.it.doubts.unknown]).toEqual(['a', 0]);
  });

  it('is kept apart from what was read with it', () => {
    const box = outbox();
    const read = Buffer.from('a, and much more');
    box.it.push(read.subarray(0, 1), undefined);
    read.fill(0);
    expect(box.give()).toBe('a');
  });

  it('is unanswered where the pod had read it and has said nothing since', () => {
    const box = outbox();
    box.say('a');
    box.give();
    box.it.answered();
    box.say('b', 'c');
    box.give();
    box.it.confirmed(3);
    box.it.parted('killed', 1);
    expect([box.give(), box.it.doubts]).toEqual(['', { unanswered: 2, unknown: 0, resent: 0 }]);
  });

  it('is unanswered as well where the pod has said less than it had read', () => {
    const box = outbox();
    box.say('a', 'b', 'c');
    box.give();
    box.it.confirmed(3);
    box.it.answered();
    box.it.parted('killed', 1);
    expect(box.it.doubts.unanswered).toBe(2);
  });

  it('was read by a pod that has answered our close', () => {
    const box = outbox();
    box.say('a', 'b');
    box.give();
    box.it.parted('answered', 0);
    expect([box.give(), box.it.doubts.unanswered]).toEqual(['', 2]);
  });

  it('is confirmed by numbers that go on from pod to pod', () => {
    const box = outbox();
    box.say('a', 'b');
    box.give();
    box.it.parted('closed', 0);
    box.give();
    box.it.confirmed(2);
    box.it.parted('closed', 0);
    expect(box.give()).toBe('ab');
    expect(box.it.lastGiven).toBe(6);
  });

  it('is bounded, with what each message costs beside its bytes', () => {
    const box = outbox({ bufferBytes: 1_000 });
    for (let i = 0; i < 15; i++) box.say('');
    expect(box.it.isFull).toBe(false);
    box.say('');
    expect(box.it.isFull).toBe(true);
    box.give();
    expect(box.it.isFull).toBe(true);
    box.it.confirmed(16);
    expect(box.it.isFull).toBe(false);
  });
});

describe('opening messages', () => {
  it('are the first ones, and those that match, and are given to each new pod first', () => {
    const box = outbox({ replayCount: 1, replayMatch: '^subscribe ' });
    box.say('login', 'hello', 'subscribe news');
    expect([box.replays(), box.give()]).toEqual(['', 'loginhellosubscribe news']);
    box.it.confirmed(3);
    box.it.parted('killed', 0);
    expect([box.replays(), box.give()]).toEqual(['loginsubscribe news', '']);
  });

  it('come once where they wait anyway', () => {
    const box = outbox({ replayCount: 2 });
    box.say('a', 'b');
    box.give({ bytesMax: 1 });
    box.it.parted('killed', 0);
    expect([box.replays(), box.give()]).toEqual(['a', 'b']);
  });

  it('are looked for among the first 32 texts only, and count against the bound', () => {
    const box = outbox({ replayMatch: 'x', bufferBytes: 200 });
    for (let i = 0; i < 32; i++) box.say('y');
    box.say('x');
    box.give();
    box.it.confirmed(33);
    expect(box.replays()).toBe('');
    const full = outbox({ replayCount: 3, bufferBytes: 200 });
    full.say('a', 'b', 'c'.repeat(100));
    expect(full.it.isOpeningFull).toBe(true);
  });
});
