import type { Cluster, Ingress } from '../../kube/cluster.js';
import { ANNOTATIONS, NGINX_PREFIX } from '../../kube/cluster.js';
import { textAt, wordOf } from '../../kube/values.js';
import type { Manifest, Path } from '../../kube/manifest.js';
import type { Envoy } from '../../envoy/configuration.js';
import { type LintContext, pingOf, slowest } from '../context.js';
import { replace } from '../edits.js';
import type { Problem, Rule, RuleFacts } from '../rule.js';

/** Something that a rule about manifests has found. */
export interface KubeReport {
  readonly manifest: Manifest;
  /** What a person must change; of what is absent, the nearest thing around it is pointed at. */
  readonly at: Path;
  readonly message: string;
  readonly severity?: Problem['severity'];
  /** What the scalar at that place should be, quotes and all, where that is certain. */
  readonly replacement?: string | undefined;
}

/** The numbers that rules compare with. */
export interface KubeNumbers {
  /** Longest silence of a connection: the ping of the policy, else that of plain clients. */
  readonly pingMs: number;
  /** From SIGTERM to the last close; undefined without a policy. */
  readonly drainMs: number | undefined;
  readonly maxAgeMs: number | undefined;
  /** Whose the ping is, for messages. */
  readonly from: string;
}

/** All YAML and JSON of one run: an Ingress is judged with its Service, a route of Envoy with its cluster. */
export interface KubeUnit {
  readonly cluster: Cluster;
  readonly envoy: Envoy;
}

export interface KubeInput extends KubeUnit {
  readonly numbers: KubeNumbers;
}

export interface KubeRule extends RuleFacts {
  readonly check: (input: KubeInput) => Iterable<KubeReport>;
}

function numbersOf(context: LintContext): KubeNumbers {
  const { ms, from } = pingOf(context);
  const drain = slowest(context, 'drain', (environment) => environment.drain.deadlineMs);
  const age = slowest(context, 'maximum age', (environment) => environment.drain.maxAgeMs);
  return { pingMs: ms, from, drainMs: drain?.ms, maxAgeMs: age?.ms };
}

/** The rule as the engine takes it. */
export const kubeRule = ({ check, ...facts }: KubeRule): Rule<KubeUnit> => ({
  ...facts,
  *check(unit, context) {
    for (const report of check({ ...unit, numbers: numbersOf(context) })) yield problemOf(report);
  },
});

function problemOf({ manifest, at, message, severity, replacement }: KubeReport): Problem {
  const { source } = manifest;
  const written = replacement === undefined ? undefined : manifest.scalarAt(at);
  return {
    at: { source, offset: manifest.offsetOf(at) },
    message,
    ...(severity && { severity }),
    ...(written && replacement !== undefined && { edits: [replace({ source, ...written }, replacement)] }),
  };
}

/** A report on an annotation of an Ingress, by its name without the prefix of ingress-nginx. */
export const onAnnotation = (
  { manifest }: Pick<Ingress, 'manifest'>,
  name: string,
  message: string,
  replacement?: string,
): KubeReport => ({
  manifest,
  at: [...ANNOTATIONS, name.includes('/') ? name : NGINX_PREFIX + name],
  message,
  replacement,
});

/** An annotation of ingress-nginx as text; undefined where it is not set. */
export function annotation({ annotations }: Pick<Ingress, 'annotations'>, name: string): string | undefined {
  const value = annotations[NGINX_PREFIX + name];
  return value === undefined || value === null ? undefined : wordOf(value);
}

/** Ingresses that ingress-nginx serves. */
export const ofIngressNginx = (cluster: Cluster): readonly Ingress[] =>
  cluster.ingresses.filter(({ controller }) => controller === 'ingress-nginx');

/** Those of them over which WebSockets pass. */
export const webSocketIngresses = (cluster: Cluster): readonly Ingress[] =>
  ofIngressNginx(cluster).filter(({ hasWebSocket }) => hasWebSocket);

/** Services with ClientIP affinity that ingress-nginx stands before, for WebSockets. */
export function* clientIpBehindIngress(cluster: Cluster): Generator<{ ingress: Ingress; service: Manifest }> {
  for (const ingress of webSocketIngresses(cluster)) {
    for (const service of webSocketServices(cluster, ingress)) if (isByClientIp(service)) yield { ingress, service };
  }
}

/** Services that the WebSockets of an Ingress go to. */
export function webSocketServices(cluster: Cluster, { manifest, paths }: Ingress): Manifest[] {
  const names = new Set(paths.filter(({ isWebSocket }) => isWebSocket).map(({ service }) => service));
  return [...names].flatMap((name) => cluster.service(manifest.namespace, name) ?? []);
}

export const isByClientIp = ({ object }: Manifest): boolean =>
  textAt(object, ['spec', 'sessionAffinity']) === 'ClientIP';

/** ConfigMaps of the controller itself. */
export const controllerConfigMaps = (cluster: Cluster): readonly Manifest[] =>
  cluster.ofKind('ConfigMap').filter(({ name, object }) => {
    const labels = (object['metadata'] as { labels?: Record<string, unknown> } | undefined)?.labels ?? {};
    return (
      labels['app.kubernetes.io/name'] === 'ingress-nginx' || /ingress-nginx.*controller|nginx-configuration/.test(name)
    );
  });
