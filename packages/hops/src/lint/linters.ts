import { caddyLinter } from './caddy/index.js';
import { containerLinter } from './container/index.js';
import { linter, type Linter } from './dialect.js';
import { ENGINE_RULES } from './engine-rules.js';
import { haproxyLinter } from './haproxy/index.js';
import { kubernetes } from './kube/dialect.js';
import { nginxLinter } from './nginx/index.js';
import { policies } from './policy/dialect.js';
import type { RuleFacts } from './rule.js';

/** Every dialect that `holdfast lint` knows. */
export const LINTERS: readonly Linter[] = [
  nginxLinter,
  haproxyLinter,
  caddyLinter,
  linter(kubernetes),
  linter(policies),
  containerLinter,
];

/** Every rule there is, by id. */
export const RULES: readonly RuleFacts[] = [...ENGINE_RULES, ...LINTERS.flatMap(({ rules }) => rules)].sort((a, b) =>
  a.id < b.id ? -1 : 1,
);
