import ts from 'typescript';
import { at, isTest, packageOf, parse, type TextFile, visit } from './tree.js';

/** Clocks, randomness, timers, output and the host: all of them are arguments in a sans-IO core. */
const impure = new Set([
  'Date',
  'performance',
  'crypto',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'console',
  'process',
  'globalThis',
  'eval',
]);

/** What makes a source file of `protocol` depend on anything but its arguments. */
export function purityProblems(file: TextFile): string[] {
  if (packageOf(file) !== 'protocol' || isTest(file)) return [];
  const problems: string[] = [];
  visit(parse(file), (node) => {
    const name = impureName(node);
    if (name !== undefined) problems.push(`${at(node)}: protocol must not use ${name}`);
  });
  return problems;
}

function impureName(node: ts.Node): string | undefined {
  if (isMathRandom(node)) return 'Math.random';
  return ts.isIdentifier(node) && impure.has(node.text) && !isMemberName(node) ? node.text : undefined;
}

/** `Math.random`, `Math['random']`, and `Math` itself when it is handed on, which hides what is taken from it. */
function isMathRandom(node: ts.Node): boolean {
  if (!ts.isIdentifier(node) || node.text !== 'Math' || isMemberName(node)) return false;
  const { parent } = node;
  return !(ts.isPropertyAccessExpression(parent) && parent.expression === node && parent.name.text !== 'random');
}

/** The name in `x.name`, `{ name: 1 }` or a declared member is a word, not the global of that name. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isQualifiedName(parent)) return node !== leftOf(parent);
  const isMember =
    ts.isPropertyAssignment(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isEnumMember(parent);
  return isMember && parent.name === node;
}

function leftOf(node: ts.PropertyAccessExpression | ts.QualifiedName): ts.Node {
  return ts.isQualifiedName(node) ? node.left : node.expression;
}
