import { describe, expect, it } from 'vitest';
import { disk } from '../files.js';
import { Source } from '../source.js';
import type { Repair } from './engine.js';
import { type Example, lintExample, readExamples } from './example.js';
import { planFixes, unifiedDiff } from './fix.js';
import { type Edit, type Finding } from './rule.js';

const finding = (line: number): Finding => ({
  rule: 'X',
  severity: 'error',
  file: 'f',
  line,
  column: 1,
  message: 'm',
  fix: 'f',
  docs: 'd',
});
const source = new Source('f', Array.from({ length: 20 }, (_, line) => `line ${line + 1}\n`).join(''));
const at = (line: number, length: number, text: string): Edit => ({
  source,
  start: source.lineStart(line),
  end: source.lineStart(line) + length,
  text,
});

describe('repairs', () => {
  it('change the bytes concerned and no other', () => {
    const { files, repaired } = planFixes([
      { finding: finding(2), edits: [at(2, 4, 'LINE')] },
      { finding: finding(15), edits: [at(15, 8, '')] },
    ]);
    expect(repaired.length).toBe(2);
    expect(files[0]?.text).toBe(source.text.replace('line 2\n', 'LINE 2\n').replace('line 15\n', ''));
  });

  it('that touch the same bytes exclude one another, equal ones are made once', () => {
    const repairs: Repair[] = [
      { finding: finding(1), edits: [at(3, 6, 'a')] },
      { finding: finding(2), edits: [at(3, 6, 'a'), at(5, 0, 'b')] },
      { finding: finding(3), edits: [at(3, 4, 'c')] },
    ];
    const { files, repaired, postponed } = planFixes(repairs);
    expect([repaired.length, postponed.length]).toEqual([2, 1]);
    expect(files[0]?.text).toContain('line 2\na\nline 4\nbline 5');
  });

  it('are shown as a unified diff, near ones in one hunk', () => {
    const { files } = planFixes([
      { finding: finding(2), edits: [at(2, 6, 'two')] },
      { finding: finding(4), edits: [at(4, 7, '')] },
      { finding: finding(18), edits: [at(18, 0, 'new\n')] },
    ]);
    expect(files.map(unifiedDiff)).toEqual([
      '--- f\n+++ f\n@@ -1,7 +1,6 @@\n line 1\n-line 2\n+two\n line 3\n-line 4\n line 5\n line 6\n line 7\n' +
        '@@ -15,6 +14,7 @@\n line 15\n line 16\n line 17\n+new\n line 18\n line 19\n line 20\n',
    ]);
  });

  const examples = readExamples(disk, `${import.meta.dirname}/fixtures`).map(
    (example) => [example.name, example, lintExample(example)] as const,
  );
  const fixable = examples.filter(([, , { repairs }]) => repairs.length > 0);

  it('exist for the rules whose repair is certain', () => {
    const rules = new Set(fixable.flatMap(([, , { repairs }]) => repairs.map(({ finding: { rule } }) => rule)));
    expect([...rules].filter((rule) => /^(?:NGX|HAP|CAD)/.test(rule))).toEqual([
      'HAP004',
      'HAP009',
      'NGX001',
      'NGX002',
      'NGX003',
      'NGX006',
      'NGX007',
      'NGX011',
      'NGX019',
      'NGX021',
      'NGX029',
      'NGX032',
    ]);
  });

  it.each(fixable)('of %s leave nothing to repair, and bring nothing new', (_, example, { repairs }) => {
    const { files } = planFixes(repairs);
    const texts = { ...example.texts, ...Object.fromEntries(files.map(({ source: { path }, text }) => [path, text])) };
    const after: Example = { ...example, texts };
    const again = lintExample(after);
    expect(again.repairs).toEqual([]);
    // A number that can be read at last may be one that another rule does not like.
    expect(again.findings.filter(({ rule }) => rule !== 'ING019')).toEqual([]);
  });
});
