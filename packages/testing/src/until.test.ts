import { describe, expect, it } from 'vitest';
import { deferred } from './deferred.js';
import { until } from './until.js';
import { VirtualClock } from './virtual-clock.js';

describe('until', () => {
  it('returns the first truthy value, looking every so often', async () => {
    const clock = new VirtualClock();
    let looks = 0;
    const found = until(() => ++looks === 4 && `look ${looks}`, { everyMs: 100, clock });
    await clock.advanceAsync(299);
    expect(looks).toBe(3);
    await clock.advanceAsync(1);
    expect(await found).toBe('look 4');
    expect(clock.pending).toBe(0);
  });

  it('takes an asynchronous predicate, and one that throws as "not yet"', async () => {
    let looks = 0;
    const value = await until(
      async () => {
        if (++looks < 3) throw new Error('not listening');
        return { port: 1 };
      },
      { everyMs: 0 },
    );
    expect(value.port).toBe(1);
  });

  it('says what it waited for, how long, and what it saw last', async () => {
    const clock = new VirtualClock();
    let count = 0;
    const waiting = until(() => (count++, null), { timeoutMs: 50, what: () => `three links (${count} looks)`, clock });
    const failed = expect(waiting).rejects.toThrow(
      /^timed out after 50 ms waiting for three links \(6 looks\): last seen null$/,
    );
    await clock.advanceAsync(50);
    await failed;
    expect(clock.pending).toBe(0);
  });

  it('looks once more when the time is up, so that a stalled event loop fails nothing', async () => {
    const clock = new VirtualClock();
    let ready = false;
    const slowly = async (): Promise<boolean> => {
      for (let turns = 0; turns < 20; turns++) await Promise.resolve();
      return ready;
    };
    const waiting = until(slowly, { timeoutMs: 20, everyMs: 1000, clock });
    clock.setTimeout(() => (ready = true), 19);
    await clock.advanceAsync(20);
    expect(await waiting).toBe(true);
  });

  it('keeps what the predicate threw last as the cause', async () => {
    const clock = new VirtualClock();
    const cause = new Error('ECONNREFUSED');
    const waiting = until(() => Promise.reject(cause), { timeoutMs: 20, clock });
    const failed = expect(waiting).rejects.toMatchObject({ name: 'TimeoutError', cause });
    await clock.advanceAsync(20);
    await failed;
  });

  it('gives up on a predicate that never answers', async () => {
    const clock = new VirtualClock();
    const waiting = until(() => deferred().promise, { timeoutMs: 20, what: 'a silent server', clock });
    const failed = expect(waiting).rejects.toThrow('a silent server: it has not answered yet');
    await clock.advanceAsync(20);
    await failed;
  });
});
