import { describe, expect, it } from 'vitest';
import { Ledger } from '../examples/chat/page/ledger.js';

// What the chat page says of missing and duplicate messages is worth as much as its ledger's ability to find them.

function entered(): Ledger {
  const ledger = new Ledger(() => 0);
  ledger.enter('reef', 'me');
  return ledger;
}

const take = (ledger: Ledger, author: string, ...numbers: number[]): string[] =>
  numbers.map((n) => ledger.take('reef', author, n));

describe('the ledger of the chat page', () => {
  it('finds nothing wrong with messages that come once and in order, from wherever it came in', () => {
    const ledger = entered();
    expect(take(ledger, 'ada', 7, 8, 9)).toEqual(['new', 'new', 'new']);
    expect(ledger).toMatchObject({ received: 3, missing: 0, duplicate: 0, late: 0 });
  });

  it('finds what is missing between two messages of an author', () => {
    const ledger = entered();
    take(ledger, 'ada', 1, 5);
    take(ledger, 'bob', 1, 2);
    expect(ledger).toMatchObject({ received: 4, missing: 3, duplicate: 0 });
  });

  it('finds that the first of its own messages is missing', () => {
    const ledger = entered();
    ledger.nextOf('reef');
    ledger.nextOf('reef');
    take(ledger, 'me', 2);
    expect(ledger).toMatchObject({ sent: 2, received: 1, missing: 1 });
  });

  it('finds that its own messages do not come back, though nothing comes behind them', () => {
    let nowMs = 0;
    const ledger = new Ledger(() => nowMs);
    ledger.enter('reef', 'me');
    ledger.nextOf('reef');
    take(ledger, 'me', 1);
    ledger.nextOf('reef');
    ledger.nextOf('reef');
    nowMs = 59_000;
    expect(ledger.missing).toBe(0);
    nowMs = 61_000;
    expect(ledger.missing).toBe(2);
    take(ledger, 'me', 2, 3);
    expect(ledger).toMatchObject({ missing: 0, duplicate: 0 });
  });

  it('finds what came twice, whether at once or after others', () => {
    const ledger = entered();
    expect(take(ledger, 'ada', 1, 1, 2, 1)).toEqual(['new', 'duplicate', 'new', 'duplicate']);
    expect(ledger).toMatchObject({ received: 4, missing: 0, duplicate: 2 });
  });

  it('finds what came out of order, which is then not missing any more', () => {
    const ledger = entered();
    expect(take(ledger, 'ada', 1, 3, 2)).toEqual(['new', 'new', 'late']);
    expect(ledger).toMatchObject({ missing: 0, duplicate: 0, late: 1 });
  });

  it('begins anew with a new stay in a room, and goes on counting its own messages', () => {
    const ledger = entered();
    take(ledger, 'ada', 1);
    expect(ledger.nextOf('reef')).toBe(1);
    take(ledger, 'me', 1);
    ledger.leave('reef');
    ledger.enter('reef', 'me');
    expect(ledger.nextOf('reef')).toBe(2);
    take(ledger, 'ada', 50);
    take(ledger, 'me', 2);
    expect(ledger.missing).toBe(0);
  });

  it('measures how long its own messages take to come back', () => {
    let nowMs = 0;
    const ledger = new Ledger(() => nowMs);
    ledger.enter('reef', 'me');
    const n = ledger.nextOf('reef');
    nowMs = 12;
    ledger.returned('reef', n);
    nowMs = 90;
    ledger.returned('reef', n);
    expect(ledger.roundTripMs).toBe(12);
  });
});
