import type { Source } from '../source.js';
import type { LintContext } from './context.js';
import type { Place, Problem, Rule, RuleFacts } from './rule.js';

/** A kind of configuration that can be linted. */
export interface Dialect<Unit> {
  /** `nginx`, `haproxy`, `kubernetes`. */
  readonly name: string;
  /** Whether a text is of this kind, by its name and content. Several dialects may take the same text. It looks at the beginning. */
  readonly recognises: (source: Source) => boolean;
  /** All texts of this kind of one run at once: rules may need to see an Ingress and its Service, or nginx and what it includes. */
  readonly read: (sources: readonly Source[], context: LintContext) => Reading<Unit>;
  readonly rules: readonly Rule<Unit>[];
}

export interface Reading<Unit> {
  /** Each is given to every rule by itself. */
  readonly units: readonly Unit[];
  readonly problems: readonly ReadProblem[];
  /** Texts beyond those given, such as includes; for ignore comments in them. */
  readonly sources?: readonly Source[];
  /** Paths of texts that stand in several places, as what is included twice does: an edit for one of these would change the others. */
  readonly shared?: ReadonlySet<string>;
  /** What no rule has looked at though it may matter, and how to have it judged: a sentence each, without an end. */
  readonly unjudged?: readonly string[];
}

/** What stands in the way of reading: LINT002 for `unreadable`, and for what was asked for and is `missing`; LINT003 for `syntax`. */
export interface ReadProblem extends Place {
  readonly kind: 'unreadable' | 'missing' | 'syntax';
  readonly message: string;
}

/** A dialect whose unit is its own business. */
export interface Linter {
  readonly name: string;
  readonly rules: readonly RuleFacts[];
  recognises(source: Source): boolean;
  lint(sources: readonly Source[], context: LintContext, isWanted: (rule: RuleFacts) => boolean): Linted;
}

export interface Linted {
  readonly found: readonly Found[];
  readonly problems: readonly ReadProblem[];
  readonly sources: readonly Source[];
  readonly unjudged: readonly string[];
}

export interface Found {
  readonly rule: RuleFacts;
  readonly problem: Problem;
}

export function linter<Unit>(dialect: Dialect<Unit>): Linter {
  return {
    name: dialect.name,
    rules: dialect.rules,
    recognises: (source) => dialect.recognises(source),
    lint(sources, context, isWanted) {
      const { units, problems, sources: more = [], shared, unjudged = [] } = dialect.read(sources, context);
      const rules = dialect.rules.filter(isWanted);
      const found: Found[] = [];
      const isCertain = ({ edits = [] }: Problem): boolean => !edits.some(({ source }) => shared?.has(source.path));
      for (const unit of units) {
        for (const rule of rules) {
          for (const problem of rule.check(unit, context)) {
            found.push({ rule, problem: isCertain(problem) ? problem : { ...problem, edits: [] } });
          }
        }
      }
      return { found, problems, sources: [...sources, ...more], unjudged };
    },
  };
}
