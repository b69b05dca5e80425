import { inspect } from 'node:util';
import { nearest, wordsOf } from '@holdfast/policy';
import { errors, HoldfastError } from '@holdfast/store';

/** The most of a cause that is shown: its first line says what, the next where. */
const CAUSE_LINES = 4;

/** An error as someone at a terminal wants it: what, why, and what to do. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof HoldfastError)) return `holdfast: ${error instanceof Error ? error.stack : inspect(error)}`;
  const what = error.message.slice(0, -error.fix.length).trimEnd();
  return [`holdfast: ${what}`, ...causeLines(error.cause), `  fix: ${error.fix}`].join('\n');
}

function causeLines(cause: unknown): string[] {
  if (cause === undefined) return [];
  return textOf(cause)
    .split('\n')
    .slice(0, CAUSE_LINES)
    .map((line, i) => (i === 0 ? `  why: ${line}` : `  ${line}`));
}

function textOf(cause: unknown): string {
  if (!(cause instanceof Error)) return typeof cause === 'string' ? cause : inspect(cause);
  // What the system refuses is said in one line; where in Node it was asked helps nobody.
  return 'syscall' in cause ? cause.message : (cause.stack ?? cause.message);
}

/** A wrong value on the command line. Where some words only are valid, {@link oneOf} names them, and the nearest is proposed. */
export function wrongOption(flag: string, value: string, wanted: string): HoldfastError {
  const guess = nearest(value, wordsOf(wanted));
  const hint = guess === undefined ? '' : `; did you mean ${guess}?`;
  return new HoldfastError(errors.OPTION, `${flag} is ${JSON.stringify(value)}, not ${wanted}${hint}`);
}
