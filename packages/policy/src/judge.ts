import type { z } from 'zod';
import { isBranch, nodeAt, plainOf, PROBLEMS_MAX, type Node } from './document.js';
import type { Problem } from './problem.js';
import { FILE } from './schema.js';
import { nearest, wordsOf } from './words.js';

type Issue = z.core.$ZodIssue;

/** Everything that the schema finds wrong with a file, each with its place. */
export function judge(root: Node, file: string): Problem[] {
  const result = FILE.safeParse(plainOf(root));
  if (result.success) return [];
  return result.error.issues
    .flatMap((issue) => decided(issue, [], root))
    .flatMap((issue) => problemsOf(issue, root, file));
}

/** Where one of several forms was possible: the complaints of the form that was meant, rather than those of all. */
function decided(issue: Issue, before: readonly PropertyKey[], root: Node): Issue[] {
  const path = [...before, ...issue.path];
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [{ ...issue, path }];
  const isMapping = isBranch(nodeAt(root, path).node);
  const meant = issue.errors.filter((branch) => !branch.some((inner) => isOtherForm(inner, isMapping)));
  const [only] = meant;
  if (only === undefined || meant.length > 1) return [{ ...issue, path }];
  // No word of the list: where the mappings are named beside the words, one of those may have been meant.
  const isNoWord = only.every((inner) => inner.code === 'invalid_value' && inner.path.length === 0);
  if (isNoWord && wordsOf(issue.message).length > 0) return [{ ...issue, path }];
  return only.flatMap((inner) => decided(inner, path, root));
}

const isOtherForm = ({ code, path }: Issue, isMapping: boolean): boolean =>
  path.length === 0 && (code === 'invalid_type' || (code === 'invalid_value' && isMapping));

function problemsOf(issue: Issue, root: Node, file: string): Problem[] {
  const { node, found } = nodeAt(root, issue.path);
  const path = issue.path.map(String);
  const words = wordsOf(issue.message);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, PROBLEMS_MAX).map((key) => ({
      file,
      ...placeOf((isBranch(node) && node.entries.get(key)?.keyAt) || node.at),
      path: [...path, key].join('.'),
      message: `${show(key)} is not a key of ${nameOf(path)}`,
      expected: issue.message,
      nearest: nearest(key, words),
    }));
  }
  const value = isBranch(node) || 'items' in node ? undefined : node.value;
  const name = path.at(-1) ?? 'the file';
  return [
    {
      file,
      ...placeOf(node.at),
      path: path.join('.'),
      message: found ? `${nameOf(path)} is ${describe(node)}` : `${name} is missing`,
      expected: issue.message,
      nearest: typeof value === 'string' ? nearest(value, words) : undefined,
    },
  ];
}

const nameOf = (path: readonly string[]): string => {
  const name = path.at(-1) ?? 'the file';
  return /^\d+$/.test(name) ? `an item of ${path.at(-2) ?? 'the list'}` : name;
};

function describe(node: Node): string {
  if (isBranch(node)) return 'a mapping';
  if ('items' in node) return node.items.length === 0 ? 'an empty list' : 'a list';
  return node.value === null ? 'empty' : show(node.value);
}

const placeOf = ({ line, column }: Problem | Node['at']): { line: number; column: number } => ({ line, column });

/** Values are shown as written, but not at any length. */
const show = (value: unknown): string => {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}..."` : text;
};
