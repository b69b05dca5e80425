import { expect, it } from 'vitest';
import { memoryFiles } from '../files.js';
import { Source } from '../source.js';
import { given } from './collect.js';
import { lint } from './engine.js';
import { LINTERS } from './linters.js';
import { sarif } from './sarif.js';
import { textReport } from './text.js';

const source = new Source(
  'deploy/my nginx.conf',
  'upstream a { hash $cookie_x; server b; }\nserver { location /ws { proxy_pass http://a; } }',
);
const report = lint(given(source), { linters: LINTERS, context: { environments: [], files: memoryFiles({}) } });

it('writes SARIF 2.1.0 with rules, places and repairs', () => {
  expect(sarif(report, '1.2.3')).toMatchObject({
    version: '2.1.0',
    runs: [
      {
        columnKind: 'utf16CodeUnits',
        tool: {
          driver: {
            name: 'holdfast',
            semanticVersion: '1.2.3',
            rules: [
              { id: 'NGX001', name: 'no-upgrade-header', defaultConfiguration: { level: 'error' } },
              { id: 'NGX019' },
            ],
          },
        },
        results: [
          {
            ruleId: 'NGX019',
            ruleIndex: 1,
            level: 'warning',
            locations: [
              {
                physicalLocation: {
                  artifactLocation: { uri: 'deploy/my%20nginx.conf' },
                  region: { startLine: 1, startColumn: 14 },
                },
              },
            ],
            fixes: [
              {
                artifactChanges: [
                  {
                    replacements: [
                      { deletedRegion: { charOffset: 27, charLength: 0 }, insertedContent: { text: ' consistent' } },
                    ],
                  },
                ],
              },
            ],
          },
          { ruleId: 'NGX001', ruleIndex: 0, level: 'error' },
        ],
      },
    ],
  });
});

it('writes lines that editors can follow, and colours on request only', () => {
  const text = textReport(report);
  expect(text).toContain(
    'deploy/my nginx.conf:1:14 warning NGX019 hash $cookie_x of upstream a is not consistent\n  fix: Add `consistent`.\n',
  );
  expect(text).toMatch(/^1 error, 1 warning in 1 file \(1 can be repaired by --fix\)$/m);
  expect(text).not.toContain('\u001b');
  expect(textReport(report, true)).toContain('\u001b[31merror\u001b[0m');
});
