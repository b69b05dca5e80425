import { RULES } from './linters.js';
import type { LintReport, Repair } from './engine.js';
import type { Finding, Severity } from './rule.js';

const LEVELS: Readonly<Record<Severity, string>> = { error: 'error', warning: 'warning', info: 'note' };

/** A report in the form that code hosts read, SARIF 2.1.0. Repairs come with it as fixes. */
export function sarif({ findings, repairs }: LintReport, version: string): object {
  const named = new Set(findings.map(({ rule }) => rule));
  const rules = RULES.filter(({ id }) => named.has(id));
  const byFinding = new Map<Finding, Repair>(repairs.map((repair) => [repair.finding, repair]));
  return {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        columnKind: 'utf16CodeUnits',
        tool: {
          driver: {
            name: 'holdfast',
            semanticVersion: version,
            rules: rules.map(({ id, name, severity, title, what, why, fix }) => ({
              id,
              name,
              shortDescription: { text: `${title}.` },
              fullDescription: { text: what },
              help: { text: `${why} ${fix}` },
              defaultConfiguration: { level: LEVELS[severity] },
            })),
          },
        },
        results: findings.map((finding) => ({
          ruleId: finding.rule,
          ruleIndex: rules.findIndex(({ id }) => id === finding.rule),
          level: LEVELS[finding.severity],
          message: { text: `${finding.message}. ${finding.fix}` },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: uriOf(finding.file) },
                region: { startLine: finding.line, startColumn: finding.column },
              },
            },
          ],
          ...fixesOf(byFinding.get(finding)),
        })),
      },
    ],
  };
}

function fixesOf(repair: Repair | undefined): object {
  if (repair === undefined) return {};
  const paths = [...new Set(repair.edits.map(({ source }) => source.path))];
  const artifactChanges = paths.map((path) => ({
    artifactLocation: { uri: uriOf(path) },
    replacements: repair.edits
      .filter(({ source }) => source.path === path)
      .map(({ start, end, text }) => ({
        deletedRegion: { charOffset: start, charLength: end - start },
        insertedContent: { text },
      })),
  }));
  return { fixes: [{ description: { text: repair.finding.fix }, artifactChanges }] };
}

/** A relative reference stays one: the reader knows where the repository is. */
function uriOf(path: string): string {
  const encoded = path
    .split('/')
    .map((part) => encodeURIComponent(part))
    .join('/');
  return path.startsWith('/') ? `file://${encoded}` : encoded;
}
