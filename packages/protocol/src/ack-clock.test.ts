import { describe, expect, it } from 'vitest';
import { AckClock } from './ack-clock.js';

const clock = (messages = 100, bytes = 1_000): AckClock => new AckClock(50, { messages, bytes });

describe('AckClock', () => {
  it('wants nothing until something was received', () => expect(clock().dueMs).toBeUndefined());

  it('lets the first message wait, and not the first of each later one', () => {
    const acks = clock();
    acks.owe(1, 1, 1_000);
    acks.owe(1, 1, 1_040);
    expect(acks.dueMs).toBe(1_050);
  });

  it.each([
    ['messages', 24, 0, 1_050],
    ['messages', 25, 0, 1_000],
    ['bytes', 1, 249, 1_050],
    ['bytes', 1, 250, 1_000],
  ])('is due at once when a quarter of the window waits: %s', (_, messages, bytes, dueMs) => {
    const acks = clock();
    acks.owe(messages, bytes, 1_000);
    expect(acks.dueMs).toBe(dueMs);
  });

  it('acknowledges every message of a window of one', () => {
    const acks = clock(1, 1);
    acks.owe(1, 0, 1_000);
    expect(acks.dueMs).toBe(1_000);
  });

  it('takes a window of any size', () => {
    const acks = clock(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    acks.owe(1_000, 1_000, 1_000);
    expect(acks.dueMs).toBe(1_050);
  });

  it('stands still once the number was carried', () => {
    const acks = clock();
    acks.owe(20, 0, 1_000);
    acks.paid();
    expect(acks.dueMs).toBeUndefined();
    acks.owe(20, 0, 2_000);
    expect(acks.dueMs).toBe(2_050);
  });
});
