import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { announceSeed, randomSeed } from '@holdfast/testing';
import { isId, readPolicy, topicFromWire, topicToWire } from './bodies.js';
import { DEFAULT_POLICY } from './policy.js';

// Many runs, on a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 60_000 });

const seed = randomSeed();
announceSeed('bodies', seed, { command: 'npx vitest run --project unit packages/protocol/src/bodies.test.ts' });

describe('topics on the wire', () => {
  it('are read back as they were, in one spelling', () => {
    const property = fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (topic) => {
      const wire = topicToWire(topic);
      if (wire === undefined) return;
      expect(wire).toMatch(/^[!-<>-~]{1,128}$/);
      expect(topicFromWire(wire)).toBe(topic);
    });
    fc.assert(property, { seed, numRuns: 2_000 });
  });

  it('are refused in any other spelling', () => {
    const property = fc.property(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 }), (wire) => {
      const topic = topicFromWire(wire);
      expect(topic === undefined ? wire : topicToWire(topic)).toBe(wire);
    });
    fc.assert(property, { seed, numRuns: 2_000 });
  });

  it.each([
    ['rooms/7', 'rooms/7'],
    ['a b', 'a%20b'],
    ['a/b c', 'a%2Fb%20c'],
    ['caf\u00e9', 'caf%C3%A9'],
    ['100%', '100%25'],
    ['k=v', 'k%3Dv'],
    ['', undefined],
    ['\ud800', undefined],
    ['\u20ac'.repeat(15), undefined],
  ])('writes %j as %j', (topic, wire) => expect(topicToWire(topic)).toBe(wire));
});

describe('isId', () => {
  it.each(['a', 'A-z_0.9:', 'x'.repeat(64)])('takes %j', (id) => expect(isId(id)).toBe(true));
  it.each(['', 'x'.repeat(65), 'a b', 'a=b', 'a/b', 'caf\u00e9', 'a\n', 7, null])('refuses %j', (id) =>
    expect(isId(id)).toBe(false),
  );
});

describe('readPolicy', () => {
  it('takes the default', () => expect(readPolicy({ ...DEFAULT_POLICY })).toEqual(DEFAULT_POLICY));

  it.each([
    ['a ping that is never answered in time', { pingMs: 4_000 }],
    ['the same in the background', { backgroundPingMs: 50_000 }],
    ['bounds of backoff that cross', { retryMinMs: 30_001 }],
    ['nothing for a number', { ackMs: 0 }],
    ['a fraction', { ackMs: 0.5 }],
    ['a text', { sessionMs: '600000' }],
    ['a missing member', { sessionMs: undefined }],
    ['a window of nothing', { window: { messages: 0, bytes: 1 } }],
  ])('refuses %s', (_, change) => expect(readPolicy({ ...DEFAULT_POLICY, ...change })).toBeUndefined());

  it.each([[null], [[]], ['x'], [7], [undefined]])('refuses %j', (value) => expect(readPolicy(value)).toBeUndefined());
});
