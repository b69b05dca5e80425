import type { Severity } from '@holdfast/hops';
import { type Command, Option } from 'commander';
import { wrongOption } from './failure.js';

/** What `holdfast lint` was asked for. */
export interface LintFlags {
  readonly paths: readonly string[];
  readonly json: boolean;
  readonly sarif: boolean;
  readonly fix: boolean;
  readonly dryRun: boolean;
  readonly yes: boolean;
  readonly policy: string | undefined;
  readonly env: string | undefined;
  readonly nginxVersion: string | undefined;
  /** Ids of rules, in capitals. */
  readonly rule: readonly string[] | undefined;
  readonly ignore: readonly string[];
  /** The least severity of a finding that makes the exit code 1. */
  readonly failOn: Severity;
}

const EXAMPLES = `
PATH is a file, a directory with all that is below it, or - for standard input. What each file is, its name and content tell:
nginx (with what it includes), HAProxy, Envoy, Caddy, Kubernetes manifests, a Dockerfile of nginx.

A finding can be ignored where it is judged to be none, with a reason, on its line or the one before:
  # holdfast-ignore NGX015: the backend is started on demand

Numbers are compared with the policy that --policy names, and with defaults otherwise; each finding says with which.
Exit codes: 0, 1 if there is a finding as grave as --fail-on, 2 for a wrong command line or policy.

Examples
  $ holdfast lint /etc/nginx/nginx.conf
  $ holdfast lint deploy --policy holdfast.yaml --env prod
  $ helm template chart | holdfast lint - --json
  $ nginx -T | holdfast lint -
  $ holdfast lint nginx.conf --fix --dry-run
`;

/** Adds `holdfast lint PATH...` to the program. */
export function addLint(program: Command, act: (flags: LintFlags) => Promise<void>): void {
  program
    .command('lint')
    .summary('judge configurations of proxies and clusters by what they do to WebSockets')
    .description('Finds what breaks, cuts or scatters WebSockets in configurations of proxies and clusters.')
    .argument('<path...>', 'files, directories, or - for standard input')
    .helpOption('-h, --help', 'Print this help.')
    .optionsGroup('What is judged:')
    .addOption(new Option('--policy <file>', 'policy whose numbers and paths findings are judged by'))
    .addOption(new Option('--env <name>', 'the one environment of the policy that is meant (default: all)'))
    .addOption(
      new Option('--nginx-version <version>', 'version of nginx, such as 1.30.0 (default: unknown, the oldest)'),
    )
    .addOption(new Option('--rule <id>', 'only this rule, repeatable').argParser(ruleIds))
    .addOption(new Option('--ignore <id>', 'not this rule, repeatable').argParser(ruleIds).default([], 'none'))
    .addOption(
      new Option('--fail-on <severity>', 'gravity from which on the exit code is 1')
        .choices(['error', 'warning', 'info'] satisfies Severity[])
        .default('error'),
    )
    .optionsGroup('Repairs:')
    .addOption(
      new Option('--fix', 'show what repairs the findings whose repair is certain, and ask').default(false, 'no'),
    )
    .addOption(new Option('--dry-run', 'with --fix: only show it').default(false, 'no'))
    .addOption(new Option('--yes', 'with --fix: do not ask').default(false, 'no'))
    .optionsGroup('Output:')
    .addOption(
      new Option('--json', 'print the findings as an array').default(false, 'lines for people').conflicts('sarif'),
    )
    .addOption(
      new Option('--sarif', 'print a log of SARIF 2.1.0, which code hosts read').default(false, 'lines for people'),
    )
    .addHelpText('after', EXAMPLES)
    .action((paths: string[], flags: Omit<LintFlags, 'paths'>) => {
      if (flags.fix && paths.includes('-')) throw wrongOption('PATH', '-', 'something that --fix can write to');
      if (!flags.fix && (flags.dryRun || flags.yes)) {
        throw wrongOption(flags.dryRun ? '--dry-run' : '--yes', 'on', 'of use without --fix');
      }
      if (flags.env !== undefined && flags.policy === undefined)
        throw wrongOption('--env', flags.env, 'of use without --policy');
      return act({ ...flags, paths });
    });
}

const ruleIds = (text: string, given: readonly string[] | undefined): string[] => [
  ...(given ?? []),
  ...text.toUpperCase().split(','),
];
