import { writeFile } from 'node:fs/promises';
import { linksOf } from '@holdfast/hops';
import { judgeBudget, loadPolicy, speakDuration, type Verdict, worst } from '@holdfast/policy';
import type { CheckOptions } from '../check-command.js';
import { counted } from '../counted.js';
import { wrongOption } from '../failure.js';
import type { Output } from '../program.js';
import { table } from '../table.js';
import { budgetSvg } from './budget-svg.js';
import { chainOf, type Judged } from './judged.js';

/** `holdfast check`: 1 if anything is an error. */
export async function check({ file, env, svg, rtt, json }: CheckOptions, output: Output): Promise<number> {
  const { policy } = await loadPolicy(file, { environment: env });
  const judged = Array.from(policy.environments.values(), (environment) => ({
    environment,
    verdicts: judgeBudget(environment, linksOf(environment), { rttMs: rtt }),
  }));
  if (svg === '-') output.out(budgetSvg(judged));
  else if (svg !== undefined) {
    await writeFile(svg, budgetSvg(judged)).catch((error: Error) => {
      throw wrongOption('--svg', svg, `a file that can be written: ${error.message}`);
    });
  }
  const text = json
    ? `${JSON.stringify(judged.map(asJson), null, 2)}\n`
    : `${judged.map(asText).join('\n')}\n${LEGEND}`;
  // One of the two can have standard output.
  if (svg === '-') output.error(text);
  else output.out(text);
  return judged.some(({ verdicts }) => worst(verdicts) === 'error') ? 1 : 0;
}

const asJson = ({ environment, verdicts }: Judged): object => ({
  environment: environment.name,
  preset: environment.preset,
  chain: chainOf(environment),
  level: worst(verdicts),
  verdicts,
});

const LEGEND =
  'margin: what the limit leaves besides ours, the round trip and what is kept in reserve (holdfast explain budget)\n';
const HEAD = ['hop', 'clock', 'limit', 'ours', 'margin', 'verdict'];
const time = (ms: number | undefined): string => (ms === undefined ? '-' : speakDuration(ms));

function asText({ environment, verdicts }: Judged): string {
  const rows = verdicts.map(({ hop, clock, paths, limitMs, oursMs, what, marginMs, level }) => [
    hop,
    paths.length === 0 ? clock : `${clock} (${paths.join(', ')})`,
    limitMs === undefined ? 'none' : time(limitMs),
    oursMs === undefined ? what : `${time(oursMs)} ${what}`,
    time(marginMs),
    level,
  ]);
  const unnamed =
    environment.hops.length === 0 ? ['', '  no hops are named: what stands between client and pod is not judged'] : [];
  const told = verdicts.filter(({ level }) => level !== 'ok').flatMap(sentences);
  const title = `${environment.name} (${environment.preset}): ${chainOf(environment).join(' > ')}`;
  return [
    title,
    '',
    table([HEAD, ...rows], '  '),
    ...unnamed,
    ...(told.length > 0 ? ['', ...told] : []),
    '',
    summary(verdicts),
    '',
  ].join('\n');
}

function sentences({ level, hop, clock, message, fix }: Verdict): string[] {
  const said = `  ${`${level}:`.padEnd(8)} ${hop}, ${clock}: ${message}`;
  return fix === undefined ? [said] : [said, `           fix: ${fix}`];
}

function summary(verdicts: readonly Verdict[]): string {
  const count = (level: Verdict['level']): number => verdicts.filter((verdict) => verdict.level === level).length;
  const [errors, warnings] = [count('error'), count('warning')];
  return `  ${counted(verdicts.length, 'clock')} judged, ${counted(errors, 'error')}, ${counted(warnings, 'warning')}`;
}
