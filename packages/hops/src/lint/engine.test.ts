import { describe, expect, it } from 'vitest';
import { memoryFiles } from '../files.js';
import { Source } from '../source.js';
import { collect, given } from './collect.js';
import { linter } from './dialect.js';
import { lint, type LintReport } from './engine.js';
import type { Rule } from './rule.js';

/** Finds every line that begins with `bad`. */
const rule: Rule<Source> = {
  id: 'TEST001',
  name: 'bad',
  severity: 'error',
  title: 't',
  what: 'w',
  why: 'y',
  fix: 'Do better.',
  source: 's',
  check: (source) =>
    Array.from(source.text.matchAll(/^bad.*/gm), (match) => ({
      at: { source, offset: match.index },
      message: `found ${match[0]}`,
    })),
};
const test = linter<Source>({
  name: 'test',
  recognises: ({ path }) => path.endsWith('.test'),
  read: (sources) => ({ units: sources, problems: [] }),
  rules: [rule],
});

function run(text: string, path = 'a.test'): LintReport {
  const source = new Source(path, text);
  return lint(given(source), { linters: [test], context: { environments: [], files: memoryFiles({}) } });
}
const ids = ({ findings }: LintReport): string[] => findings.map(({ rule: id, line }) => `${id}:${line}`);

describe('lint', () => {
  it('gives each finding the fields of the interface, and no other', () => {
    expect(run('ok\nbad one').findings).toEqual([
      {
        rule: 'TEST001',
        severity: 'error',
        file: 'a.test',
        line: 2,
        column: 1,
        message: 'found bad one',
        fix: 'Do better.',
        docs: 'docs/rules/TEST001.md',
      },
    ]);
  });

  it('ignores what a comment with a reason names, on its line or the next that says something', () => {
    expect(run('bad # holdfast-ignore TEST001: known').ignored).toBe(1);
    expect(ids(run('# holdfast-ignore TEST001: known\n\n# more\nbad\nbad'))).toEqual(['TEST001:5']);
    expect(ids(run('bad # holdfast-ignore LINT002: another'))).toEqual(['TEST001:1']);
  });

  it('reports a comment without a reason or with an unknown rule, and does not obey it', () => {
    expect(ids(run('bad # holdfast-ignore TEST001'))).toEqual(['TEST001:1', 'LINT001:1']);
    expect(ids(run('# holdfast-ignore TEST999: because\nok'))).toEqual(['LINT001:1']);
    expect(ids(run('# holdfast-ignore\nok'))).toEqual(['LINT001:1']);
  });

  it('tells that a file it was given is of no known kind', () => {
    expect(ids(run('bad', 'a.txt'))).toEqual(['LINT002:1']);
  });

  it('fails for a path that was given and is not there, and only warns of what it found no use for', () => {
    const context = { environments: [], files: memoryFiles({ '/x/a.txt': 'bad' }) };
    const gravity = (path: string): string[] =>
      lint(collect([path], context.files), { linters: [test], context }).findings.map(({ severity }) => severity);
    expect(gravity('/x/nginx.cnf')).toEqual(['error']);
    expect(gravity('/x/a.txt')).toEqual(['warning']);
  });

  it('leaves out rules that are not wanted', () => {
    const source = new Source('a.test', 'bad # holdfast-ignore');
    const context = { environments: [], files: memoryFiles({}) };
    expect(ids(lint(given(source), { linters: [test], context, only: ['LINT001'] }))).toEqual(['LINT001:1']);
    expect(ids(lint(given(source), { linters: [test], context, except: ['LINT001'] }))).toEqual(['TEST001:1']);
  });
});
