import type { Command } from 'commander';

/** What every command that reads a policy is told of it. */
export interface PolicyOptions {
  readonly file: string;
  /** Undefined: all environments, or the one that is detected. */
  readonly env: string | undefined;
}

export const POLICY_FILE = 'holdfast.yaml';

/** Adds `--file` and `--env`. */
export const addPolicyOptions = (command: Command, env: string): Command =>
  command.option('-f, --file <path>', 'the policy', POLICY_FILE).option('-e, --env <name>', env);
