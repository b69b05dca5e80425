import { errors, HoldfastError } from '@holdfast/protocol';
import { type Environment, type Policy, formatDuration } from '@holdfast/policy';
import { aws } from './aws.js';
import { cloudRun } from './cloud-run.js';
import { envoy } from './envoy.js';
import { gatewayApi } from './gateway-api.js';
import { haproxy } from './haproxy.js';
import { ingressNginx } from './ingress-nginx.js';
import { istio } from './istio.js';
import { kubernetes } from './kubernetes.js';
import { nginx } from './nginx.js';
import {} from './units.js';
import { Notes, type Target, TARGET_NAMES, type TargetName } from './target.js';

const TARGETS: Readonly<Record<TargetName, Target>> = {
  'ingress-nginx': ingressNginx,
  nginx,
  kubernetes,
  'gateway-api': gatewayApi,
  haproxy,
  envoy,
  istio,
  'cloud-run': cloudRun,
  aws,
};

export interface RenderedFile {
  readonly target: TargetName;
  /** Relative, with `/`, below a folder of the target's name. */
  readonly path: string;
  /** The whole file: its heading with the notes, then what it is for. */
  readonly text: string;
}

export interface Rendering {
  readonly target: TargetName;
  readonly files: readonly RenderedFile[];
  /** What a person must know: what is done elsewhere, and what the target leaves to others. */
  readonly notes: readonly string[];
}

/** How the first line of every rendered file begins. A file without it was written by somebody, and is not overwritten. */
export const MARKER = '# Rendered by holdfast ';

/** One line about each target, for a help text. */
export const targetSummaries = (): readonly (readonly [TargetName, string])[] =>
  TARGET_NAMES.map((name) => [name, TARGETS[name].summary]);

/** The targets that the hops of an environment have a place for. */
export const targetsOf = (env: Environment): TargetName[] => TARGET_NAMES.filter((name) => TARGETS[name].fits(env));

/**
 * Renders an environment for the targets that are named, or for those that fit its hops. The same policy gives the same bytes,
 * on every machine and at every time.
 *
 * @throws HoldfastError `HF_RENDER` when the policy wants what a target cannot do, or when there is nothing to render.
 */
export function render(policy: Policy, env: Environment, names: readonly TargetName[] = targetsOf(env)): Rendering[] {
  if (names.length === 0) {
    throw new HoldfastError(errors.RENDER, `no target fits the hops of the environment ${env.name}: name one`);
  }
  if (env.routes.length === 0) throw new HoldfastError(errors.RENDER, `the environment ${env.name} has no routes`);
  checkWords(env);
  return [...new Set(names)].map((name) => {
    const notes = new Notes();
    const bodies = TARGETS[name].render(withPossibleConnects(env, notes), notes, policy);
    const heading = headingOf(policy, env, name, notes.all);
    return {
      target: name,
      notes: notes.all,
      files: bodies.map(({ path, text }) => ({ target: name, path: `${name}/${path}`, text: `${heading}${text}` })),
    };
  });
}

/** The kernel gives up connecting at about this time, whatever a proxy is told. */
const CONNECT_MS_MAX = 75_000;

function withPossibleConnects(env: Environment, notes: Notes): Environment {
  const routes = env.routes.map((route) => {
    if (route.connectMs <= CONNECT_MS_MAX) return route;
    notes.add(`connect of ${route.path} is 75s, not ${formatDuration(route.connectMs)}: the kernel gives up then`);
    return { ...route, connectMs: CONNECT_MS_MAX };
  });
  return { ...env, routes };
}

/** What stands in configurations as it is, and might say more in one of their languages than it does in the policy. */
function checkWords(env: Environment): void {
  const stickinesses = [env.stickiness, ...env.routes.map(({ stickiness }) => stickiness)];
  const words: readonly (readonly [string, RegExp, readonly (string | undefined)[]])[] = [
    [
      'a path',
      /^\/[\w.~!&()*+,=:@%/-]*$/,
      [...env.routes.map(({ path }) => path), env.health.livePath, env.health.readyPath],
    ],
    [
      'a host',
      /^[\w.*-]+$/,
      [
        ...env.hosts,
        ...env.routes.flatMap(({ hosts }) => hosts),
        ...stickinesses.map((stickiness) => (stickiness.by === 'cookie' ? stickiness.cookie.domain : undefined)),
      ],
    ],
    ['a name', /^[\w.-]+$/, [env.name, env.namespace, env.service.name, ...env.service.ports.map(({ name }) => name)]],
    ['an address', /^[\w.:-]+$/, env.pods.map(({ host }) => host)],
    ['a network', /^[\da-fA-F.:/]+$/, env.gateway.trustedProxies],
    ['a file', /^[\w.~@+/-]+$/, [env.tls?.certificate, env.tls?.key]],
    [
      'a header',
      /^[\w-]+$/,
      stickinesses.map((stickiness) => (stickiness.by === 'header' ? stickiness.header : undefined)),
    ],
    [
      'a cookie',
      /^[\w.-]+$/,
      stickinesses.map((stickiness) => (stickiness.by === 'cookie' ? stickiness.cookie.name : undefined)),
    ],
    [
      'a cookie path',
      /^\/[\w.~%/-]*$/,
      stickinesses.map((stickiness) => (stickiness.by === 'cookie' ? stickiness.cookie.path : undefined)),
    ],
  ];
  for (const [what, form, given] of words) {
    const wrong = given.find((word) => word !== undefined && !form.test(word));
    if (wrong !== undefined)
      throw new HoldfastError(errors.RENDER, `${JSON.stringify(wrong)} cannot be rendered as ${what}`);
  }
}

function headingOf(policy: Policy, env: Environment, target: TargetName, notes: readonly string[]): string {
  // Its name alone: the same policy in another folder renders the same.
  const file = policy.path.split(/[\\/]/).at(-1);
  const lines = [
    `${MARKER}from ${file}, environment ${env.name}, target ${target}. Change the policy, not this file.`,
    ...notes.flatMap((note) => wrapped(note)),
  ];
  return `${lines.join('\n')}\n\n`;
}

/** A note as an item of a list, in lines that fit a terminal. */
function wrapped(note: string): string[] {
  const lines: string[] = [];
  let line = '#  -';
  for (const word of note.split(' ')) {
    if (line.length + word.length > WIDTH) {
      lines.push(line);
      line = '#   ';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

const WIDTH = 118;
