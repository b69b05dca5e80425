import type { Source } from '../source.js';
import type { Collected } from './collect.js';
import type { LintContext } from './context.js';
import type { Found, Linted, Linter, ReadProblem } from './dialect.js';
import { BAD_IGNORE, ENGINE_RULES, SYNTAX, UNREADABLE } from './engine-rules.js';
import { type Ignore, ignoresOf } from './ignore.js';
import { docsOf, type Edit, type Finding, type Place, type RuleFacts, type Severity } from './rule.js';

/** What is to be linted, and by which rules. */
export interface LintOptions {
  /** The dialects, `LINTERS` for all. */
  readonly linters: readonly Linter[];
  readonly context: LintContext;
  /** Only these rules. Default: all. */
  readonly only?: readonly string[];
  /** All but these. */
  readonly except?: readonly string[];
}

export interface LintReport {
  /** By file, line and column. */
  readonly findings: readonly Finding[];
  /** What repairs the findings that have a certain repair, in the order of the findings. */
  readonly repairs: readonly Repair[];
  /** Findings that an ignore comment with a reason silenced. */
  readonly ignored: number;
  /** Texts that a dialect recognised, includes and all. */
  readonly files: number;
  /** What may matter and was not judged, and how it would be: a sentence each, without an end. */
  readonly unjudged: readonly string[];
}

export interface Repair {
  readonly finding: Finding;
  readonly edits: readonly Edit[];
}

/** Lints texts. One that was named and that no dialect recognises is told as LINT002. */
export function lint(
  { sources, named, problems }: Collected,
  { linters, context, only, except = [] }: LintOptions,
): LintReport {
  const isWanted = ({ id }: RuleFacts): boolean => (only?.includes(id) ?? true) && !except.includes(id);
  const known = new Set<Source>();
  const results = linters.map((each): Linted => {
    const own = sources.filter((source) => each.recognises(source));
    for (const source of own) known.add(source);
    return own.length === 0
      ? { found: [], problems: [], sources: [], unjudged: [] }
      : each.lint(own, context, isWanted);
  });
  const read = uniqueByPath([...known, ...results.flatMap((result) => result.sources)]);
  const ids = new Set([...ENGINE_RULES, ...linters.flatMap((each) => each.rules)].map(({ id }) => id));
  const ignores = new Map(read.map((source) => [source.path, ignoresOf(source)]));
  const silenced = new Set([...ignores].flatMap(([path, own]) => own.flatMap((ignore) => silencedBy(path, ignore))));

  const strangers = sources.filter((source) => named.has(source) && !known.has(source));
  const found: Found[] = [
    ...results.flatMap((result) => result.found),
    ...[...problems, ...results.flatMap((result) => result.problems)].map(asFound),
    ...strangers.map((source) => asFound({ kind: 'unreadable', source, offset: 0, message: NOT_KNOWN })),
    ...read.flatMap((source) => (ignores.get(source.path) ?? []).flatMap((ignore) => badIgnore(source, ignore, ids))),
  ].filter(({ rule }) => isWanted(rule));

  const kept = found.filter(({ rule, problem }) => !silenced.has(keyOf(rule.id, problem.at)));
  const repairs = sorted(unique(kept.map(repairOf)));
  return {
    findings: repairs.map(({ finding }) => finding),
    repairs: repairs.filter(({ edits }) => edits.length > 0),
    ignored: unique(found.map(repairOf)).length - repairs.length,
    files: read.length,
    unjudged: results.flatMap((result) => result.unjudged),
  };
}

const NOT_KNOWN = 'this is no configuration that is known: nginx, HAProxy, Caddy, Envoy, Kubernetes or a Dockerfile';

function asFound({ kind, source, offset, message }: ReadProblem): Found {
  const at = { source, offset };
  if (kind === 'syntax') return { rule: SYNTAX, problem: { at, message } };
  // Of a path that was mistyped nothing was judged, and a pipeline must not take that for a success.
  return { rule: UNREADABLE, problem: { at, message, severity: kind === 'missing' ? 'error' : 'warning' } };
}

function badIgnore(source: Source, { offset, rules, reason }: Ignore, ids: ReadonlySet<string>): Found[] {
  const unknown = rules.filter((id) => !ids.has(id));
  const message =
    rules.length === 0
      ? 'this comment names no rule, so it has no effect'
      : unknown.length > 0
        ? `there is no rule ${unknown.join(', ')}`
        : reason === ''
          ? `this comment gives no reason, so ${rules.join(', ')} is not ignored`
          : undefined;
  return message === undefined ? [] : [{ rule: BAD_IGNORE, problem: { at: { source, offset }, message } }];
}

function keyOf(rule: string, { source, offset }: Place): string {
  return `${rule} ${source.position(offset).line} ${source.path}`;
}

function silencedBy(path: string, { rules, reason, lines }: Ignore): string[] {
  return reason === '' ? [] : rules.flatMap((rule) => lines.map((line) => `${rule} ${line} ${path}`));
}

function repairOf({ rule, problem }: Found): Repair {
  const { line, column } = problem.at.source.position(problem.at.offset);
  const finding: Finding = {
    rule: rule.id,
    severity: problem.severity ?? rule.severity,
    file: problem.at.source.path,
    line,
    column,
    message: problem.message,
    fix: problem.fix ?? rule.fix,
    docs: docsOf(rule.id),
  };
  return { finding, edits: problem.edits ?? [] };
}

/** A file that is included twice is read once, and its mistakes are told once. */
function unique(repairs: readonly Repair[]): Repair[] {
  const seen = new Map<string, Repair>();
  for (const repair of repairs) {
    const { rule, file, line, column, message } = repair.finding;
    const key = JSON.stringify([rule, file, line, column, message]);
    if (!seen.has(key)) seen.set(key, repair);
  }
  return [...seen.values()];
}

function uniqueByPath(sources: readonly Source[]): Source[] {
  return [...new Map(sources.map((source) => [source.path, source])).values()];
}

function sorted(repairs: Repair[]): Repair[] {
  const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return repairs.sort(
    ({ finding: a }, { finding: b }) =>
      byText(a.file, b.file) || a.line - b.line || a.column - b.column || byText(a.rule, b.rule),
  );
}

/** How many findings there are of each severity. */
export function countBySeverity(findings: readonly Finding[]): Record<Severity, number> {
  const counts: Record<Severity, number> = { error: 0, warning: 0, info: 0 };
  for (const { severity } of findings) counts[severity]++;
  return counts;
}
