import { expect, it } from 'vitest';
import { Source } from '../source.js';
import { readManifests } from './manifest.js';
import { Selectors } from './selectors.js';
import { recordAt } from './values.js';

const objects = (...selectors: string[]): Selectors => {
  const texts = selectors.map(
    (selector, i) => `kind: Service\nmetadata: {name: s${i}}\nspec: {selector: ${selector}}\n`,
  );
  const { manifests } = readManifests(new Source('a.yaml', texts.join('---\n')));
  return new Selectors(manifests, ({ object }) => recordAt(object, ['spec', 'selector']));
};

it('finds what selects some labels by all of its own, wherever they stand', () => {
  const all = objects('{app: a, tier: web}', '{tier: web}', '{app: "1"}');
  expect(all.find('default', { app: 'a', tier: 'web' })?.name).toBe('s0');
  expect(all.find('default', { tier: 'web', app: 'b' })?.name).toBe('s1');
  expect(all.find('default', { app: 1 })).toBeUndefined();
  expect(all.find('other', { tier: 'web' })).toBeUndefined();
  expect(all.find('default', {})).toBeUndefined();
});

it('takes an empty selector for everything in its namespace', () => {
  expect(objects('{}').find('default', { app: 'a' })?.name).toBe('s0');
  expect(objects('{}').find('other', { app: 'a' })).toBeUndefined();
});
