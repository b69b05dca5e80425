import { CLOCK_KINDS, HOP_KIND_NAMES, HOP_KINDS, parse } from '@holdfast/policy';
import { describe, expect, it } from 'vitest';
import { factsOf, HOPS, linksOf } from './index.js';

describe('the facts of hops', () => {
  it.each(HOP_KIND_NAMES)('tell of %s the clocks that a policy can name, and no others', (kind) => {
    expect(HOPS[kind].kind).toBe(kind);
    expect(HOPS[kind].clocks.map(({ name }) => name)).toEqual([...HOP_KINDS[kind].clocks]);
  });

  it.each(Object.values(HOPS).flatMap((hop) => hop.clocks.map((clock) => [hop.kind, clock.name, hop, clock] as const)))(
    'say of %s %s what it is, how it is known and what a client sees',
    (_, __, hop, clock) => {
      expect(CLOCK_KINDS).toContain(clock.kind);
      expect(clock.known.length).toBeGreaterThan(0);
      for (const text of [clock.title, clock.resetBy, clock.clientSees]) expect(text).not.toBe('');
      if (clock.defaultMs !== undefined) {
        expect(clock.defaultMs).toBeLessThanOrEqual(clock.maxMs ?? Infinity);
        expect(clock.defaultMs).toBeGreaterThanOrEqual(clock.minMs ?? 0);
      }
      if (clock.becomes) {
        const options: Readonly<Record<string, string>> = HOP_KINDS[hop.kind as keyof typeof HOP_KINDS].options;
        expect(options[clock.becomes.option]).toBe('boolean');
      }
      expect(hop.sources.length).toBeGreaterThan(0);
    },
  );

  it('are found by the kind, and by nothing that objects have of themselves', () => {
    expect(factsOf('heroku')?.clocks[0]?.kind).toBe('idle-each-direction');
    expect(factsOf('constructor')).toBeUndefined();
  });

  it('are laid along the chain of an environment', () => {
    const { policy } = parse(
      'name: x\nenvironments: {a: {hosts: [h], routes: [{websocket: /}], hops: [cloudflare, {kind: nginx, name: edge}]}}',
      { variables: {} },
    );
    const environment = policy?.environments.get('a');
    expect(environment && linksOf(environment).map(({ use, hop }) => [use.name, hop.title])).toEqual([
      ['cloudflare', 'Cloudflare'],
      ['edge', 'nginx'],
    ]);
  });
});
