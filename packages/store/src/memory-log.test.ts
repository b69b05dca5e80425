import { announceSeed, randomSeed, seededRandom } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { MemoryLog } from './memory-log.js';
import { retentionOf } from './rules.js';

const seed = randomSeed();
announceSeed('MemoryLog', seed);

const ALL = { entries: Infinity, bytes: Infinity };

describe('a log in memory', () => {
  it('keeps payloads by reference', () => {
    const log = new MemoryLog('t:x');
    const data = new Uint8Array(3);
    log.append({ data, binary: true }, 0, retentionOf());
    expect(log.read(0, ALL).at(0)?.data).toBe(data);
  });

  it('has its entries where an array has them, through any appends and drops', () => {
    const random = seededRandom(seed);
    const log = new MemoryLog('t:x');
    const retention = retentionOf({ entries: 300, bytes: 1000 });
    let kept: { offset: number; size: number }[] = [];
    let end = 0;
    for (let step = 0; step < 5000; step++) {
      if (random.chance(0.8)) {
        const size = random.int(0, 12);
        log.append({ data: new Uint8Array(size), binary: false }, step, retention);
        kept.push({ offset: ++end, size });
        const bytes = (): number => kept.reduce((sum, entry) => sum + entry.size, 0);
        while (kept.length > 1 && (kept.length > 300 || bytes() > 1000)) kept.shift();
      } else {
        const through = random.int(Math.max(0, end - 250), end + 1);
        log.drop(through);
        kept = kept.filter(({ offset }) => offset > through);
      }
      expect([log.first, log.end, log.count]).toEqual([end - kept.length + 1, end, kept.length]);
      expect(log.bytes).toBe(kept.reduce((sum, { size }) => sum + size, 0));
      const after = random.int(0, end + 1);
      const limit = { entries: random.int(1, 20), bytes: Infinity };
      expect(log.read(after, limit).map(({ offset }) => offset)).toEqual(
        kept
          .map(({ offset }) => offset)
          .filter((offset) => offset > after)
          .slice(0, limit.entries),
      );
    }
  });
});
