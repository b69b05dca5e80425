import { errors } from '@holdfast/protocol';
import { expect, test } from 'vitest';
import { PODS_MAX } from './discovery.js';
import { messageOf, Reporter } from './reporter.js';

test('more pods than a pool takes are cut, and that is told', () => {
  const told: unknown[] = [];
  const reporter = new Reporter(
    { found: (pods) => void told.push(pods.length), troubled: (error) => void told.push(error.code) },
    'test',
  );
  const many = Array.from({ length: PODS_MAX + 1 }, (_, n) => ({ host: `h${n}`, port: 80 }));
  reporter.found(many);
  reporter.found(many);
  reporter.found([]);
  reporter.close();
  reporter.found(many);
  reporter.troubled(errors.DISCOVERY, 'late');
  expect(told).toEqual(['HF_POD_COUNT', PODS_MAX, PODS_MAX, 0]);
});

test.each([
  [new Error('one\ntwo'), 'one'],
  [{ message: 'scripted', code: 410 }, 'scripted'],
  ['text', 'text'],
  [undefined, 'undefined'],
  [new Error('x'.repeat(500)), 'x'.repeat(200)],
])('whatever is thrown becomes one short line', (error, line) => expect(messageOf(error)).toBe(line));
