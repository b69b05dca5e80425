import type { Cluster, Ingress } from '../../kube/cluster.js';
import { groupBy } from '../memo.js';
import { durationMs, numberAt, recordAt, textAt } from '../../kube/values.js';
import {
  annotation,
  controllerConfigMaps,
  onAnnotation,
  webSocketIngresses,
  ofIngressNginx,
  type KubeReport,
  type KubeRule,
} from './kube-rule.js';

const READ = 'proxy-read-timeout';
/** Time that the controller needs around its drain (seconds of its default grace period that are not for workers). */
const CONNECT_SECONDS_MAX = 75;
const CONTROLLER_GRACE_SECONDS = 300;

const hostsOf = ({ paths }: Ingress): Set<string> => new Set(paths.map(({ host }) => host));

/** Ingresses of one host that differ in what the WebSocket path needs. */
function* strayed(cluster: Cluster): Generator<KubeReport> {
  const all = ofIngressNginx(cluster);
  const byHost = groupBy(
    all.flatMap((ingress) => Array.from(hostsOf(ingress), (host) => ({ host, ingress }))),
    ({ host }) => host,
  );
  for (const ingress of all.filter(({ hasWebSocket }) => hasWebSocket)) {
    const siblings = Array.from(hostsOf(ingress), (host) => byHost.get(host) ?? [])
      .flat()
      .map((other) => other.ingress)
      .filter((other) => other !== ingress);
    const path = ingress.paths.find(({ isWebSocket }) => isWebSocket);
    if (!path) continue;
    for (const name of [READ, 'affinity'] as const) {
      const has = siblings.find((sibling) => annotation(sibling, name) !== undefined);
      if (!has || annotation(ingress, name) !== undefined) continue;
      const message = `${name} is set on ${has.manifest.name}, but ${path.path} belongs to ${ingress.manifest.name}, which it does not reach`;
      yield { manifest: ingress.manifest, at: path.at, message };
    }
  }
}

export const ingressTimeouts: readonly KubeRule[] = [
  {
    id: 'ING006',
    name: 'wrong-path',
    severity: 'error',
    title: 'The annotation is on another Ingress',
    what: 'A host has several Ingresses, and the timeout or the affinity is on one that does not hold the WebSocket path.',
    why: 'Annotations belong to the paths of their own Ingress object, not to the host.',
    fix: 'Put the annotation on the Ingress with the WebSocket path, or the path on the one with the annotation.',
    source: 'ingress-nginx, annotations and session affinity.',
    check: ({ cluster }) => strayed(cluster),
  },
  {
    id: 'ING019',
    name: 'connect-timeout',
    severity: 'warning',
    title: 'The connect timeout cannot be that long',
    what: 'proxy-connect-timeout is above 75 seconds.',
    why: 'The kernel gives up before; until then a client waits for a pod that is not there, instead of the next one.',
    fix: 'Between 5 and 10 seconds.',
    source: 'nginx, proxy_connect_timeout.',
    *check({ cluster }) {
      for (const ingress of webSocketIngresses(cluster)) {
        const value = annotation(ingress, 'proxy-connect-timeout');
        if (value === undefined || !/^\s*\d+\s*$/.test(value) || Number(value) <= CONNECT_SECONDS_MAX) continue;
        yield onAnnotation(
          ingress,
          'proxy-connect-timeout',
          `${value} s to connect is more than the ${CONNECT_SECONDS_MAX} s that are possible`,
        );
      }
    },
  },
  {
    id: 'ING020',
    name: 'worker-shutdown-vs-grace',
    severity: 'warning',
    title: 'Workers outlive the grace period',
    what: 'worker-shutdown-timeout of the controller is not below its grace period.',
    why: 'SIGKILL then comes before the old workers have closed their connections: all WebSockets are cut at once.',
    fix: 'Keep it below terminationGracePeriodSeconds minus preStop; the defaults are 240 s and 300 s.',
    source: 'ConfigMap and chart of kubernetes/ingress-nginx.',
    *check({ cluster }) {
      for (const manifest of controllerConfigMaps(cluster)) {
        const value = recordAt(manifest.object, ['data'])['worker-shutdown-timeout'];
        const shutdownMs = durationMs(value);
        const graceSeconds = controllerGrace(cluster);
        if (shutdownMs === undefined || shutdownMs < graceSeconds * 1_000) continue;
        const message = `workers may take ${String(value)}, but the controller is killed after ${graceSeconds} s`;
        yield { manifest, at: ['data', 'worker-shutdown-timeout'], message };
      }
    },
  },
];

/** Grace period of the controller less its preStop sleep; its chart's default where its workload is not in the input. */
function controllerGrace(cluster: Cluster): number {
  const workloads = [...cluster.ofKind('Deployment'), ...cluster.ofKind('DaemonSet')];
  const controller = workloads.find(({ object }) => {
    const labels = recordAt(object, ['spec', 'template', 'metadata', 'labels']);
    return (
      labels['app.kubernetes.io/name'] === 'ingress-nginx' ||
      /ingress-nginx.*controller/.test(textAt(object, ['metadata', 'name']) ?? '')
    );
  });
  if (!controller) return CONTROLLER_GRACE_SECONDS;
  const pod = ['spec', 'template', 'spec'];
  const grace = numberAt(controller.object, [...pod, 'terminationGracePeriodSeconds']) ?? 30;
  const sleep = numberAt(controller.object, [...pod, 'containers', 0, 'lifecycle', 'preStop', 'sleep', 'seconds']) ?? 0;
  return grace - sleep;
}
