import { describe, expect, it } from 'vitest';
import { disk } from '../files.js';
import { collect } from './collect.js';
import { lint } from './engine.js';
import { LINTERS } from './linters.js';

const directory = `${import.meta.dirname}/whole`;

describe('a whole configuration that is in order', () => {
  it.each(disk.list(directory) ?? [])('is met with silence: %s', (name) => {
    const context = { environments: [], files: disk };
    // Files that a site would have elsewhere are none of this rule's business.
    const { findings, files } = lint(collect([`${directory}/${name}`], disk), {
      linters: LINTERS,
      context,
      except: ['LINT002'],
    });
    expect(findings).toEqual([]);
    expect(files).toBeGreaterThan(0);
  });
});
