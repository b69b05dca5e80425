import type { Source } from '../source.js';
import type { LintContext } from './context.js';

/** `error`: WebSockets fail or are cut; `warning`: they will be, under load, at a rollout or for some; `info`: worth knowing. */
export const SEVERITIES = ['error', 'warning', 'info'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What is known of a rule without a configuration; docs/rules has a page of it each. */
export interface RuleFacts {
  /** Never changes its meaning: `NGX001`. */
  readonly id: string;
  /** The same in words, for people: `no-upgrade-header`. */
  readonly name: string;
  /** The gravest that it reports. */
  readonly severity: Severity;
  /** One line without a full stop. */
  readonly title: string;
  /** When it fires, and when it does not. */
  readonly what: string;
  /** What happens to WebSockets. */
  readonly why: string;
  readonly fix: string;
  /** Where the fact is from: a program's source, its documentation, a measurement. */
  readonly source: string;
}

/** One rule about a unit: a tree of nginx, a HAProxy configuration, all manifests of a cluster. */
export interface Rule<Unit> extends RuleFacts {
  /** Pure: the same unit and context give the same problems. It must take any unit that its dialect reads, however broken. */
  readonly check: (unit: Unit, context: LintContext) => Iterable<Problem>;
}

/** What a rule has found. */
export interface Problem {
  readonly at: Place;
  /** What is wrong here, with the names and numbers of this place. One or two sentences. */
  readonly message: string;
  /** Default: that of the rule. */
  readonly severity?: Severity;
  /** Default: that of the rule. */
  readonly fix?: string;
  /** Given where the repair is certain. */
  readonly edits?: readonly Edit[];
}

/** Where a person has to change something. */
export interface Place {
  readonly source: Source;
  readonly offset: number;
}

/** Replaces `source.text.slice(start, end)`. */
export interface Edit {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** What `holdfast lint --json` prints, an array of it. */
export interface Finding {
  readonly rule: string;
  readonly severity: Severity;
  readonly file: string;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly fix: string;
  /** Path of the rule's page in the repository. */
  readonly docs: string;
}

export const docsOf = (id: string): string => `docs/rules/${id}.md`;
