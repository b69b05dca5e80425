import { describe, expect, it } from 'vitest';
import { Backlog } from './backlog.js';

describe('the backlog of a session', () => {
  it('counts what was sent and not acknowledged', () => {
    const backlog = new Backlog();
    backlog.sent(1, 10);
    backlog.sent(2, 20);
    expect(backlog.bytes).toBe(30);
    backlog.acked(2);
    expect(backlog.bytes).toBe(0);
  });

  it('frees a lot when the last of it is acknowledged', () => {
    const backlog = new Backlog();
    for (let offset = 1; offset <= 100; offset++) backlog.sent(offset, 1);
    backlog.acked(63);
    expect(backlog.bytes).toBe(100);
    backlog.acked(64);
    expect(backlog.bytes).toBe(36);
    backlog.acked(100);
    expect(backlog.bytes).toBe(0);
  });
});
