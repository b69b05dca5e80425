import { expect, it } from 'vitest';
import { CLUSTER_GROUPS, grouped, Groups } from './groups.js';

it('has one group on one server, whose keys begin with the prefix alone', () => {
  const groups = new Groups('app:', false);
  expect([groups.all(), groups.of('anything'), groups.prefixOf(0)]).toEqual([[0], 0, 'app:']);
});

it('has groups in a cluster whose slots are spread evenly, by what is known of slots', () => {
  const groups = new Groups('app:', true);
  const slots = groups.all().map((group) => groups.slotOf(group));
  expect(slots.map((slot) => Math.floor((slot / 16_384) * CLUSTER_GROUPS))).toEqual(groups.all());
  expect(groups.prefixOf(0)).toMatch(/^app:\{\d+\}$/);
  expect(new Set(groups.all().map((group) => groups.prefixOf(group))).size).toBe(CLUSTER_GROUPS);
});

it('spreads names over all groups, always in the same way', () => {
  const [groups, others] = [new Groups('a:', true), new Groups('b:', true)];
  const names = Array.from({ length: 10_000 }, (_, index) => `name ${index} é`);
  const byGroup = grouped(names, (name) => groups.of(name));
  expect(byGroup.size).toBe(CLUSTER_GROUPS);
  for (const [group, own] of byGroup) {
    expect(own.length).toBeGreaterThan(150);
    expect(own.every((name) => others.of(name) === group)).toBe(true);
  }
  // Names are kept for ever under the groups that they had.
  expect(['', 'a', 'lobby', 'é'].map((name) => groups.of(name))).toEqual([0, 7, 22, 4]);
});
