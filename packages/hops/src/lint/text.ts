import { countBySeverity, type LintReport } from './engine.js';
import type { Finding, Severity } from './rule.js';

/** Colours of a terminal, as codes of its escape sequences. */
const COLOURS: Readonly<Record<Severity | 'dim' | 'bold', number>> = {
  error: 31,
  warning: 33,
  info: 36,
  dim: 2,
  bold: 1,
};

/** A report for people: a line each that editors can follow, what to do below it, and a summary. */
export function textReport(report: LintReport, isColoured = false): string {
  const paint = (colour: keyof typeof COLOURS, text: string): string =>
    isColoured ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text;
  const lines = report.findings.map(
    ({ file, line, column, severity, rule, message, fix, docs }: Finding) =>
      `${paint('bold', `${file}:${line}:${column}`)} ${paint(severity, severity)} ${rule} ${message}\n` +
      `  ${paint('dim', `fix: ${fix}`)}\n  ${paint('dim', `see: ${docs}`)}\n`,
  );
  const unjudged = report.unjudged.map((text) => `${paint('dim', text)}\n`);
  return `${lines.join('')}${summary(report)}\n${unjudged.join('')}`;
}

/** `2 errors, 1 warning in 3 files`. */
export function summary({ findings, repairs, ignored, files }: LintReport): string {
  const counts = countBySeverity(findings);
  const said = [
    many(counts.error, 'error', 'errors'),
    many(counts.warning, 'warning', 'warnings'),
    many(counts.info, 'note', 'notes'),
  ].filter((text) => text !== '');
  const rest = [
    repairs.length > 0 ? `${repairs.length} can be repaired by --fix` : '',
    ignored > 0 ? `${ignored} ignored` : '',
  ].filter((text) => text !== '');
  const tail = rest.length > 0 ? ` (${rest.join(', ')})` : '';
  return `${said.length > 0 ? said.join(', ') : 'nothing to report'} in ${many(files, 'file', 'files') || 'no file'}${tail}`;
}

const many = (count: number, one: string, more: string): string =>
  count === 0 ? '' : `${count} ${count === 1 ? one : more}`;
