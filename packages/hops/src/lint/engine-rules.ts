import type { RuleFacts } from './rule.js';

/** What the linter itself reports: these have no `check`. */
export const BAD_IGNORE: RuleFacts = {
  id: 'LINT001',
  name: 'ignore-without-reason',
  severity: 'warning',
  title: 'An ignore comment gives no reason, or names no rule',
  what: 'A comment `holdfast-ignore` without a rule that exists, or without `: reason` behind it. Such a comment has no effect.',
  why: 'Whoever reads the file next cannot tell whether the finding was judged or only silenced.',
  fix: 'Write `# holdfast-ignore ID: reason`, on the line itself or on the one before.',
  source: 'A convention of holdfast.',
};

export const UNREADABLE: RuleFacts = {
  id: 'LINT002',
  name: 'unreadable',
  severity: 'error',
  title: 'A file cannot be read, or is of no known kind',
  what: 'A path that was given and cannot be read (error); a file that may not be read or holds no configuration that is known, an include that leads nowhere or back to itself (warning).',
  why: 'What was not read was not judged.',
  fix: 'Give the path or the permission; leave the argument out if it is no configuration.',
  source: 'Seen when the file was opened.',
};

export const SYNTAX: RuleFacts = {
  id: 'LINT003',
  name: 'syntax',
  severity: 'error',
  title: 'A configuration is malformed',
  what: 'A missing `;` or brace, a quote that never closes, YAML that is none.',
  why: 'The program refuses the file: it does not start, or goes on with the configuration before.',
  fix: 'Correct it where the position points.',
  source: "The programs' own grammar; the parsers are compared with nginx and HAProxy in tests.",
};

export const ENGINE_RULES: readonly RuleFacts[] = [BAD_IGNORE, UNREADABLE, SYNTAX];
