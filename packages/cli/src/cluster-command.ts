import { Option, type Command } from 'commander';
import type { TargetName } from '@holdfast/hops';
import type { ClusterOptions } from './kubectl/actions.js';
import { CLUSTER_TARGETS } from './kubectl/manifests.js';
import { DEFAULT_CONTROLLER } from './kubectl/verify.js';
import { parseTime } from './values.js';

type Act = (options: ClusterOptions) => Promise<void>;

const NOTE = `
It works through the kubectl of whoever runs it, with their context and rights. What others manage (a Helm release, Argo CD, another
field manager) is never touched: that is an error which names them. What holdfast makes carries the labels holdfast/environment,
holdfast/service and holdfast/target, and only what carries them is ever deleted.

Exit codes: 0; 1 if something is not as it should be, or the cluster refuses; 2 for a wrong command line or policy.
`;

/** What the four commands have in common. */
function clusterCommand(program: Command, name: string, summary: string, description: string): Command {
  return program
    .command(name)
    .summary(summary)
    .description(description)
    .helpOption('-h, --help', 'Print this help.')
    .option('-f, --file <path>', 'the policy', 'holdfast.yaml')
    .option('-e, --env <name>', 'the environment (default: the only one)')
    .addOption(
      new Option('-t, --target <target>', 'what is rendered, repeatable')
        .choices(CLUSTER_TARGETS)
        .default(['ingress-nginx'])
        .argParser((text, given: TargetName[] | undefined) => {
          const before = given?.length === 1 && given[0] === 'ingress-nginx' ? [] : (given ?? []);
          return [...new Set([...before, text as TargetName])];
        }),
    )
    .option('--kubectl <command>', 'how kubectl is called, such as "porter kubectl --"', 'kubectl')
    .option('--controller-selector <labels>', 'labels of the pods of ingress-nginx', DEFAULT_CONTROLLER.selector)
    .option('--controller-namespace <name>', 'their namespace (default: all are looked through)')
    .option('--container <name>', 'their container with the nginx.conf', DEFAULT_CONTROLLER.container)
    .addOption(
      new Option('--timeout <time>', 'longest wait for the controller to have reloaded')
        .argParser(parseTime('--timeout'))
        .default(60_000, '60s'),
    )
    .option('--json', 'print the outcome as JSON', false)
    .addHelpText('after', NOTE);
}

const changing = (command: Command): Command =>
  command
    .option('-y, --yes', 'do not ask', false)
    .option('--dry-run', 'show what would be done, and do nothing', false);

const acting = (command: Command, act: Act): void => {
  command.action((given: Partial<ClusterOptions>) =>
    act({ yes: false, prune: false, dryRun: false, ...given } as ClusterOptions),
  );
};

export const addApply = (program: Command, act: Act): void =>
  acting(
    changing(
      clusterCommand(
        program,
        'apply',
        'apply what a policy renders to a cluster, and verify it',
        'Renders an environment, has the server check it, shows the difference, applies it on the server, and verifies it.',
      ),
    ).option('--prune', 'delete what is ours and is not rendered any more', false),
    act,
  );

export const addDiff = (program: Command, act: Act): void =>
  acting(
    clusterCommand(
      program,
      'diff',
      'show what apply would change',
      'Shows what `holdfast apply` would change; exits with 1 if anything.',
    ),
    act,
  );

export const addVerify = (program: Command, act: Act): void =>
  acting(
    clusterCommand(
      program,
      'verify',
      'verify that a cluster holds what a policy renders',
      'Compares the live objects, and the nginx.conf inside of the controller’s pods, with what the policy renders: the values for exactly the WebSocket paths, and for the others what they had.',
    ),
    act,
  );

export const addRollback = (program: Command, act: Act): void =>
  acting(
    changing(
      clusterCommand(
        program,
        'rollback',
        'delete what apply has made, and verify that it is gone',
        'Deletes what carries the labels of the environment and nothing else, and verifies that the controller has let go of it.',
      ),
    ),
    act,
  );
