import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import {
  collect,
  disk,
  type FixedFile,
  lint,
  type LintContext,
  LINTERS,
  type LintReport,
  parseVersion,
  planFixes,
  RULES,
  sarif,
  SEVERITIES,
  textReport,
  unifiedDiff,
} from '@holdfast/hops';
import { loadPolicy, pick } from '@holdfast/policy';
import { errors, HoldfastError } from '@holdfast/store';
import { wrongOption } from './failure.js';
import type { LintFlags } from './lint-command.js';
import type { Output } from './program.js';
import { version } from './version.js';

/** What `holdfast lint` needs of its surroundings beside files. */
export interface LintTerminal {
  /** Everything that comes on standard input. */
  readonly stdin: () => Promise<string>;
  readonly isColoured: boolean;
  /** Asks whoever sits there; undefined if nobody does. */
  readonly ask: ((question: string) => Promise<string>) | undefined;
}

export async function runLint(
  flags: LintFlags,
  output: Output,
  terminal: LintTerminal = processTerminal(),
): Promise<number> {
  const context = await contextOf(flags);
  checkRules('--rule', flags.rule ?? []);
  checkRules('--ignore', flags.ignore);
  const stdin = flags.paths.includes('-') ? await terminal.stdin() : '';
  const judge = (): LintReport =>
    lint(collect(flags.paths, disk, stdin), { linters: LINTERS, context, only: flags.rule, except: flags.ignore });
  let report = judge();
  if (flags.fix && (await repair(report, flags, output, terminal))) report = judge();
  if (flags.json) output.out(`${JSON.stringify(report.findings, null, 2)}\n`);
  else if (flags.sarif) output.out(`${JSON.stringify(sarif(report, version), null, 2)}\n`);
  else output.out(textReport(report, terminal.isColoured));
  const grave = SEVERITIES.slice(0, SEVERITIES.indexOf(flags.failOn) + 1);
  return report.findings.some(({ severity }) => grave.includes(severity)) ? 1 : 0;
}

function checkRules(flag: string, ids: readonly string[]): void {
  const unknown = ids.find((id) => !RULES.some((rule) => rule.id === id));
  if (unknown !== undefined) throw wrongOption(flag, unknown, 'the id of a rule, such as NGX001');
}

async function contextOf({ policy: path, env, nginxVersion: asked }: LintFlags): Promise<LintContext> {
  const nginxVersion = asked === undefined ? undefined : parseVersion(asked);
  if (asked !== undefined && nginxVersion === undefined) {
    throw wrongOption('--nginx-version', asked, 'a version such as 1.30.0');
  }
  if (path === undefined) return { environments: [], nginxVersion, files: disk };
  const { policy } = await loadPolicy(path, { environment: env });
  const environments = env === undefined ? [...policy.environments.values()] : [pick(policy, env)];
  const hops = environments.flatMap((environment) => environment.hops).filter(({ kind }) => kind === 'nginx');
  const named = hops.map(({ options }) => options.get('version')).find((found) => typeof found === 'string');
  return { environments, policyPath: path, nginxVersion: nginxVersion ?? parseVersion(named ?? ''), files: disk };
}

/** Shows the repairs, and makes them if that is wanted. Whether it did. */
async function repair(report: LintReport, flags: LintFlags, output: Output, terminal: LintTerminal): Promise<boolean> {
  // What a program reads on standard output stays a report.
  const say = (text: string): void => (flags.json || flags.sarif ? output.error(text) : output.out(text));
  const { files, repaired, postponed } = planFixes(report.repairs);
  if (files.length === 0) {
    say('nothing has a certain repair\n');
    return false;
  }
  for (const file of files) say(unifiedDiff(file));
  say(`repairs ${repaired.length} of ${report.findings.length} findings\n`);
  if (postponed.length > 0) say(`${postponed.length} more can be repaired after that: run --fix again\n`);
  if (flags.dryRun) return false;
  if (!flags.yes) {
    if (terminal.ask === undefined) {
      say('nothing is written: nobody can be asked here; give --yes\n');
      return false;
    }
    if (!/^y(?:es)?$/i.test((await terminal.ask('Write this? [y/N] ')).trim())) return false;
  }
  for (const file of files) write(file);
  return true;
}

/** Writes a file, unless somebody has changed it since it was read. */
function write({ source, text }: FixedFile): void {
  const { path, encoding } = source;
  try {
    if (readFileSync(path, encoding) === source.text) {
      writeFileSync(path, text, encoding);
      return;
    }
  } catch (error) {
    throw new HoldfastError(errors.WRITE, path, { cause: error });
  }
  throw new HoldfastError(errors.WRITE, `${path} has changed since it was read`);
}

/** Standard input beyond this is cut off: manifests of a whole cluster are smaller. */
const STDIN_CHARS_MAX = 0x400_0000;

function processTerminal(): LintTerminal {
  const { stdin, stdout, env } = process;
  return {
    stdin: async () => {
      let text = '';
      stdin.setEncoding('utf8');
      for await (const chunk of stdin) {
        text += String(chunk);
        if (text.length > STDIN_CHARS_MAX)
          throw new HoldfastError(errors.OPTION, 'standard input is larger than 64 MiB');
      }
      return text;
    },
    isColoured: stdout.isTTY && env['NO_COLOR'] === undefined,
    ask: stdin.isTTY && stdout.isTTY ? ask : undefined,
  };
}

async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}
