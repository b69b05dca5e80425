import { environmentNamed } from '@holdfast/protocol';
import { isBranch, isLeaf, type Branch } from './document.js';
import { gatewayOf } from './gateway.js';
import { hopsOf } from './hops.js';
import { AUTOSCALE, BREAKER, CONNECT, DRAIN, HEALTH, KEEPALIVE, LIMITS, RESOURCES, ROLLOUT } from './keys.js';
import { PRESET_NAMES, type Environment, type Keepalive, type PresetName, type Rollout, type Tls } from './policy.js';
import type { Problem } from './problem.js';
import { Reading } from './reading.js';
import { routesOf } from './routes.js';
import { podsOf, serviceOf } from './service.js';
import type { Sources } from './source.js';
import { stickinessOf } from './stickiness.js';
import { fill } from './template.js';

export interface Made {
  readonly environment: Environment;
  readonly sources: Sources;
  readonly problems: readonly Problem[];
}

/** Makes an environment of what it says and inherits: defaults filled in, names made of their templates, times in milliseconds. */
export function environmentOf(name: string, root: Branch, file: string, policyName: string): Made {
  const said = root.entries.get('preset')?.node;
  const preset = isLeaf(said) ? (PRESET_NAMES.find((word) => word === said.value) ?? 'production') : presetOf(name);
  const reading = new Reading(root, file, `environments.${name}`, preset);
  if (isLeaf(said)) reading.note('preset', said.at);
  else reading.sources.set('preset', { from: 'default' });

  const words = { environment: name, name: policyName };
  const text = (field: string, byDefault: string): string =>
    fill(reading, reading.text(field, [field]) ?? byDefault, words, [field]);
  const hosts = reading.items('hosts').filter(isLeaf);
  if (hosts.length === 0)
    reading.problem(undefined, 'hosts', 'hosts is missing', { expected: 'the names that clients use' });
  const hostNames = hosts.map(({ value }) => fill(reading, String(value), words, ['hosts']));
  const service = serviceOf(reading, policyName, words);
  const stickiness = stickinessOf(reading, reading.node('stickiness'), 'stickiness');
  const context = { hosts: hostNames, service, stickiness };
  const environment: Environment = {
    name,
    preset,
    namespace: text('namespace', 'default'),
    hosts: hostNames,
    tls: tlsOf(reading, hostNames, { ...words, service: service.name }),
    service,
    pods: podsOf(reading),
    hops: hopsOf(reading),
    routes: routesOf(reading, context),
    keepalive: keepaliveOf(reading),
    connect: reading.section('connect', reading.node('connect'), CONNECT),
    stickiness,
    drain: reading.section('drain', reading.node('drain'), DRAIN),
    rollout: rolloutOf(reading),
    limits: reading.section('limits', reading.node('limits'), LIMITS),
    breaker: reading.section('breaker', reading.node('breaker'), BREAKER),
    resources: reading.section('resources', reading.node('resources'), RESOURCES),
    health: reading.section('health', reading.node('health'), HEALTH),
    gateway: gatewayOf(reading, service),
  };
  judgeTimes(reading, environment);
  return { environment, sources: reading.sources, problems: reading.problems };
}

/** An environment that says no preset is what its name says, and otherwise treated with the most care. */
const presetOf = (name: string): PresetName => environmentNamed(name.split(/[-_.]/)[0]) ?? 'production';

function tlsOf(reading: Reading, hosts: readonly string[], words: Readonly<Record<string, string>>): Tls | undefined {
  if (!reading.branch('tls')) return undefined;
  const issuer = reading.node('tls', 'issuer');
  const template = reading.text('tls.secret', ['tls', 'secret']) ?? '{service}-{host}';
  const named = reading.branch('tls', 'secrets');
  for (const [host, { keyAt }] of named?.entries ?? []) {
    if (!hosts.includes(host)) reading.problem(keyAt, 'tls.secrets', `${host} is not one of the hosts`);
  }
  const secretOf = (host: string): string =>
    reading.text(`tls.secrets.${host}`, ['tls', 'secrets', host]) ??
    fill(reading, template, { ...words, host: host.replace(/^\*\./, 'wildcard-').replaceAll('.', '-') }, [
      'tls',
      'secret',
    ]);
  const certificate = reading.text('tls.certificate', ['tls', 'certificate']);
  const key = reading.text('tls.key', ['tls', 'key']);
  if ((certificate === undefined) !== (key === undefined)) {
    reading.problem(reading.at('tls'), 'tls', 'certificate and key belong together, and one is missing');
  }
  return {
    ...(issuer && {
      issuer: isBranch(issuer)
        ? issuerOf(reading)
        : { kind: 'ClusterIssuer', name: reading.text('tls.issuer', ['tls', 'issuer']) ?? '' },
    }),
    secrets: new Map(hosts.map((host) => [host, secretOf(host)])),
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
  };
}

function issuerOf(reading: Reading): NonNullable<Tls['issuer']> {
  const kind = reading.text('tls.issuer.kind', ['tls', 'issuer', 'kind']) === 'Issuer' ? 'Issuer' : 'ClusterIssuer';
  return { kind, name: reading.text('tls.issuer.name', ['tls', 'issuer', 'name']) ?? '' };
}

function keepaliveOf(reading: Reading): Keepalive {
  const times = reading.section('keepalive', reading.node('keepalive'), KEEPALIVE);
  const ping = reading.node('keepalive', 'application', 'ping');
  if (!isLeaf(ping)) return times;
  reading.note('keepalive.application.pingMs', ping.at);
  const from = reading.text('keepalive.application.from', ['keepalive', 'application', 'from']);
  const pingMs = reading.duration(ping) ?? 0;
  return { ...times, application: { pingMs, from: from === 'client' || from === 'server' ? from : 'both' } };
}

function rolloutOf(reading: Reading): Rollout {
  const autoscale = reading.node('rollout', 'autoscale');
  const rollout = reading.section('rollout', reading.node('rollout'), ROLLOUT);
  if (!isBranch(autoscale)) return rollout;
  const scale = reading.section('rollout.autoscale', autoscale, AUTOSCALE);
  if (scale.max < scale.min)
    reading.problem(
      reading.at('rollout', 'autoscale', 'max'),
      'rollout.autoscale',
      `max is ${scale.max}, and min ${scale.min}`,
    );
  return { ...rollout, autoscale: scale };
}

/** Pairs of which the second must be more than the first, or a server would not start with them. */
const ORDERED = [
  ['keepalive', 'pingMs', 'ping', 'deadMs', 'dead'],
  ['keepalive', 'backgroundPingMs', 'backgroundPing', 'backgroundDeadMs', 'backgroundDead'],
  ['keepalive', 'plainPingMs', 'plainPing', 'plainPongMs', 'plainPong'],
  ['connect', 'retryMinMs', 'retryMin', 'retryMaxMs', 'retryMax'],
  ['drain', 'propagationMs', 'propagation', 'deadlineMs', 'deadline'],
] as const;

function judgeTimes(reading: Reading, environment: Environment): void {
  for (const [key, ms] of [
    ['interval', environment.health.intervalMs],
    ['timeout', environment.health.timeoutMs],
  ] as const) {
    if (ms > 0) continue;
    reading.problem(reading.at('health', key), `health.${key}`, 'nobody answers in no time', {
      expected: 'more than 0s',
    });
  }
  for (const [section, less, lessKey, more, moreKey] of ORDERED) {
    const values = environment[section] as unknown as Readonly<Record<string, number>>;
    const [lessMs = 0, moreMs = 0] = [values[less], values[more]];
    // Also where one of them could not be read, and is a problem already.
    if (!(moreMs <= lessMs)) continue;
    const given = [more, less]
      .map((field) => reading.sources.get(`${section}.${field}`))
      .find((source) => source?.from === 'variable');
    const because = given?.from === 'variable' ? ` (${given.variable} sets one of them)` : '';
    const key = isLeaf(reading.node(section, lessKey)) ? lessKey : moreKey;
    reading.problem(
      reading.at(section, key),
      `${section}.${key}`,
      `${lessKey} is ${lessMs / 1_000} s and ${moreKey} is ${moreMs / 1_000} s${because}`,
      { expected: `${moreKey} to be more than ${lessKey}` },
    );
  }
}
