import { type RuleFacts, RULES } from '@holdfast/hops';
import { code, GENERATED, paragraphs, tableOf } from './markdown.js';

export const rulesPage = (): string =>
  paragraphs(
    '# Rules of lint',
    GENERATED,
    'What `holdfast lint` looks for. The severity is the gravest that a rule reports: with `error` WebSockets fail or are cut, with `warning` they will be, under load, at a rollout or for some; `info` is worth knowing.',
    'A rule about WebSockets speaks only where they can pass: a path of the policy, a route that forwards Upgrade, a path that looks like it, or what such a route leads to. Numbers are compared with the policy (`--policy`), else with the default ping of 30 s; each finding says with which. A finding that was judged to be none is ignored by a comment on its line or the one before, with its reason: `# holdfast-ignore NGX015: the backend is started on demand`.',
    tableOf(
      ['rule', 'name', 'severity', 'what it finds'],
      RULES.map(({ id, name, severity, title }) => [`[${id}](${id}.md)`, name, severity, title]),
    ),
  );

export const rulePage = ({ id, name, severity, title, what, why, fix, source }: RuleFacts): string =>
  paragraphs(
    `# ${id}: ${title}`,
    GENERATED,
    `${code(name)}, ${severity}.`,
    what,
    `## Why\n\n${why}`,
    `## What to do\n\n${fix}`,
    `## Source\n\n${source}`,
  );
