import { describe, expect, it } from 'vitest';
import { Inbox } from './inbox.js';
import { LIMITS } from './limits.js';

const begun = (): Inbox => {
  const inbox = new Inbox();
  inbox.begin('e1');
  return inbox;
};
/** An inbox that has entries 1 to `n` of its session stream and, from behind 10, of the topic `t`. */
const filled = (n: number): Inbox => {
  const inbox = begun();
  inbox.subscribed('t', 'te1', 10);
  for (let i = 1; i <= n; i++) {
    expect(inbox.accept('', i)).toBe('fresh');
    expect(inbox.accept('t', 10 + i)).toBe('fresh');
  }
  return inbox;
};
const topic = (offset: number, end = offset, epoch = 'te1') => ({ topic: 't', epoch, offset, end });

describe('Inbox', () => {
  it('takes each entry once and in order', () => {
    const inbox = begun();
    expect([inbox.accept('', 2), inbox.accept('', 1), inbox.accept('', 1), inbox.accept('', 2)]).toEqual([
      'hole',
      'fresh',
      'hole',
      'fresh',
    ]);
    expect(inbox.offset).toBe(2);
  });

  it('knows nothing of a topic that it does not follow', () => {
    const inbox = begun();
    expect([inbox.accept('t', 1), inbox.skip('t', 1, 2, 'te1')]).toEqual(['unknown', 'unknown']);
    inbox.subscribed('t', 'te1', 0);
    inbox.unsubscribed('t');
    expect([inbox.accept('t', 1), inbox.topics]).toEqual(['unknown', []]);
  });

  it('reports where it is in every stream', () => {
    const inbox = filled(2);
    expect([inbox.epoch, inbox.offset, inbox.topics]).toEqual(['e1', 2, [{ topic: 't', epoch: 'te1', offset: 12 }]]);
  });

  it('owes an ack for each topic that has moved, as many in a frame as one takes', () => {
    const inbox = begun();
    for (let i = 0; i <= LIMITS.acksPerFrame; i++) {
      inbox.subscribed(`t${i}`, 'e', 0);
      inbox.accept(`t${i}`, 1);
    }
    const first = inbox.takeAcks();
    expect([first.length, inbox.owesTopics]).toEqual([LIMITS.acksPerFrame, true]);
    expect([inbox.takeAcks(), inbox.owesTopics]).toEqual([[{ topic: `t${LIMITS.acksPerFrame}`, offset: 1 }], false]);
  });

  it.each([
    [LIMITS.topics - 1, true],
    [LIMITS.topics, false],
  ])('with %i topics takes one more: %s', (count, taken) => {
    const inbox = begun();
    for (let i = 0; i < count; i++) inbox.subscribed(`t${i}`, 'e', 0);
    expect(inbox.subscribed('another', 'e', 0)).toBe(taken);
    expect(inbox.subscribed('t0', 'e', 5)).toBe(true);
  });
});

describe('Inbox after a resume', () => {
  it('holds back what the transport before had brought already, and acknowledges only what this one brings', () => {
    const inbox = filled(3);
    expect(inbox.resume('e1', 1, 4, [topic(11, 14)])).toBe(true);
    expect([inbox.offset, inbox.ack]).toEqual([3, 1]);
    expect([2, 3, 4].map((n) => inbox.accept('', n))).toEqual(['duplicate', 'duplicate', 'fresh']);
    expect(inbox.ack).toBe(4);
    expect([12, 13, 14].map((n) => inbox.accept('t', n))).toEqual(['duplicate', 'duplicate', 'fresh']);
  });

  it('acknowledges repeated entries of a topic too, or the server would wait for that for ever', () => {
    const inbox = filled(3);
    inbox.takeAcks();
    inbox.resume('e1', 3, 3, [topic(11)]);
    inbox.accept('t', 12);
    expect(inbox.takeAcks()).toEqual([{ topic: 't', offset: 12 }]);
  });

  it('replays until every stream is where it ended', () => {
    const inbox = filled(1);
    inbox.resume('e1', 1, 2, [topic(11, 12)]);
    expect(inbox.replaying).toBe(true);
    inbox.accept('', 2);
    expect(inbox.replaying).toBe(true);
    inbox.accept('t', 12);
    expect(inbox.replaying).toBe(false);
  });

  it('has nothing to replay when it has everything', () => {
    const inbox = filled(3);
    inbox.resume('e1', 3, 3, [topic(13)]);
    expect(inbox.replaying).toBe(false);
  });

  it('replays no stream that it leaves meanwhile', () => {
    const inbox = filled(1);
    inbox.resume('e1', 1, 1, [topic(11, 12)]);
    inbox.unsubscribed('t');
    expect(inbox.replaying).toBe(false);
  });

  it('refuses that entries of the session stream are left out in silence, and stays as it was', () => {
    const inbox = filled(2);
    expect(inbox.resume('e1', 3, 5, [])).toBe(false);
    expect(inbox.resume('e2', 1, 5, [])).toBe(false);
    expect([inbox.epoch, inbox.offset, inbox.topics.length]).toEqual(['e1', 2, 1]);
    expect(inbox.accept('', 3)).toBe('fresh');
  });

  it('goes on further ahead in a topic that was left and followed again while it was away', () => {
    const inbox = filled(1);
    inbox.resume('e1', 1, 1, [topic(20)]);
    expect([inbox.accept('t', 20), inbox.accept('t', 21)]).toEqual(['hole', 'fresh']);
  });

  it('forgets topics that the server does not name', () => {
    const inbox = filled(1);
    inbox.resume('e1', 1, 1, []);
    expect(inbox.accept('t', 12)).toBe('unknown');
  });
});

describe('Inbox at a gap', () => {
  it('moves past it, and acknowledges that', () => {
    const inbox = filled(2);
    inbox.takeAcks();
    expect([inbox.skip('', 3, 7, 'e1'), inbox.offset, inbox.ack]).toEqual([{ from: 3 }, 7, 7]);
    expect([inbox.skip('t', 13, 13, 'te1'), inbox.takeAcks()]).toEqual([{ from: 13 }, [{ topic: 't', offset: 13 }]]);
  });

  it.each([
    [4, 7, 'e1'],
    [2, 7, 'e1'],
    [3, 7, 'e2'],
  ])('refuses one from %i to %i in %s that does not follow, and stays as it was', (from, to, epoch) => {
    const inbox = filled(2);
    expect([inbox.skip('', from, to, epoch), inbox.accept('', 3)]).toEqual(['hole', 'fresh']);
  });

  it('holds back what it knows of it from the transport before', () => {
    const inbox = filled(2);
    inbox.skip('', 3, 5, 'e1');
    inbox.accept('', 6);
    inbox.resume('e1', 2, 9, []);
    expect(inbox.skip('', 3, 5, 'e1')).toBe('duplicate');
    expect(inbox.skip('', 6, 8, 'e1')).toEqual({ from: 7 });
    expect(inbox.offset).toBe(8);
  });

  it('ends a replay', () => {
    const inbox = filled(2);
    inbox.resume('e1', 2, 5, [topic(12)]);
    inbox.skip('', 3, 5, 'e1');
    expect(inbox.replaying).toBe(false);
  });
});

describe('Inbox when a stream has begun anew', () => {
  it('says so with the old cursor until the gap has come, so that a cut between the two loses nothing', () => {
    const inbox = filled(2);
    expect(inbox.resume('e2', 0, 4, [topic(12)])).toBe(true);
    expect([inbox.epoch, inbox.offset, inbox.ack, inbox.replaying]).toEqual(['e1', 2, 0, true]);
    expect([inbox.accept('', 1), inbox.skip('', 1, 2, 'e2')]).toEqual(['hole', 'hole']);
    expect(inbox.skip('', 0, 1, 'e2')).toEqual({ from: 0 });
    expect([inbox.epoch, inbox.offset, inbox.ack]).toEqual(['e2', 1, 1]);
    expect(inbox.accept('', 2)).toBe('fresh');
  });

  it('takes a gap that begins anew at any time', () => {
    const inbox = filled(2);
    expect(inbox.skip('t', 0, 0, 'te2')).toEqual({ from: 0 });
    expect(inbox.topics).toEqual([{ topic: 't', epoch: 'te2', offset: 0 }]);
    expect(inbox.accept('t', 1)).toBe('fresh');
  });

  it('is told once, though two transports tell it', () => {
    const inbox = filled(2);
    inbox.skip('', 0, 1, 'e2');
    inbox.accept('', 2);
    inbox.resume('e2', 0, 2, []);
    expect([inbox.skip('', 0, 1, 'e2'), inbox.accept('', 2), inbox.accept('', 3)]).toEqual([
      'duplicate',
      'duplicate',
      'fresh',
    ]);
  });

  it('waits for no end that was said of the old stream', () => {
    const inbox = filled(1);
    inbox.resume('e1', 1, 1, [topic(11, 1_000)]);
    inbox.skip('t', 0, 0, 'te2');
    expect(inbox.replaying).toBe(false);
  });
});
