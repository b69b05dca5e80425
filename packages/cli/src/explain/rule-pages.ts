import { type RuleFacts, RULES } from '@holdfast/hops';
import { code, GENERATED, paragraphs, tableOf } from './markdown.js';

export const rulesPage = (): string =>
  paragraphs(
    '# Rules of lint',
    GENERATED,
    'What `holdfast lint` looks for. The severity is the gravest that a rule reports: with `error` WebSockets fail or are cut, with `warning` they will be, under load, at a rollout or for some; `info` is worth knowing.',
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
