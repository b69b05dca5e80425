import { readFileSync } from 'node:fs';
import { announceSeed, randomSeed, seededRandom } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { parse } from './load.js';

const read = (name: string): string =>
  readFileSync(new URL(`../../../examples/policies/${name}.yaml`, import.meta.url), 'utf8');
const EXAMPLES = ['smart-glasses', 'chat-platform', 'three-instances', 'agents-on-cloud-run'].map(read);

/** What is put into a file, or in place of a part of it. */
const SHARDS = [
  '{',
  '}',
  '[',
  ']',
  ':',
  '- ',
  '\n',
  '  ',
  '"',
  "'",
  '${',
  '${X}',
  '${X:-',
  '&a ',
  '*a',
  '<<: ',
  '!!set',
  '? ',
  '|',
  '>',
  '%',
  '#',
  '\0',
  '\u{1f600}',
  '1e999',
  '-0',
  '.inf',
  '~',
  'null',
  'off',
  '9999999999999999999d',
  '{host}',
  '{',
  'constructor',
  '__proto__: 1',
];

const seed = randomSeed();
announceSeed('hostile policies', seed);

describe('hostile policies', () => {
  it('is a policy or a list of problems with places inside of it, and never an exception', () => {
    const random = seededRandom(seed);
    let policies = 0;
    for (let run = 0; run < 150; run++) {
      let text = random.pick(EXAMPLES);
      for (let cut = random.int(0, 4); cut >= 0; cut--) {
        const from = random.int(0, text.length);
        text =
          text.slice(0, from) +
          random.pick(SHARDS) +
          text.slice(from + (random.int(0, 1) === 0 ? 0 : random.int(0, 40)));
      }
      const { policy, problems } = parse(text, { variables: { X: 'x' } });
      if (policy) policies++;
      else expect(problems.length, text).toBeGreaterThan(0);
      const lines = text.split('\n').length;
      for (const { line, column, message } of problems ?? []) {
        expect(line, text).toBeGreaterThanOrEqual(1);
        expect(line, text).toBeLessThanOrEqual(lines);
        expect(column, text).toBeGreaterThanOrEqual(1);
        expect(message, text).not.toBe('');
      }
    }
    // Comments and names take most of what is put into them, so some must still be policies; and most must not.
    expect(policies).toBeGreaterThan(0);
    expect(policies).toBeLessThan(150);
  }, 60_000);
});
