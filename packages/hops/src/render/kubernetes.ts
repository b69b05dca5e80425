import { type Environment, type ServicePort, formatDuration } from '@holdfast/policy';
import { hopOf, ownLabels } from './chain.js';
import { gatewayFile } from './kubernetes-gateway.js';
import { type Notes, type Target, unsupported } from './target.js';
import { seconds } from './units.js';
import { noted, type Yaml, yaml } from './yaml.js';

/** Hops that only stand before pods of Kubernetes. */
const IN_KUBERNETES = [
  'ingress-nginx',
  'nginx-ingress',
  'nginx-gateway-fabric',
  'envoy-gateway',
  'gateway-api',
  'istio',
  'kube-proxy',
];

/** Bounds that the API server sets on an autoscaler. */
const STABILIZATION_S_MAX = 3600;
const PERIOD_S_MAX = 1800;

/** Longest that Kubernetes keeps a client with its pod. */
const CLIENT_IP_S_MAX = 86_400;

/** A pod that hangs is restarted after this many failed checks; restarting drops what it holds, so not at the first. */
const LIVENESS_FAILURES = 6;

export const kubernetes: Target = {
  summary: 'Deployment, Service, disruption budget and autoscaler',
  fits: (env) => hopOf(env, ...IN_KUBERNETES) !== undefined || env.gateway.discovery.from === 'kubernetes',
  render(env, notes, policy) {
    const { autoscale } = env.rollout;
    const parts = [deployment(env, notes), service(env), disruptionBudget(env)];
    if (autoscale) parts.push(autoscaler(env, autoscale));
    const own = { path: `${env.service.name}.yaml`, text: yaml(...parts) };
    return hopOf(env, 'holdfast-gateway') ? [own, gatewayFile(env, policy, notes)] : [own];
  },
};

const selector = (env: Environment): { readonly [label: string]: string } => ({
  'app.kubernetes.io/name': env.service.name,
});

const metadata = (env: Environment): Yaml => ({
  name: env.service.name,
  namespace: env.namespace,
  labels: { ...selector(env), ...ownLabels(env, 'kubernetes') },
});

function deployment(env: Environment, notes: Notes): Yaml {
  const { rollout, drain, service: given } = env;
  if (given.image === undefined) {
    notes.add(
      'the policy names no image: apply the Deployment server-side onto one that has it, with a container of the same name, or set service.image',
    );
  }
  const pods = rollout.autoscale?.max ?? rollout.replicas;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadata(env),
    spec: {
      replicas: rollout.autoscale ? undefined : rollout.replicas,
      selector: { matchLabels: selector(env) },
      minReadySeconds: seconds(rollout.minReadyMs),
      progressDeadlineSeconds: noted(
        Math.max(600, pods * (seconds(drain.graceMs) + seconds(rollout.minReadyMs)) + 60),
        'every pod one after another, each with its whole grace period',
      ),
      strategy: noted(
        {
          type: 'RollingUpdate',
          rollingUpdate: { maxSurge: rollout.maxSurge, maxUnavailable: rollout.maxUnavailable },
        },
        'A new pod is there before an old one goes: its clients need somewhere to go.',
      ),
      template: {
        metadata: { labels: selector(env), annotations: podAnnotations(env) },
        spec: {
          terminationGracePeriodSeconds: noted(
            seconds(drain.graceMs),
            `holds preStop ${formatDuration(drain.preStopMs)}, drain ${formatDuration(drain.deadlineMs)} and the last closes; then SIGKILL`,
          ),
          containers: [container(env)],
        },
      },
    },
  };
}

/** The sidecar must not go before the application has drained. */
function podAnnotations(env: Environment): Yaml | undefined {
  if (!hopOf(env, 'istio')) return undefined;
  const drainS = seconds(env.drain.preStopMs + env.drain.deadlineMs);
  return {
    'proxy.istio.io/config': noted(
      `terminationDrainDuration: ${drainS}s`,
      'preStop and drain; the default of 5s ends the proxy first, and every socket with it',
    ),
  };
}

function container(env: Environment): Yaml {
  const { service: given, drain } = env;
  return {
    name: given.name,
    image: given.image,
    ports: given.ports.map(({ name, targetPort }) => ({ name, containerPort: targetPort })),
    resources: resources(env),
    readinessProbe: {
      httpGet: { path: env.health.readyPath, port: given.port.name },
      ...probeTimes(env),
      failureThreshold: noted(2, 'fails while draining, and keeps new connections away'),
    },
    livenessProbe: {
      httpGet: { path: env.health.livePath, port: given.port.name },
      ...probeTimes(env),
      failureThreshold: noted(LIVENESS_FAILURES, 'restarting drops every socket: not for load, and not while draining'),
    },
    lifecycle:
      drain.preStopMs === 0
        ? undefined
        : {
            preStop: noted(
              { sleep: { seconds: seconds(drain.preStopMs) } },
              'SIGTERM comes after this, when balancers have noticed that the pod goes. Needs Kubernetes 1.30; no shell in the image.',
            ),
          },
  };
}

const probeTimes = (env: Environment): { readonly [member: string]: Yaml } => ({
  periodSeconds: seconds(env.health.intervalMs),
  timeoutSeconds: seconds(env.health.timeoutMs),
});

function resources(env: Environment): Yaml | undefined {
  const { cpu, memory, cpuLimit, memoryLimit } = env.resources;
  const requests = cpu === undefined && memory === undefined ? undefined : { cpu, memory };
  const limits =
    cpuLimit === undefined && memoryLimit === undefined ? undefined : { cpu: cpuLimit, memory: memoryLimit };
  return requests || limits ? { requests, limits } : undefined;
}

function service(env: Environment): Yaml {
  const { ports, clientIpMs } = env.service;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata(env),
    spec: {
      type: 'ClusterIP',
      selector: selector(env),
      ports: ports.map((port) => servicePort(env, port)),
      ...clientIp(clientIpMs),
    },
  };
}

/** Tells a gateway that the port takes WebSockets, so that it speaks HTTP/1.1 to it. */
function servicePort(env: Environment, { name, port, targetPort, protocol }: ServicePort): Yaml {
  const isGateway = hopOf(env, 'gateway-api', 'envoy-gateway', 'nginx-gateway-fabric') !== undefined;
  const appProtocol = {
    http: isGateway ? 'kubernetes.io/ws' : 'http',
    grpc: isGateway ? 'kubernetes.io/h2c' : 'grpc',
    tcp: 'tcp',
  };
  return { name, port, targetPort, protocol: 'TCP', appProtocol: appProtocol[protocol] };
}

function clientIp(clientIpMs: number | undefined): { readonly [member: string]: Yaml } {
  if (clientIpMs === undefined) return { sessionAffinity: 'None' };
  const timeoutSeconds = seconds(clientIpMs);
  if (timeoutSeconds > CLIENT_IP_S_MAX) {
    throw unsupported(
      'kubernetes',
      `ClientIP affinity of ${timeoutSeconds} s`,
      `a Service has at most ${CLIENT_IP_S_MAX}`,
    );
  }
  return {
    sessionAffinity: noted('ClientIP', 'without effect behind an ingress that dials pods itself'),
    sessionAffinityConfig: {
      clientIP: { timeoutSeconds: noted(timeoutSeconds, 'since the last new connection, not since the last byte') },
    },
  };
}

const disruptionBudget = (env: Environment): Yaml => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: metadata(env),
  spec: {
    maxUnavailable: noted(env.rollout.maxDisrupted, 'so many pods may be drained at once when nodes are'),
    selector: { matchLabels: selector(env) },
  },
});

function autoscaler(env: Environment, scale: NonNullable<Environment['rollout']['autoscale']>): Yaml {
  const stabilizationS = seconds(scale.stabilizationMs);
  const periodS = seconds(scale.scaleDownMs);
  if (stabilizationS > STABILIZATION_S_MAX || periodS > PERIOD_S_MAX) {
    throw unsupported(
      'kubernetes',
      `an autoscaler that waits ${stabilizationS} s and takes one pod each ${periodS} s`,
      `its limits are ${STABILIZATION_S_MAX} and ${PERIOD_S_MAX}`,
    );
  }
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: metadata(env),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: env.service.name },
      minReplicas: scale.min,
      maxReplicas: scale.max,
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: scale.cpuPercent } },
        },
      ],
      behavior: noted(
        {
          scaleDown: {
            stabilizationWindowSeconds: noted(stabilizationS, formatDuration(scale.stabilizationMs)),
            policies: [{ type: 'Pods', value: 1, periodSeconds: periodS }],
          },
        },
        'Idle sockets take no CPU: down slowly, one pod at a time, or a quiet hour closes them all.',
      ),
    },
  };
}
