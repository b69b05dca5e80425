import { describe, expect, it } from 'vitest';
import { DeliveryLedger } from './delivery-ledger.js';
import { seededRandom } from './random.js';

function ledgerWith(sent: number, options = {}): DeliveryLedger {
  const ledger = new DeliveryLedger(options);
  for (let n = 1; n <= sent; n++) ledger.sent('a', n);
  return ledger;
}

const receive = (ledger: DeliveryLedger, ...numbers: number[]): void => numbers.forEach((n) => ledger.received('a', n));
const clean = { lost: 0, duplicated: 0, outOfOrder: 0, declared: 0, unsent: 0, firstProblem: undefined };

describe('DeliveryLedger', () => {
  it('finds nothing when every message arrives once and in order', () => {
    const ledger = ledgerWith(3);
    receive(ledger, 1, 2, 3);
    expect(ledger.check()).toEqual({ ...clean, sent: 3, received: 3 });
  });

  it('counts what is missing in the middle and at the end as lost', () => {
    const ledger = ledgerWith(10);
    receive(ledger, 1, 4, 5, 7);
    expect(ledger.report()).toEqual({
      ...clean,
      sent: 10,
      received: 4,
      lost: 6,
      firstProblem: 'stream "a": 2 to 3 never arrived',
    });
    const silent = ledgerWith(2);
    expect(silent.report()).toMatchObject({ lost: 2, firstProblem: 'stream "a": 1 to 2, the last, never arrived' });
  });

  it('tells a late arrival from a duplicate', () => {
    const ledger = ledgerWith(4);
    receive(ledger, 1, 3, 2, 3, 4);
    expect(ledger.report()).toEqual({
      ...clean,
      sent: 4,
      received: 4,
      outOfOrder: 1,
      duplicated: 1,
      firstProblem: 'stream "a": 2 arrived late, when 3 was the highest',
    });
  });

  it('reports a declared gap, but not as lost', () => {
    const ledger = ledgerWith(9);
    receive(ledger, 1, 2);
    ledger.gap('a', 3, 6);
    receive(ledger, 7, 8, 9);
    expect(ledger.check()).toEqual({ ...clean, sent: 9, received: 5, declared: 4 });
  });

  it('takes a gap declared after the jump, or over what did arrive, for the missing part only', () => {
    const ledger = ledgerWith(10);
    receive(ledger, 1, 5, 10);
    ledger.gap('a', 1, 8);
    expect(ledger.report()).toEqual({
      ...clean,
      sent: 10,
      received: 3,
      declared: 6,
      lost: 1,
      firstProblem: 'stream "a": 9 to 9 never arrived',
    });
  });

  it('finds what is missing before a declared gap', () => {
    const ledger = ledgerWith(8);
    receive(ledger, 1);
    ledger.gap('a', 4, 8);
    expect(ledger.report()).toMatchObject({ declared: 5, lost: 2, firstProblem: 'stream "a": 2 to 3 never arrived' });
  });

  it('counts a message that arrives after its gap was declared as out of order', () => {
    const ledger = ledgerWith(5);
    ledger.gap('a', 1, 4);
    receive(ledger, 5, 2);
    expect(ledger.report()).toMatchObject({ received: 2, declared: 3, outOfOrder: 1, lost: 0 });
  });

  it('finds messages that nobody sent', () => {
    const ledger = ledgerWith(1);
    receive(ledger, 1, 2, 3);
    expect(ledger.report()).toMatchObject({ unsent: 2, firstProblem: 'stream "a": 2 to 3 were never sent' });
  });

  it('sums over streams and names the earliest problem of all', () => {
    const ledger = new DeliveryLedger();
    for (const name of ['a', 'b']) for (const n of [1, 2, 3]) ledger.sent(name, n);
    for (const n of [1, 2, 3]) ledger.received('b', n);
    ledger.received('b', 1);
    ledger.received('a', 2);
    ledger.received('a', 3);
    expect(ledger.report()).toEqual({
      ...clean,
      sent: 6,
      received: 5,
      lost: 1,
      duplicated: 1,
      firstProblem: 'stream "b": 1 arrived again, when 3 was the highest',
    });
    expect(ledger.report('a').firstProblem).toBe('stream "a": 1 to 1 never arrived');
    expect(() => ledger.check()).toThrow(
      'delivery failed: stream "b": 1 arrived again, when 3 was the highest (sent 6, received 5, lost 1, duplicated 1, outOfOrder 0, declared 0, unsent 0)',
    );
  });

  it('keeps its counts right when holes outgrow their bound', () => {
    const ledger = ledgerWith(20, { holesMax: 3 });
    receive(ledger, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20);
    expect(ledger.report()).toMatchObject({ sent: 20, received: 10, lost: 10 });
    expect(ledger.report().firstProblem).toContain('1 to 1');
    receive(ledger, 19, 1);
    expect(ledger.report()).toMatchObject({ received: 11, lost: 9, outOfOrder: 1, duplicated: 1 });
  });

  it('refuses numbers that cannot be, and more streams than its bound', () => {
    const ledger = new DeliveryLedger({ streamsMax: 1 });
    expect(() => ledger.sent('a', 2)).toThrow('contiguous from 1');
    expect(() => ledger.received('a', Number.NaN)).toThrow(RangeError);
    expect(() => ledger.gap('a', 3, 2)).toThrow(RangeError);
    expect(() => ledger.sent('b', 1)).toThrow('streamsMax');
  });

  it('agrees with a plain count for random deliveries of 300,000 messages', () => {
    const random = seededRandom(77);
    const ledger = new DeliveryLedger();
    const arrivals = new Map<number, number>();
    const sent = 300_000;
    let high = 0;
    let outOfOrder = 0;
    let duplicated = 0;
    const arrive = (n: number): void => {
      ledger.received('a', n);
      const before = arrivals.get(n) ?? 0;
      if (before > 0) duplicated++;
      else if (n < high) outOfOrder++;
      arrivals.set(n, before + 1);
      high = Math.max(high, n);
    };
    for (let n = 1; n <= sent; n++) {
      ledger.sent('a', n);
      if (random.chance(0.99)) arrive(n);
      if (random.chance(0.01)) arrive(random.int(1, n));
    }
    const { received, lost, ...rest } = ledger.report();
    expect({ received, lost }).toEqual({ received: arrivals.size, lost: sent - arrivals.size });
    expect(rest).toMatchObject({ sent, outOfOrder, duplicated, declared: 0, unsent: 0 });
  });
});
