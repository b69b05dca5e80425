import { Option, type Command } from 'commander';
import { addPolicyOptions, type PolicyOptions } from './policy-options.js';
import { parseTime } from './values.js';

/** What `holdfast check` was asked for. */
export interface CheckOptions extends PolicyOptions {
  /** Where the picture goes. */
  readonly svg: string | undefined;
  /** Milliseconds. */
  readonly rtt: number;
  readonly json: boolean;
}

const EXAMPLES = `
Every hop has clocks. Each is compared with the policy: is a ping sent before an idle limit, is a connection moved before a
lifetime, is a pod empty before it is killed. \`holdfast explain budget\` has the inequalities, \`holdfast explain HOP\` the clocks.

Exit codes: 0, 1 if anything is an error, 2 for a wrong command line or a policy that cannot be read.

Examples
  $ holdfast check
  $ holdfast check -f chat.yaml --env prod --rtt 800ms
  $ holdfast check --svg budget.svg
  $ holdfast check --json | jq '.[].verdicts[] | select(.level == "error")'
`;

/** Adds `holdfast check` to the program. */
export function addCheck(program: Command, check: (options: CheckOptions) => Promise<void>): void {
  const command = program
    .command('check')
    .summary('compare a policy with the clocks of every hop on the way')
    .description('Judges every inequality between a policy and the clocks of the hops, for each environment.');
  addPolicyOptions(command, 'the environment to judge (default: all)')
    .addOption(
      new Option('--rtt <time>', 'round trip that 99 of 100 stay below')
        .argParser(parseTime('--rtt'))
        .default(500, '500ms'),
    )
    .option(
      '--svg <file>',
      'also draw the budget, each clock a bar from the client to the pod; "-" is standard output, and the table then goes to standard error',
    )
    .option('--json', 'print one array of environments with their verdicts', false)
    .helpOption('-h, --help', 'Print this help.')
    .addHelpText('after', EXAMPLES)
    .action((options: CheckOptions) => check(options));
}
