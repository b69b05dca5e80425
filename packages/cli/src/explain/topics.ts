import { docsOf, HOPS, RULES } from '@holdfast/hops';
import { CLOCK_KINDS, publishedSchema } from '@holdfast/policy';
import { budgetPage, clockPage, clocksPage, hopPage, hopsPage, namedClocks } from './hop-pages.js';
import { keyPage, policyKeys, policyPage } from './policy-page.js';
import { rulePage, rulesPage } from './rule-pages.js';
import { closeCodePage, closeCodes, closeCodesPage, errorKinds, errorPage, errorsPage } from './protocol-pages.js';

export { closeTable } from './protocol-pages.js';

/** Something that can be explained. */
export interface Topic {
  readonly group: string;
  /** The first is shown; the others are understood. */
  readonly names: readonly [string, ...string[]];
  /** Markdown, made when it is asked for. */
  readonly text: () => string;
  /** Its page in the repository, where it has one of its own. */
  readonly path?: string;
  /** Not Markdown, and printed as it is. */
  readonly isRaw?: boolean;
}

export const schemaText = (): string => `${JSON.stringify(publishedSchema(), null, 2)}\n`;

/** Everything that can be explained; what has a path is also a page of the documentation. */
export function topics(): Topic[] {
  const general: Topic[] = [
    { group: 'In general', names: ['hops'], text: hopsPage, path: 'docs/hops/README.md' },
    { group: 'In general', names: ['clocks', ...CLOCK_KINDS], text: clocksPage, path: 'docs/clocks.md' },
    { group: 'In general', names: ['budget', 'check'], text: budgetPage, path: 'docs/budget.md' },
    { group: 'In general', names: ['rules', 'lint'], text: rulesPage, path: 'docs/rules/README.md' },
    { group: 'In general', names: ['policy', 'keys', 'holdfast.yaml'], text: policyPage, path: 'docs/policy.md' },
    { group: 'In general', names: ['close-codes', 'codes'], text: closeCodesPage, path: 'docs/close-codes.md' },
    { group: 'In general', names: ['errors'], text: errorsPage, path: 'docs/errors.md' },
    { group: 'In general', names: ['schema'], text: schemaText, path: 'packages/policy/schema.json', isRaw: true },
  ];
  return [
    ...general,
    ...Object.values(HOPS).map((hop): Topic => ({
      group: 'Hops',
      names: [hop.kind],
      text: () => hopPage(hop),
      path: `docs/hops/${hop.kind}.md`,
    })),
    ...Array.from(namedClocks(), ([title, places]): Topic => ({
      group: 'Clocks, as their vendors call them',
      names: [title],
      text: () => clockPage(title, places),
    })),
    ...RULES.map((rule): Topic => ({
      group: 'Rules of lint',
      names: [rule.id, rule.name],
      text: () => rulePage(rule),
      path: docsOf(rule.id),
    })),
    ...closeCodes().map((code): Topic => ({
      group: 'Close codes',
      names: [String(code.number)],
      text: () => closeCodePage(code),
    })),
    ...errorKinds().map((kind): Topic => ({
      group: 'Errors',
      names: [kind.code, kind.code.slice('HF_'.length)],
      text: () => errorPage(kind),
    })),
    ...policyKeys().map((key): Topic => ({
      group: 'Keys of holdfast.yaml',
      names: [key.path],
      text: () => keyPage(key),
    })),
  ];
}

/** The pages of the documentation by their path in the repository. */
export const pages = (): Map<string, string> =>
  new Map(topics().flatMap(({ path, text }) => (path === undefined ? [] : [[path, text()]])));
