import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { outliveReaders } from './pipes.js';

it('goes on when nobody reads any more, and hides no other error', () => {
  const pipe = new EventEmitter();
  outliveReaders(pipe);
  expect(pipe.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))).toBe(true);
  const full = Object.assign(new Error('write ENOSPC'), { code: 'ENOSPC' });
  expect(() => pipe.emit('error', full)).toThrow(full);
});
