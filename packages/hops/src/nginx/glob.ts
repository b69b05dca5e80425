import { join, parse } from 'node:path';
import type { Files } from '../files.js';

export const hasGlob = (pattern: string): boolean => /[*?[]/.test(pattern);

/** The files that a pattern of glob(3) names, sorted, a directory at a time. `*` and `?` match no `/` and no leading dot. */
export function globPattern(pattern: string, files: Files): string[] {
  const { root } = parse(pattern);
  let found = [root];
  const parts = pattern
    .slice(root.length)
    .split('/')
    .filter((part) => part !== '');
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    if (!hasGlob(part)) {
      found = found.map((base) => join(base, part));
      continue;
    }
    found = found.flatMap((base) =>
      (files.list(base === '' ? '.' : base) ?? [])
        .filter((name) => name.endsWith('/') !== isLast)
        .map((name) => name.replace(/\/$/, ''))
        .filter((name) => matches(part, name))
        .map((name) => join(base, name)),
    );
  }
  return found;
}

/** Whether a name matches one part of a pattern. In time that is linear in their product, whatever the pattern. */
function matches(pattern: string, name: string): boolean {
  if (name.startsWith('.') && !pattern.startsWith('.')) return false;
  const steps = stepsOf(pattern);
  let [step, at, star, mark] = [0, 0, -1, 0];
  while (at < name.length) {
    const current = steps[step];
    if (current === '*') {
      star = step++;
      mark = at;
    } else if (current instanceof RegExp ? current.test(name.charAt(at)) : current === name.charAt(at)) {
      step++;
      at++;
    } else if (star < 0) return false;
    else {
      step = star + 1;
      at = ++mark;
    }
  }
  while (steps[step] === '*') step++;
  return step === steps.length;
}

/** A character, `*`, or what matches one character. */
function stepsOf(pattern: string): (string | RegExp)[] {
  const parts = pattern.match(/\[[!^]?\]?[^\]]*\]|\\?[^]/g) ?? [];
  return parts.map((part) => {
    if (part === '*') return part;
    if (part === '?') return /[^]/;
    const [, negated, inside] = /^\[([!^]?)([^]+)\]$/.exec(part) ?? [];
    if (inside === undefined) return part.replace(/^\\(?=.)/, '');
    try {
      return new RegExp(`^[${negated ? '^' : ''}${inside.replace(/[\\\]^]/g, '\\$&')}]$`);
    } catch {
      return part;
    }
  });
}
