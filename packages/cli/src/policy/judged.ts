import type { Environment, Verdict } from '@holdfast/policy';

/** An environment and all that was said of it. */
export interface Judged {
  readonly environment: Environment;
  readonly verdicts: readonly Verdict[];
}

export const chainOf = ({ hops, service }: Environment): string[] => [
  'client',
  ...hops.map(({ name }) => name),
  service.name,
];
