import { describe, expect, it } from 'vitest';
import { Credit, InFlight } from './credit.js';

describe('Credit', () => {
  it.each([
    [{ messages: 3, bytes: 100 }, [10, 10, 10], true],
    [{ messages: 2, bytes: 100 }, [10, 10, 10], false],
    [{ messages: 3, bytes: 30 }, [10, 10, 10], true],
    [{ messages: 3, bytes: 29 }, [10, 10, 10], false],
  ])('of %j lets %j out: %s', (window, sizes, fits) => {
    const credit = new Credit(window);
    expect(sizes.every((bytes) => credit.spend(bytes))).toBe(fits);
  });

  it('lets one that is larger than the whole window go alone', () => {
    const credit = new Credit({ messages: 5, bytes: 10 });
    expect(credit.spend(1_000)).toBe(true);
    expect(credit.spend(0)).toBe(false);
    credit.free(1_000);
    expect(credit.spend(1)).toBe(true);
  });

  it('is not worth looking for messages once one did not fit, until something is freed', () => {
    const credit = new Credit({ messages: 5, bytes: 10 });
    credit.spend(9);
    expect(credit.open).toBe(true);
    expect(credit.spend(2)).toBe(false);
    expect(credit.open).toBe(false);
    credit.free(9);
    expect(credit.open).toBe(true);
  });

  it('lets nothing out while the transport is full, and everything as before afterwards', () => {
    const credit = new Credit({ messages: 2, bytes: 10 });
    credit.paused = true;
    expect([credit.open, credit.allows(0), credit.spend(1)]).toEqual([false, false, false]);
    credit.paused = false;
    expect([credit.open, credit.allows(0), credit.spend(1)]).toEqual([true, true, true]);
  });

  it('says how much is left, never less than nothing', () => {
    const credit = new Credit({ messages: 2, bytes: 10 });
    expect(credit.left).toEqual({ messages: 2, bytes: 10 });
    credit.spend(100);
    expect(credit.left).toEqual({ messages: 1, bytes: 0 });
  });
});

describe('InFlight', () => {
  it('gives back what was acknowledged, once', () => {
    const credit = new Credit({ messages: 3, bytes: 100 });
    const inFlight = new InFlight(credit);
    for (const n of [4, 5, 6]) expect(inFlight.send(n, 10)).toBe(true);
    expect(inFlight.send(7, 10)).toBe(false);
    inFlight.acked(5);
    inFlight.acked(5);
    inFlight.acked(3);
    expect(credit.left).toEqual({ messages: 2, bytes: 90 });
    inFlight.acked(Infinity);
    expect(credit.left).toEqual({ messages: 3, bytes: 100 });
  });

  it('shares one credit with others', () => {
    const credit = new Credit({ messages: 2, bytes: 100 });
    const [a, b] = [new InFlight(credit), new InFlight(credit)];
    expect([a.send(1, 1), b.send(1, 1), a.send(2, 1)]).toEqual([true, true, false]);
    b.acked(1);
    expect(a.send(2, 1)).toBe(true);
  });
});
