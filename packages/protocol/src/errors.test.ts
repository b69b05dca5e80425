import { describe, expect, it } from 'vitest';
import { fault, HoldfastError, isFault, type ErrorKind } from './error.js';
import * as errors from './errors.js';

describe('the registry of errors', () => {
  it.each(Object.entries<ErrorKind>(errors))(
    'names %s by its export, and says in sentences what and what to do',
    (name, kind) => {
      expect(kind.code).toBe(`HF_${name}`);
      for (const sentence of [kind.what, kind.fix]) expect(sentence).toMatch(/^\S.*\.$/);
    },
  );
});

describe('HoldfastError', () => {
  it('carries its entry of the registry, a detail and what lies beneath', () => {
    const cause = new Error('beneath');
    const error = new HoldfastError(errors.TOPIC, '"x"', { cause });
    expect(error).toMatchObject({ name: 'HoldfastError', code: 'HF_TOPIC', side: 'caller', retryable: false, cause });
    expect(error.message).toBe(`HF_TOPIC: ${errors.TOPIC.what} ("x") ${errors.TOPIC.fix}`);
    expect('cause' in new HoldfastError(errors.TOPIC)).toBe(false);
  });

  it('is known by instanceof across copies of the package', () => {
    const ofAnotherCopy = Object.assign(new Error('x'), { [Symbol.for('holdfast.error')]: true });
    expect(ofAnotherCopy instanceof HoldfastError).toBe(true);
    expect([new Error('x'), null, 'x'].some((value) => (value as unknown) instanceof HoldfastError)).toBe(false);
  });
});

describe('isFault', () => {
  it('tells a fault from a frame', () => {
    expect(isFault(fault(errors.FIELD, 'x'))).toBe(true);
    expect(isFault({ type: 'ping', stamp: 1, ack: 0 })).toBe(false);
  });
});
