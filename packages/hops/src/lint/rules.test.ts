import { describe, expect, it } from 'vitest';
import { disk } from '../files.js';
import { exampleName, lintExample, readExamples } from './example.js';
import { RULES } from './linters.js';
import { docsOf } from './rule.js';

const examples = readExamples(disk, `${import.meta.dirname}/fixtures`);

describe('the rules', () => {
  it('have an id each, a page each, and say what, why and how', () => {
    expect(new Set(RULES.map(({ id }) => id)).size).toBe(RULES.length);
    expect(new Set(RULES.map(({ name }) => name)).size).toBe(RULES.length);
    for (const { id, name, title, what, why, fix, source } of RULES) {
      expect(id).toMatch(/^[A-Z][A-Z0-9]{1,3}\d{3}$/);
      expect(name).toMatch(/^[a-z0-9]+(?:-[a-z0-9]+)*$/);
      expect(title, id).not.toMatch(/\.$/);
      for (const text of [what, why, fix, source]) expect(text, id).toMatch(/^[A-Z`"'a-z][^]*[.`"]$/);
      expect(docsOf(id)).toBe(`docs/rules/${id}.md`);
    }
  });

  it('have an example that fires and one that does not', () => {
    const shown = new Set(examples.map(({ name }) => JSON.stringify(exampleName(name))));
    const missing = RULES.flatMap(({ id }) =>
      [true, false].map((fires) => ({ rule: id, fires })).filter((each) => !shown.has(JSON.stringify(each))),
    );
    expect(missing).toEqual([]);
  });

  it.each(examples.map((example) => [example.name, example] as const))(
    'judge %s as its name says, and find nothing else',
    (name, example) => {
      const expected = exampleName(name);
      expect(expected && RULES.some(({ id }) => id === expected.rule), 'the name of a rule').toBe(true);
      const { findings } = lintExample(example);
      const ids = findings.map(({ rule }) => rule);
      expect([...new Set(ids)], JSON.stringify(findings, null, 2)).toEqual(expected?.fires ? [expected.rule] : []);
    },
  );
});
