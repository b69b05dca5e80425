import { Option, type Command } from 'commander';
import { TARGET_NAMES, targetSummaries, type TargetName } from '@holdfast/hops';
import { oneOf } from '@holdfast/policy';
import { wrongOption } from './failure.js';

/** What `holdfast render` was asked for. */
export interface RenderOptions {
  readonly file: string;
  readonly env: string | undefined;
  /** None: those that fit the hops of the environment. */
  readonly target: readonly TargetName[] | undefined;
  /** Directory to write to; standard output without it. */
  readonly out: string | undefined;
  readonly check: boolean;
  readonly force: boolean;
  readonly json: boolean;
}

const width = Math.max(...TARGET_NAMES.map(({ length }) => length));
const NOTE = `
Targets
${targetSummaries()
  .map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`)
  .join('\n')}

Without --target all that fit the hops of the environment are rendered. The same policy renders to the same bytes. A wish that a target
cannot fulfil is an error (HF_RENDER); what it leaves to others is said in the heading of the file. A file is overwritten only if
holdfast wrote it, which its first line says.

Exit codes: 0; 1 if --check finds a file that is not up to date; 2 for a wrong command line or policy, or a file of somebody else.

Examples
  $ holdfast render --env prod
  $ holdfast render --env prod --target ingress-nginx | kubectl diff -f -
  $ holdfast render --env prod -o rendered
  $ holdfast render --env prod -o rendered --check
`;

function targetNamed(text: string): TargetName {
  const found = TARGET_NAMES.find((name) => name === text);
  if (found) return found;
  throw wrongOption('--target', text, oneOf(TARGET_NAMES));
}

/** Adds `holdfast render` to the program. */
export function addRender(program: Command, act: (options: RenderOptions) => Promise<void>): void {
  program
    .command('render')
    .summary('render a policy as configuration of every hop')
    .description('Renders an environment of a policy as configuration of its hops.')
    .helpOption('-h, --help', 'Print this help.')
    .option('-f, --file <path>', 'the policy', 'holdfast.yaml')
    .option('-e, --env <name>', 'the environment (default: the only one)')
    .addOption(
      new Option('-t, --target <target>', 'what is rendered, repeatable (default: what fits)').argParser(
        (text, given: TargetName[] | undefined) => [...(given ?? []), targetNamed(text)],
      ),
    )
    .option('-o, --out <directory>', 'write files there, a folder for each target (default: standard output)')
    .addOption(new Option('--check', 'tell whether the files in --out are up to date').default(false, 'write them'))
    .addOption(new Option('--force', 'overwrite files that holdfast did not write').default(false, 'refuse'))
    .addOption(new Option('--json', 'print one JSON document').default(false, 'the files'))
    .addHelpText('after', NOTE)
    .action((options: RenderOptions) => act(options));
}
