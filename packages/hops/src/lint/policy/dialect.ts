import { parse, type Policy, type Sources } from '@holdfast/policy';
import type { Source } from '../../source.js';
import type { Dialect, ReadProblem } from '../dialect.js';
import type { Problem, Rule } from '../rule.js';
import { policyRules, type PolicyReport, type PolicyRule } from './rules.js';

/** A policy file, and where each of its values is written. */
export interface PolicyUnit {
  readonly source: Source;
  readonly policy: Policy;
  readonly sources: ReadonlyMap<string, Sources>;
}

const HEAD_CHARS = 65_536;

/** By its content: environments, and nothing that an object of Kubernetes would have. */
function isPolicy({ path, text }: Source): boolean {
  const head = text.slice(0, HEAD_CHARS);
  return /\.ya?ml$/i.test(path) && /^environments\s*:/m.test(head) && !/^apiVersion\s*:/m.test(head);
}

/** Where a field of an environment was set; if nowhere, where the environment begins. */
function offsetOf({ source, sources }: PolicyUnit, environment: string, field: string): number {
  const from = sources.get(environment)?.get(field);
  if (from?.from === 'file') return source.lineStart(from.line) + from.column - 1;
  const name = environment.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const found = new RegExp(`^[ \\t]+(["']?${name}["']?)[ \\t]*:`, 'm').exec(source.text);
  return found ? found.index + found[0].indexOf(found[1] ?? '') : 0;
}

const policyRule = ({ check, ...facts }: PolicyRule): Rule<PolicyUnit> => ({
  ...facts,
  *check(unit) {
    for (const [name, environment] of unit.policy.environments) {
      for (const report of check(environment)) yield problemOf(unit, name, report);
    }
  },
});

function problemOf(unit: PolicyUnit, environment: string, { field, message, severity }: PolicyReport): Problem {
  const at = { source: unit.source, offset: offsetOf(unit, environment, field) };
  return { at, message: `${environment}: ${message}`, ...(severity && { severity }) };
}

export const policies: Dialect<PolicyUnit> = {
  name: 'policy',
  recognises: isPolicy,
  read(sources) {
    const units: PolicyUnit[] = [];
    const problems: ReadProblem[] = [];
    for (const source of sources) {
      const loaded = parse(source.text, { path: source.path });
      if (loaded.policy) units.push({ source, policy: loaded.policy, sources: loaded.sources });
      for (const { line, column, message, expected } of loaded.problems ?? []) {
        const wanted = expected === undefined ? '' : `; expected ${expected}`;
        problems.push({
          kind: 'syntax',
          source,
          offset: source.lineStart(line) + column - 1,
          message: message + wanted,
        });
      }
    }
    return { units, problems };
  },
  rules: policyRules.map(policyRule),
};
