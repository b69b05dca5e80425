import type { Command } from 'commander';

/** What `holdfast explain` was asked for. */
export interface ExplainOptions {
  /** Undefined: what there is. */
  readonly topic: string | undefined;
}

const EXAMPLES = `
A topic is a hop, a kind of clock, a rule, a key of holdfast.yaml, an error or a close code; without one, all are listed.

Examples
  $ holdfast explain
  $ holdfast explain ingress-nginx
  $ holdfast explain NGX008
  $ holdfast explain HF_SILENT
  $ holdfast explain 1012
  $ holdfast explain drain.deadline
  $ holdfast explain schema > holdfast.schema.json
`;

/** Adds `holdfast explain TOPIC` to the program. */
export function addExplain(program: Command, explain: (options: ExplainOptions) => Promise<void>): void {
  program
    .command('explain')
    .summary('tell what a hop, a clock, a rule, a key, an error or a close code is')
    .description('Tells what is known of a topic. The same pages are in docs/.')
    .argument('[topic]', 'what to tell of')
    .helpOption('-h, --help', 'Print this help.')
    .addHelpText('after', EXAMPLES)
    .action((topic: string | undefined) => explain({ topic }));
}
