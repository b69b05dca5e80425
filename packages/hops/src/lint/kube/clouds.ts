import { ANNOTATIONS, type Cluster, type Ingress } from '../../kube/cluster.js';
import { isRecord, type Manifest, type Path } from '../../kube/manifest.js';
import { listAt, numberAt, recordAt, textAt, valueAt, walk, wordOf } from '../../kube/values.js';
import { type KubeInput, type KubeReport, type KubeRule, webSocketServices } from './kube-rule.js';

const AWS = 'service.beta.kubernetes.io/aws-load-balancer-';
const ALB = 'alb.ingress.kubernetes.io/load-balancer-attributes';
/** Idle limits where nothing is said, in seconds. */
const ALB_SECONDS = 60;
const CLOUD_RUN_SECONDS = 300;
const CLOUD_RUN_SECONDS_MAX = 3_600;

const annotationsOf = ({ object }: Manifest): Readonly<Record<string, unknown>> => recordAt(object, ANNOTATIONS);

const classOf = ({ manifest, annotations }: Ingress): string =>
  textAt(manifest.object, ['spec', 'ingressClassName']) ?? wordOf(annotations['kubernetes.io/ingress.class']);

/** Where an idle limit of an AWS balancer can be written: the annotation, and the number in it. */
function* awsLimits(cluster: Cluster): Generator<{ manifest: Manifest; at: Path; seconds: number; does: string }> {
  for (const ingress of cluster.ingresses.filter((one) => one.hasWebSocket && classOf(one) === 'alb')) {
    const given = wordOf(ingress.annotations[ALB]);
    const seconds = Number(/idle_timeout\.timeout_seconds=(\d+)/.exec(given)?.[1] ?? ALB_SECONDS);
    yield { manifest: ingress.manifest, at: [...ANNOTATIONS, ALB], seconds, does: 'the ALB closes' };
  }
  for (const manifest of cluster.ofKind('Service')) {
    if (!cluster.isReached(manifest.namespace, manifest.name) && !/ingress|gateway/i.test(manifest.name)) continue;
    const annotations = annotationsOf(manifest);
    const classic = annotations[`${AWS}connection-idle-timeout`];
    if (classic !== undefined) {
      yield {
        manifest,
        at: [...ANNOTATIONS, `${AWS}connection-idle-timeout`],
        seconds: Number(classic),
        does: 'the classic balancer closes',
      };
    }
    for (const [key, value] of Object.entries(annotations)) {
      const seconds = key.startsWith(AWS) ? /tcp\.idle_timeout\.seconds=(\d+)/.exec(String(value))?.[1] : undefined;
      if (seconds !== undefined)
        yield { manifest, at: [...ANNOTATIONS, key], seconds: Number(seconds), does: 'the NLB forgets a connection' };
    }
  }
}

function* gke(input: KubeInput): Generator<KubeReport> {
  const { cluster } = input;
  for (const ingress of cluster.ingresses.filter((one) => one.hasWebSocket && isGke(one))) {
    const misplaced = Object.keys(ingress.annotations).find((key) => /backend-config$|timeoutsec$/i.test(key));
    if (misplaced !== undefined) {
      const message = `${misplaced} does nothing on an Ingress: it belongs on the Service`;
      yield { manifest: ingress.manifest, at: [...ANNOTATIONS, misplaced], message };
    }
    if (misplaced !== undefined) continue;
    for (const manifest of webSocketServices(cluster, ingress)) {
      const message = backendConfig(cluster, manifest);
      if (message !== undefined) yield { manifest, at: ANNOTATIONS, message };
    }
  }
}

function isGke(ingress: Ingress): boolean {
  const isNamed = /^gce(?:-internal)?$/.test(classOf(ingress));
  return (
    isNamed ||
    Object.keys(ingress.annotations).some(
      (key) => key.startsWith('networking.gke.io/') || key === 'kubernetes.io/ingress.global-static-ip-name',
    )
  );
}

/** What is wrong with the BackendConfig of a Service; undefined if nothing. */
function backendConfig(cluster: Cluster, service: Manifest): string | undefined {
  const given = annotationsOf(service)['cloud.google.com/backend-config'];
  if (given === undefined) return `${service.name} has no BackendConfig: its WebSockets end after 30 s, busy or not`;
  const names = Array.from(wordOf(given).matchAll(/"([^"]+)"/g), ([, name]) => name);
  const config = cluster
    .ofKind('BackendConfig')
    .find(({ name, namespace }) => namespace === service.namespace && names.includes(name));
  if (!config || numberAt(config.object, ['spec', 'timeoutSec']) !== undefined) return undefined;
  return `the BackendConfig ${config.name} sets no timeoutSec: WebSockets end after 30 s, busy or not`;
}

function* cloudRun({ cluster, numbers }: KubeInput): Generator<KubeReport> {
  for (const manifest of cluster.ofKind('Service')) {
    if (!manifest.apiVersion.startsWith('serving.knative.dev/')) continue;
    const spec: Path = ['spec', 'template', 'spec'];
    const isSticky =
      String(
        recordAt(manifest.object, ['spec', 'template', 'metadata', 'annotations'])[
          'run.googleapis.com/sessionAffinity'
        ],
      ) === 'true';
    if (!isSticky && !cluster.isReached(manifest.namespace, manifest.name)) continue;
    const seconds = numberAt(manifest.object, [...spec, 'timeoutSeconds']) ?? CLOUD_RUN_SECONDS;
    const ageSeconds = (numbers.maxAgeMs ?? Infinity) / 1_000;
    if (ageSeconds === Infinity ? seconds < CLOUD_RUN_SECONDS_MAX : seconds <= ageSeconds) {
      const age = ageSeconds === Infinity ? 'nothing moves the clients before' : `the planned age is ${ageSeconds} s`;
      yield {
        manifest,
        at: [...spec, 'timeoutSeconds'],
        message: `each connection ends after ${seconds} s, busy or not, and ${age}`,
      };
    }
    for (const [i, port] of listAt(manifest.object, [...spec, 'containers', 0, 'ports']).entries()) {
      if (textAt(port, ['name']) !== 'h2c') continue;
      const message = 'HTTP/2 end to end: Cloud Run does not carry WebSockets over it';
      yield { manifest, at: [...spec, 'containers', 0, 'ports', i], message };
    }
  }
}

/** Resources of an ARM template, nested ones too. */
function* armResources(
  cluster: Cluster,
  type: RegExp,
): Generator<{ manifest: Manifest; at: Path; value: Record<string, unknown> }> {
  for (const manifest of cluster.manifests) {
    if (manifest.kind !== '' || !Array.isArray(manifest.object['resources'])) continue;
    for (const [at, value] of walk(manifest.object['resources'], ['resources'])) {
      if (isRecord(value) && typeof value['type'] === 'string' && type.test(value['type']))
        yield { manifest, at, value };
    }
  }
}

function* frontDoor({ cluster }: KubeInput): Generator<KubeReport> {
  for (const { manifest, at, value } of armResources(cluster, /^Microsoft\.Cdn\/profiles\/afdEndpoints\/routes$/i)) {
    if (!isRecord(valueAt(value, ['properties', 'cacheConfiguration']))) continue;
    const patterns = listAt(value, ['properties', 'patternsToMatch']).map(String);
    const pattern = patterns.find((one) => cluster.isWebSocketPath(one.replace(/\/\*$/, '')));
    if (pattern === undefined) continue;
    const message = `${pattern} is cached: Front Door strips Upgrade from its requests`;
    yield { manifest, at: [...at, 'properties', 'cacheConfiguration'], message };
  }
}

function* azureSilence({ cluster }: KubeInput): Generator<KubeReport> {
  const key = 'service.beta.kubernetes.io/azure-load-balancer-disable-tcp-reset';
  for (const manifest of cluster.ofKind('Service')) {
    if (String(annotationsOf(manifest)[key]) !== 'true') continue;
    yield { manifest, at: [...ANNOTATIONS, key], message: 'idle connections vanish without a word: TCP reset is off' };
  }
  for (const { manifest, at, value } of armResources(cluster, /^Microsoft\.Network\/loadBalancers$/i)) {
    for (const [i, rule] of listAt(value, ['properties', 'loadBalancingRules']).entries()) {
      if (valueAt(rule, ['properties', 'enableTcpReset']) === true) continue;
      const name = textAt(rule, ['name']) ?? `rule ${i}`;
      yield {
        manifest,
        at: [...at, 'properties', 'loadBalancingRules', i],
        message: `${name} drops idle connections without a word: enableTcpReset is not set`,
      };
    }
  }
}

const BROKEN_TRAEFIK = /(?:^|\/)traefik:v?(2\.11\.1|3\.0\.0-rc4)(?:$|[-@])/;

function* traefik({ cluster }: KubeInput): Generator<KubeReport> {
  for (const manifest of cluster.manifests) {
    for (const [at, value] of walk(manifest.object)) {
      const version = at.at(-1) === 'image' && typeof value === 'string' ? BROKEN_TRAEFIK.exec(value)?.[1] : undefined;
      if (version !== undefined) yield { manifest, at, message: `Traefik ${version} breaks WebSockets` };
    }
  }
}

export const cloudRules: readonly KubeRule[] = [
  {
    id: 'CLD001',
    name: 'aws-idle',
    severity: 'error',
    title: 'The AWS balancer’s idle limit is below the ping',
    what: 'The idle limit of an ALB, NLB or classic balancer is not above the ping.',
    why: 'An ALB closes after 60 s of silence by default; an NLB forgets after 350 s and says nothing until somebody writes. TCP keepalive does not count for an ALB.',
    fix: 'idle_timeout.timeout_seconds or tcp.idle_timeout.seconds of at least twice the ping, or a shorter ping.',
    source: 'AWS, load balancer attributes.',
    *check({ cluster, numbers: { pingMs, from } }) {
      for (const { manifest, at, seconds, does } of awsLimits(cluster)) {
        if (!(seconds * 1_000 <= pingMs)) continue;
        yield {
          manifest,
          at,
          message: `${does} after ${seconds} s of silence, and ${from} is ${pingMs / 1_000} s`,
        };
      }
    },
  },
  {
    id: 'CLD002',
    name: 'gke-timeoutsec',
    severity: 'error',
    title: 'The GKE balancer ends connections after 30 s',
    what: 'A Service of WebSockets behind a GKE Ingress has no BackendConfig with timeoutSec.',
    why: 'The backend service’s timeout, 30 s by default, is the life of a WebSocket, busy or not.',
    fix: 'A BackendConfig with timeoutSec, named in cloud.google.com/backend-config on the Service.',
    source: 'kubernetes/ingress-gce issues 399, 1803.',
    check: gke,
  },
  {
    id: 'CLD003',
    name: 'cloud-run-lifetime',
    severity: 'error',
    title: 'Cloud Run ends the connection',
    what: 'The request timeout of a Cloud Run service is below the planned age of its connections, or HTTP/2 is used end to end.',
    why: 'A WebSocket is one request: it ends at the timeout, 300 s by default and 3600 s at most, whatever passes over it.',
    fix: 'timeoutSeconds: 3600, and a maximum age below it, so that clients move in order; no h2c.',
    source: 'Cloud Run, using WebSockets.',
    check: cloudRun,
  },
  {
    id: 'CLD004',
    name: 'front-door-cache',
    severity: 'error',
    title: 'Front Door caches the WebSocket route',
    what: 'A route of Azure Front Door that WebSockets match has caching enabled.',
    why: 'With caching the Upgrade header is not passed on, and the handshake fails.',
    fix: 'A route of its own without cacheConfiguration.',
    source: 'Azure Front Door, WebSocket.',
    check: frontDoor,
  },
  {
    id: 'CLD005',
    name: 'azure-silent',
    severity: 'warning',
    title: 'Idle connections vanish silently',
    what: 'An Azure balancer drops idle connections without TCP reset.',
    why: 'After four minutes neither end is told: both keep a dead connection until they write.',
    fix: 'enableTcpReset, and pings on both ends.',
    source: 'Azure Load Balancer, TCP reset.',
    check: azureSilence,
  },
  {
    id: 'TRF001',
    name: 'traefik-version',
    severity: 'error',
    title: 'This Traefik breaks WebSockets',
    what: 'Traefik 2.11.1 or 3.0.0-rc4 is deployed.',
    why: 'A lingering timeout of these versions closes upgraded connections.',
    fix: 'Any later version.',
    source: 'traefik/traefik issues 10589, 10598.',
    check: traefik,
  },
];
