import ts from 'typescript';
import { at, isCode, isTest, parse, type TextFile, visit } from './tree.js';

/** One idea a file. Most are far shorter; a file that reaches this holds a second idea. */
const fileLines = 500;

/** Notes to oneself belong in the issue tracker. Spelled in halves, so that this file passes its own test. */
const note = new RegExp(`\\b(?:${'TO'}DO|${'FIX'}ME)\\b`);

const testFunctions = new Set(['describe', 'it', 'test', 'suite', 'bench']);
const unfinished = new Set(['only', 'skip', 'todo', 'skipIf', 'runIf', 'fails']);

/** What is wrong with the shape of one text file. */
export function shapeProblems(file: TextFile): string[] {
  return [...lengthProblems(file), ...noteProblems(file), ...headingProblems(file), ...focusProblems(file)];
}

function lengthProblems(file: TextFile): string[] {
  const lines = file.text.trimEnd().split('\n').length;
  return isCode(file) && lines > fileLines ? [`${file.path}: ${lines} lines, more than ${fileLines}`] : [];
}

function noteProblems({ path, text }: TextFile): string[] {
  return text
    .split('\n')
    .flatMap((line, index) => (note.test(line) ? [`${path}:${index + 1}: an unfinished note`] : []));
}

function headingProblems({ path, text }: TextFile): string[] {
  if (!path.endsWith('.md')) return [];
  const prose = text.replace(/^(```+|~~~+)[^]*?^\1/gm, '');
  const count = prose.match(/^# /gm)?.length ?? 0;
  return count === 1 ? [] : [`${path}: ${count} first-level headings instead of 1`];
}

/** A test that is focused hides the others; one that is skipped in code is listed by nobody. */
function focusProblems(file: TextFile): string[] {
  if (!isCode(file) || !isTest(file)) return [];
  const problems: string[] = [];
  visit(parse(file), (node) => {
    if (!ts.isPropertyAccessExpression(node) || !unfinished.has(node.name.text)) return;
    if (testFunctions.has(firstWord(node))) problems.push(`${at(node)}: ${node.getText()} in a test`);
  });
  return problems;
}

/** The `it` of `it.concurrent.only`. */
function firstWord(node: ts.Expression): string {
  if (ts.isPropertyAccessExpression(node) || ts.isCallExpression(node)) return firstWord(node.expression);
  return ts.isIdentifier(node) ? node.text : '';
}
