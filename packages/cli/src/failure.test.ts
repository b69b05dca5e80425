import { readFile } from 'node:fs/promises';
import { errors, HoldfastError } from '@holdfast/store';
import { expect, it } from 'vitest';
import { oneOf } from '@holdfast/policy';
import { describeFailure, wrongOption } from './failure.js';

it('tells what failed, why, and what to do', () => {
  const cause = new SyntaxError('Unexpected token');
  const lines = describeFailure(new HoldfastError(errors.MODULE, 'it cannot be imported', { cause })).split('\n');
  expect(lines[0]).toBe('holdfast: HF_MODULE: The module to serve cannot be used. (it cannot be imported)');
  expect(lines[1]).toBe('  why: SyntaxError: Unexpected token');
  expect(lines.at(-1)).toBe(`  fix: ${errors.MODULE.fix}`);
});

it('says in one line what the system refuses', async () => {
  const cause = await readFile('/nowhere').catch((error: unknown) => error);
  const text = describeFailure(new HoldfastError(errors.LISTEN, '', { cause }));
  expect(text.split('\n')[1]).toMatch(/^ {2}why: ENOENT: no such file or directory/);
  expect(text.split('\n')).toHaveLength(3);
});

it('shows the stack of an error that is not one of ours', () => {
  expect(describeFailure(new TypeError('x is not a function'))).toMatch(/TypeError: x is not a function\n +at /);
});

it('proposes the nearest of the words that an option takes', () => {
  const words = oneOf(['nginx', 'ingress-nginx']);
  expect(wrongOption('--target', 'ingres-nginx', words).message).toContain('did you mean ingress-nginx?');
  expect(wrongOption('--target', 'caddy', words).message).not.toContain('did you mean');
  expect(wrongOption('--rtt', 'soon', 'a time such as 500ms').message).not.toContain('did you mean');
});
