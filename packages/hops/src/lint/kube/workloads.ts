import { type Cluster, podSpecOf } from '../../kube/cluster.js';
import type { Manifest, Path } from '../../kube/manifest.js';
import { Selectors } from '../../kube/selectors.js';
import { durationMs, listAt, numberAt, recordAt, textAt, valueAt, wordOf } from '../../kube/values.js';
import { memo } from '../memo.js';
import type { KubeInput, KubeReport, KubeRule } from './kube-rule.js';

const POD: Path = ['spec', 'template', 'spec'];
/** Kubernetes' own defaults. */
const GRACE_SECONDS = 30;
const PROGRESS_SECONDS = 600;
/** What a pod needs to flush and exit after the last close. */
const FLUSH_SECONDS = 5;
/** A drain that Istio's sidecar does not wait for by itself. */
const SIDECAR_DRAIN_SECONDS = 5;

const containersOf = (workload: Manifest): readonly unknown[] => listAt(podSpecOf(workload), ['containers']);

/** Seconds that the longest preStop of the pod takes, as far as they can be read. */
function preStopSeconds(workload: Manifest): number {
  const all = containersOf(workload).map((container) => {
    const hook = recordAt(container, ['lifecycle', 'preStop']);
    const native = numberAt(hook, ['sleep', 'seconds']);
    const command = listAt(hook, ['exec', 'command']).join(' ');
    return native ?? Number(/\bsleep\s+(\d+)/.exec(command)?.[1] ?? 0);
  });
  return Math.max(0, ...all);
}

const graceOf = (workload: Manifest): number =>
  numberAt(podSpecOf(workload), ['terminationGracePeriodSeconds']) ?? GRACE_SECONDS;

const replicasOf = (workload: Manifest): number => numberAt(workload.object, ['spec', 'replicas']) ?? 1;

const autoscalers = memo((cluster: Cluster) => {
  const keyed = cluster.ofKind('HorizontalPodAutoscaler').map((one) => {
    const { kind, name } = recordAt(one.object, ['spec', 'scaleTargetRef']);
    return [`${one.namespace}/${wordOf(kind)}/${wordOf(name)}`, one] as const;
  });
  // The first of several, as everywhere.
  return new Map(keyed.reverse());
});

/** The autoscaler of a workload. */
const autoscalerOf = ({ cluster }: KubeInput, { namespace, kind, name }: Manifest): Manifest | undefined =>
  autoscalers(cluster).get(`${namespace}/${kind}/${name}`);

const budgets = memo(
  (cluster: Cluster) =>
    new Selectors(cluster.ofKind('PodDisruptionBudget'), ({ object }) =>
      recordAt(object, ['spec', 'selector', 'matchLabels']),
    ),
);

/** How many pods there may be. */
const mostReplicas = (input: KubeInput, workload: Manifest): number =>
  Math.max(replicasOf(workload), numberAt(autoscalerOf(input, workload)?.object, ['spec', 'maxReplicas']) ?? 0);

function* onWorkloads(
  input: KubeInput,
  judge: (workload: Manifest) => Omit<KubeReport, 'manifest'> | undefined,
): Generator<KubeReport> {
  for (const manifest of input.cluster.workloads) {
    const found = judge(manifest);
    if (found) yield { manifest, ...found };
  }
}

/** What a probe asks, as one text to compare. */
const probeOf = (container: unknown, name: string): string | undefined => {
  const { httpGet, tcpSocket, exec, grpc } = recordAt(container, [name]);
  const asks = httpGet ?? tcpSocket ?? exec ?? grpc;
  return asks === undefined ? undefined : JSON.stringify(asks);
};

const ANY_DEPENDENCY = /\b(?:db|database|redis|deps|dependencies|ready|readyz|readiness)\b/i;

export const workloadRules: readonly KubeRule[] = [
  {
    id: 'K8S001',
    name: 'no-prestop',
    severity: 'warning',
    title: 'No preStop',
    what: 'A workload that carries WebSockets has no preStop hook.',
    why: 'SIGTERM and the removal of the endpoint race: for some seconds new connections still go to a pod that is stopping.',
    fix: 'lifecycle.preStop.sleep.seconds: 5 to 15 (Kubernetes 1.30; no shell is needed).',
    source: 'Kubernetes, termination of pods.',
    check: (input) =>
      onWorkloads(input, (workload) => {
        const i = containersOf(workload).findIndex((one) => valueAt(one, ['lifecycle', 'preStop']) !== undefined);
        if (i >= 0 || containersOf(workload).length === 0) return undefined;
        return {
          at: [...POD, 'containers', 0],
          message: 'no container has a preStop hook: SIGTERM comes before the endpoint is gone',
        };
      }),
  },
  {
    id: 'K8S002',
    name: 'grace-budget',
    severity: 'error',
    title: 'The grace period is too short',
    what: 'preStop, drain and flush take as long as terminationGracePeriodSeconds, or longer.',
    why: 'The time of preStop lies inside the grace period; at its end comes SIGKILL, and every client sees 1006.',
    fix: 'Raise terminationGracePeriodSeconds above preStop + drain + 5 s.',
    source: 'Kubernetes, termination of pods.',
    check: (input) =>
      onWorkloads(input, (workload) => {
        const preStop = preStopSeconds(workload);
        const drain = (input.numbers.drainMs ?? 0) / 1_000;
        const grace = graceOf(workload);
        if (preStop + drain === 0 || preStop + drain + FLUSH_SECONDS < grace) return undefined;
        const isSet = numberAt(podSpecOf(workload), ['terminationGracePeriodSeconds']) !== undefined;
        const need = `${preStop} s preStop + ${drain} s drain + ${FLUSH_SECONDS} s flush`;
        const message = `${need} do not fit into ${isSet ? '' : 'the default of '}${grace} s of grace`;
        return { at: [...POD, 'terminationGracePeriodSeconds'], message };
      }),
  },
  {
    id: 'K8S003',
    name: 'rollout-surge',
    severity: 'warning',
    title: 'A rollout takes several pods at once',
    what: 'The rollout may take more than one pod away before its replacement is ready.',
    why: 'All their clients reconnect at the same moment, to fewer pods.',
    fix: 'maxUnavailable: 0, maxSurge: 1, and minReadySeconds.',
    source: 'Kubernetes, rolling update.',
    check: (input) =>
      onWorkloads(input, (workload) => {
        if (workload.kind !== 'Deployment') return undefined;
        const at: Path = ['spec', 'strategy'];
        if (textAt(workload.object, [...at, 'type']) === 'Recreate')
          return { at: [...at, 'type'], message: 'Recreate ends all pods, and with them all connections, at once' };
        const given = valueAt(workload.object, [...at, 'rollingUpdate', 'maxUnavailable']);
        const most = mostReplicas(input, workload);
        const gone = countOf(given ?? '25%', most);
        if (gone <= 1 || most < 2) return undefined;
        const isSet = given === undefined ? 'by default' : 'by maxUnavailable';
        return {
          at: [...at, 'rollingUpdate', 'maxUnavailable'],
          message: `${gone} of ${most} pods may go at once ${isSet}`,
        };
      }),
  },
  {
    id: 'K8S004',
    name: 'no-pdb',
    severity: 'warning',
    title: 'No usable disruption budget',
    what: 'A workload with several pods has no PodDisruptionBudget, or one that allows nothing.',
    why: 'Without one a node drain may take all pods; one with minAvailable at the number of pods blocks every drain until somebody forces it.',
    fix: 'A PodDisruptionBudget with maxUnavailable: 1.',
    source: 'Kubernetes, disruptions.',
    check: (input) => onWorkloads(input, (workload) => disruption(input, workload)),
  },
  {
    id: 'K8S005',
    name: 'autoscaler-scale-down',
    severity: 'warning',
    title: 'The autoscaler scales down fast, or by CPU',
    what: 'The autoscaler of a workload that carries WebSockets has no slow scaleDown policy.',
    why: 'Idle connections cost no CPU: a quiet minute removes pods and cuts the connections they hold.',
    fix: 'behavior.scaleDown with stabilizationWindowSeconds of 600 and one pod per period; better a metric that counts connections.',
    source: 'Kubernetes, horizontal pod autoscaling.',
    *check(input) {
      for (const workload of input.cluster.workloads) {
        const manifest = autoscalerOf(input, workload);
        if (!manifest) continue;
        const down = recordAt(manifest.object, ['spec', 'behavior', 'scaleDown']);
        const window = numberAt(down, ['stabilizationWindowSeconds']) ?? 300;
        const hasPolicy = listAt(down, ['policies']).length > 0 || down['selectPolicy'] === 'Disabled';
        if (hasPolicy && (window >= 600 || down['selectPolicy'] === 'Disabled')) continue;
        const lacks = hasPolicy
          ? `looks back ${window} s only`
          : 'has no scaleDown policy: all surplus pods may go at once';
        yield {
          manifest,
          at: ['spec', 'behavior', 'scaleDown'],
          message: `the autoscaler of ${workload.name} ${lacks}`,
        };
      }
    },
  },
  {
    id: 'K8S006',
    name: 'liveness-on-load',
    severity: 'warning',
    title: 'Liveness fails with readiness',
    what: 'The liveness probe asks what the readiness probe asks.',
    why: 'A pod that drains, or waits for its database, is then restarted: the connections that it could have kept are lost.',
    fix: 'Give liveness a path that fails only when a restart is the remedy.',
    source: 'Kubernetes, probes.',
    check: (input) =>
      onWorkloads(input, (workload) => {
        for (const [i, container] of containersOf(workload).entries()) {
          const live = probeOf(container, 'livenessProbe');
          if (live === undefined) continue;
          const path = textAt(container, ['livenessProbe', 'httpGet', 'path']) ?? '';
          const isSame = live === probeOf(container, 'readinessProbe');
          if (!isSame && !ANY_DEPENDENCY.test(path)) continue;
          const message = isSame
            ? 'liveness asks the same as readiness'
            : `liveness asks ${path}, which looks like readiness`;
          return { at: [...POD, 'containers', i, 'livenessProbe'], message };
        }
        return undefined;
      }),
  },
  {
    id: 'K8S007',
    name: 'readiness-flips',
    severity: 'info',
    title: 'Readiness fails at once',
    what: 'The readiness probe of a workload that carries WebSockets gives up after one failure.',
    why: 'One slow answer takes the pod out of the Service: open connections stay, but every reconnect goes elsewhere.',
    fix: 'failureThreshold of 2 or 3; let readiness tell of load only if new clients should really stay away.',
    source: 'Kubernetes, probes.',
    check: (input) =>
      onWorkloads(input, (workload) => {
        const i = containersOf(workload).findIndex(
          (one) => numberAt(one, ['readinessProbe', 'failureThreshold']) === 1,
        );
        if (i < 0) return undefined;
        const at = [...POD, 'containers', i, 'readinessProbe', 'failureThreshold'];
        return { at, message: 'one failed probe takes the pod out of the Service' };
      }),
  },
  {
    id: 'K8S010',
    name: 'affinity-not-durable',
    severity: 'warning',
    title: 'Affinity stands in for session storage',
    what: 'A workload keeps state of its sessions and relies on affinity to find it again.',
    why: 'Affinity ends with the pod: after a rollout or a crash the session is gone, cookie or not.',
    fix: 'Keep sessions in a store that outlives the pod, and resume by token; affinity is then only a matter of speed.',
    source: 'kube-proxy; ingress-nginx, session affinity.',
    *check({ cluster }) {
      for (const manifest of cluster.workloads) {
        for (const [i, container] of containersOf(manifest).entries()) {
          const found = listAt(container, ['env']).findIndex((one) => {
            const name = textAt(one, ['name']) ?? '';
            return (
              /SESSION_(?:STORE|STORAGE|BACKEND)/i.test(name) &&
              /^(?:(?:in[-_]?)?memory|local)$/i.test(textAt(one, ['value']) ?? '')
            );
          });
          if (found < 0) continue;
          const at = [...POD, 'containers', i, 'env', found];
          yield { manifest, at, message: 'sessions are kept in the memory of a pod: affinity cannot bring them back' };
        }
      }
    },
  },
  {
    id: 'K8S011',
    name: 'progress-deadline',
    severity: 'warning',
    title: 'The rollout is given up before it can end',
    what: 'progressDeadlineSeconds is below what one pod after the other needs for its drain.',
    why: 'The rollout is marked as failed, and pipelines roll back what works.',
    fix: 'Raise it above pods x (grace + minReadySeconds).',
    source: 'Kubernetes, Deployment status.',
    check: (input) =>
      onWorkloads(input, (workload) => {
        if (workload.kind !== 'Deployment') return undefined;
        const deadline = numberAt(workload.object, ['spec', 'progressDeadlineSeconds']) ?? PROGRESS_SECONDS;
        const pods = mostReplicas(input, workload);
        const each = graceOf(workload) + (numberAt(workload.object, ['spec', 'minReadySeconds']) ?? 0);
        if (pods * each <= deadline) return undefined;
        const message = `${pods} pods x ${each} s take longer than the ${deadline} s of progressDeadlineSeconds`;
        return { at: ['spec', 'progressDeadlineSeconds'], message };
      }),
  },
  {
    id: 'K8S012',
    name: 'istio-drain',
    severity: 'error',
    title: 'The sidecar goes first',
    what: 'A workload with Istio’s sidecar drains longer than the sidecar lives.',
    why: 'The proxy exits after terminationDrainDuration, 5 s by default, and takes every connection with it.',
    fix: 'proxy.istio.io/config: terminationDrainDuration of at least preStop and drain together.',
    source: 'istio/istio, ProxyConfig.',
    check: (input) => onWorkloads(input, (workload) => sidecar(input, workload)),
  },
];

function countOf(value: unknown, of: number): number {
  if (typeof value === 'number') return value;
  const percent = /^(\d+)%$/.exec(String(value))?.[1];
  // Kubernetes rounds what may be unavailable down.
  return percent === undefined ? Number(value) || 0 : Math.floor((Number(percent) / 100) * of);
}

function disruption(input: KubeInput, workload: Manifest): Omit<KubeReport, 'manifest'> | undefined {
  const pods = replicasOf(workload);
  const least = Math.max(pods, numberAt(autoscalerOf(input, workload)?.object, ['spec', 'minReplicas']) ?? 0);
  if (least < 2) return undefined;
  const labels = recordAt(workload.object, ['spec', 'template', 'metadata', 'labels']);
  const budget = budgets(input.cluster).find(workload.namespace, labels);
  const at: Path = ['spec', 'replicas'];
  if (!budget) return { at, message: `${least} pods and no PodDisruptionBudget: a node drain may take them all` };
  const kept = valueAt(budget.object, ['spec', 'minAvailable']);
  const gone = valueAt(budget.object, ['spec', 'maxUnavailable']);
  const isBlocked = gone === 0 || gone === '0%' || kept === '100%' || (typeof kept === 'number' && kept >= least);
  return isBlocked ? { at, message: `${budget.name} allows no pod to go: node drains are blocked` } : undefined;
}

function sidecar(input: KubeInput, workload: Manifest): Omit<KubeReport, 'manifest'> | undefined {
  const meta: Path = ['spec', 'template', 'metadata'];
  const annotations = recordAt(workload.object, [...meta, 'annotations']);
  const labels = recordAt(workload.object, [...meta, 'labels']);
  const mesh = [annotations['sidecar.istio.io/inject'], labels['sidecar.istio.io/inject']].map(String);
  const config = textAt(annotations, ['proxy.istio.io/config']);
  const isInMesh = mesh.includes('true') || config !== undefined || isMeshNamespace(input, workload);
  if (!isInMesh || mesh.includes('false')) return undefined;
  const given = /terminationDrainDuration["']?\s*:\s*["']?([\w.]+)/.exec(config ?? '')?.[1];
  const seconds = (durationMs(given) ?? SIDECAR_DRAIN_SECONDS * 1_000) / 1_000;
  const drain = preStopSeconds(workload) + (input.numbers.drainMs ?? 0) / 1_000;
  if (seconds >= drain) return undefined;
  const at: Path = [...meta, 'annotations', 'proxy.istio.io/config'];
  return { at, message: `the sidecar ends after ${seconds} s, the pod drains for ${drain} s` };
}

const isMeshNamespace = ({ cluster }: KubeInput, { namespace }: Manifest): boolean =>
  cluster.ofKind('Namespace').some(({ name, object }) => {
    const labels = recordAt(object, ['metadata', 'labels']);
    return name === namespace && (labels['istio-injection'] === 'enabled' || labels['istio.io/rev'] !== undefined);
  });
