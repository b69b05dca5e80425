import { createInterface } from 'node:readline/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { TargetName } from '@holdfast/hops';
import { loadPolicy, pick } from '@holdfast/policy';
import { errors, HoldfastError } from '@holdfast/store';
import { describeFailure } from '../failure.js';
import type { Output } from '../program.js';
import { Kubectl, type KubeObject, type ObjectName } from './kubectl.js';
import { nameOf, resourceOf, shown, wantedOf, type Wanted } from './manifests.js';
import { foreignManager } from './ownership.js';
import { DEFAULT_CONTROLLER, verify, verifyGone, type Check, type ControllerPlace } from './verify.js';

/** What `holdfast apply`, `diff`, `verify` and `rollback` were asked for. */
export interface ClusterOptions {
  readonly file: string;
  readonly env: string | undefined;
  readonly target: readonly TargetName[];
  readonly kubectl: string;
  readonly controllerSelector: string;
  readonly controllerNamespace: string | undefined;
  readonly container: string;
  /** Longest wait for the controller to have reloaded. */
  readonly timeout: number;
  readonly yes: boolean;
  readonly prune: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
}

/** How often it is looked whether the controller has reloaded. */
const LOOK_MS = 500;

interface Work {
  readonly kubectl: Kubectl;
  readonly wanted: Wanted;
  readonly place: ControllerPlace;
  readonly options: ClusterOptions;
  readonly output: Output;
}

async function begin(options: ClusterOptions, output: Output): Promise<Work> {
  const { policy } = await loadPolicy(options.file, { ...(options.env !== undefined && { environment: options.env }) });
  const wanted = wantedOf(policy, pick(policy, options.env), options.target);
  const { controllerSelector: selector, controllerNamespace: namespace, container } = options;
  const place = { ...DEFAULT_CONTROLLER, selector, container, ...(namespace !== undefined && { namespace }) };
  return { kubectl: new Kubectl(options.kubectl), wanted, place, options, output };
}

const causeOf = (cause: unknown): string | undefined =>
  cause instanceof Error ? cause.message : (cause as string | undefined);

/** A cluster that fails is a failure (1); only a wrong command line or policy is 2. */
const told =
  (act: (work: Work) => Promise<number>) =>
  async (options: ClusterOptions, output: Output): Promise<number> => {
    const work = await begin(options, output);
    try {
      return await act(work);
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code === errors.OPTION.code) throw error;
      const { code, message, fix, cause } = error;
      if (options.json) output.out(`${JSON.stringify({ error: { code, message, fix, cause: causeOf(cause) } })}\n`);
      else output.error(`${describeFailure(error)}\n`);
      return 1;
    }
  };

export const apply = told(async (work) => {
  const { kubectl, wanted, options } = work;
  const say = sayer(work);
  await refuseForeign(work);
  await kubectl.apply(wanted.text, { dryRun: true });
  const diff = await kubectl.diff(wanted.text);
  const { own: stale, strangers } = await staleObjects(work);
  if (options.prune) refuse(strangers);
  if (diff === '') say(`nothing to change: ${wanted.objects.length} objects are as rendered`);
  else say(diff.trimEnd());
  for (const name of stale)
    say(
      `${shown(name)} is ours and is not rendered any more${options.prune ? ': it will be deleted' : ' (--prune deletes it)'}`,
    );
  for (const stranger of strangers) say(`${stranger}, and is not rendered any more: it is not touched`);
  if (options.dryRun) return 0;
  const deletes = options.prune ? stale : [];
  if (diff !== '' || deletes.length > 0) {
    if (!(await isAgreed(work, 'apply this?'))) return 1;
    if (diff !== '') say((await kubectl.apply(wanted.text, { dryRun: false })).trimEnd());
    for (const name of deletes) say((await kubectl.delete(name)).trimEnd());
  }
  return report(work, await settled(work, () => verify(kubectl, wanted, work.place)));
});

export const diff = told(async (work) => {
  await refuseForeign(work);
  const text = await work.kubectl.diff(work.wanted.text);
  const { json } = work.options;
  work.output.out(json ? `${JSON.stringify({ differs: text !== '', diff: text })}\n` : text);
  return text === '' ? 0 : 1;
});

export const verifyCluster = told(async (work) =>
  report(work, await settled(work, () => verify(work.kubectl, work.wanted, work.place))),
);

export const rollback = told(async (work) => {
  const { kubectl, options } = work;
  const say = sayer(work);
  const { own, strangers } = await labelled(work);
  refuse(strangers);
  if (own.length === 0) say('nothing to roll back: no object carries the labels of this environment');
  for (const name of own) say(`${options.dryRun ? 'would delete' : 'to be deleted'}: ${shown(name)}`);
  if (options.dryRun) return 0;
  if (own.length > 0 && !(await isAgreed(work, 'delete these?'))) return 1;
  for (const name of own) say((await kubectl.delete(name)).trimEnd());
  return report(work, await settled(work, async () => [...(await left(kubectl, own)), ...(await released(work, own))]));
});

/** Also of what an earlier rollback has deleted: its controller may not have reloaded by then. */
async function released({ kubectl, wanted, place }: Work, own: readonly ObjectName[]): Promise<Check[]> {
  if (!wanted.targets.includes('ingress-nginx')) return [];
  const names = new Map([...own, ...wanted.objects.map(nameOf)].map((name) => [shown(name), name]));
  const ingresses = [...names.values()].filter(({ kind }) => kind.startsWith('ingress'));
  return verifyGone(kubectl, ingresses, place);
}

async function left(kubectl: Kubectl, own: readonly ObjectName[]): Promise<Check[]> {
  const checks: Check[] = [];
  for (const name of own) {
    const what = `${shown(name)} is gone`;
    checks.push(
      (await kubectl.get(name)) ? { what, isRight: false, found: 'it is still there' } : { what, isRight: true },
    );
  }
  return checks;
}

/** Stops before anything is changed where an object that would be is managed by somebody else. */
async function refuseForeign({ kubectl, wanted }: Work): Promise<void> {
  const strangers: string[] = [];
  for (const manifest of wanted.objects) {
    const live = await kubectl.get(nameOf(manifest));
    const manager = live && foreignManager(live, wanted.labels);
    if (manager !== undefined) strangers.push(managedBy(nameOf(manifest), manager));
  }
  refuse(strangers);
}

function refuse(strangers: readonly string[]): void {
  if (strangers.length > 0) throw new HoldfastError(errors.NOT_OURS, strangers.join('; '));
}

const managedBy = (name: ObjectName, manager: string): string => `${shown(name)} is managed by ${manager}`;

/** What carries our labels: ours, and what somebody else has taken over since, with who. */
interface Labelled {
  readonly own: ObjectName[];
  readonly strangers: string[];
}

async function labelled(
  { kubectl, wanted }: Work,
  isMeant: (name: ObjectName) => boolean = () => true,
): Promise<Labelled> {
  const selector = Object.entries(wanted.labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const places = new Map(wanted.objects.map((one) => [`${resourceOf(one)} ${one.namespace}`, one]));
  const found: Labelled = { own: [], strangers: [] };
  for (const one of places.values()) {
    for (const target of wanted.targets) {
      const live = await kubectl.list(resourceOf(one), `${selector},holdfast/target=${target}`, one.namespace);
      for (const object of live) {
        const name = liveName(object, one.namespace);
        if (!isMeant(name)) continue;
        const manager = foreignManager(object, wanted.labels);
        if (manager === undefined) found.own.push(name);
        else found.strangers.push(managedBy(name, manager));
      }
    }
  }
  return found;
}

const liveName = (object: KubeObject, namespace: string): ObjectName => ({
  kind: resourceOf(object),
  name: object.metadata.name,
  namespace: object.metadata.namespace ?? namespace,
});

function staleObjects(work: Work): Promise<Labelled> {
  const rendered = new Set(work.wanted.objects.map((one) => shown(nameOf(one))));
  return labelled(work, (name) => !rendered.has(shown(name)));
}

/** Looks again until all is right or the time is over: a controller takes some seconds to reload. */
async function settled({ options }: Work, look: () => Promise<Check[]>): Promise<Check[]> {
  const untilMs = performance.now() + options.timeout;
  let checks = await look();
  while (checks.some(({ isRight }) => !isRight) && performance.now() < untilMs) {
    await delay(LOOK_MS);
    checks = await look();
  }
  return checks;
}

function report({ options, output }: Work, checks: readonly Check[]): number {
  const isRight = checks.every((check) => check.isRight);
  if (options.json) output.out(`${JSON.stringify({ ok: isRight, checks })}\n`);
  else {
    for (const check of checks)
      output.out(
        `${check.isRight ? 'ok   ' : 'WRONG'} ${check.what}${check.found === undefined ? '' : `: ${check.found}`}\n`,
      );
    const wrong = checks.filter((check) => !check.isRight).length;
    output.out(wrong === 0 ? `${checks.length} checks, all right\n` : `${checks.length} checks, ${wrong} wrong\n`);
  }
  return isRight ? 0 : 1;
}

/** What people read; with --json only the report is printed. */
const sayer =
  ({ options, output }: Work) =>
  (line: string): void => {
    if (!options.json && line !== '') output.out(`${line}\n`);
  };

async function isAgreed({ options }: Work, question: string): Promise<boolean> {
  if (options.yes) return true;
  if (!process.stdin.isTTY)
    throw new HoldfastError(errors.OPTION, 'there is no terminal to ask at: give --yes, or --dry-run to look only');
  const asker = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await asker.question(`${question} [y/N] `);
  asker.close();
  return /^y(?:es)?$/i.test(answer.trim());
}
