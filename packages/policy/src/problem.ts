/** Where something stands in a file; both count from 1, and are 0 where it is about no place in it. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One thing that is wrong with a policy file. */
export interface Problem extends Position {
  readonly file: string;
  /** The keys that lead to it, as `environments.prod.keepalive.ping`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  /** What would have been right, where that can be said. */
  readonly expected?: string;
  /** The valid word that is most like the wrong one. */
  readonly nearest?: string;
}

/** The place of what a variable says. */
export const OF_VARIABLES = { file: 'environment', line: 0, column: 0 } as const;

/** A problem as compilers print theirs, so that editors and terminals find the place. */
export function describeProblem({ file, line, column, message, expected, nearest }: Problem): string {
  const wanted = expected === undefined ? '' : `; expected ${expected}`;
  const guess = nearest === undefined ? '' : ` (did you mean ${nearest}?)`;
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  return `${place}: ${message}${guess}${wanted}`;
}
