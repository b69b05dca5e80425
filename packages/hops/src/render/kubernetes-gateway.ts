import { formatDuration, type Environment, type Policy } from '@holdfast/policy';
import { frontService, hopOf, optionOf, ownLabels } from './chain.js';
import type { Body, Notes } from './target.js';
import { seconds } from './units.js';
import { noted, type Yaml, yaml } from './yaml.js';

const POLICY_FOLDER = '/etc/holdfast';
/** One gateway is a single point; with two, one can go while the other serves. */
const REPLICAS_MIN = 2;

/** `holdfast gateway` as a Deployment before the Service of the application, with the rights to see its pods. */
export function gatewayFile(env: Environment, policy: Policy, notes: Notes): Body {
  const { discovery } = env.gateway;
  if (discovery.from !== 'kubernetes') {
    notes.add(
      'set `gateway.discovery.kubernetes` to the name of the Service: through a Service alone the gateway cannot tell one pod from another',
    );
  }
  if (optionOf(hopOf(env, 'holdfast-gateway'), 'image') === undefined) {
    notes.add(
      'the hop holdfast-gateway names no image: build one with the command `holdfast` in it, and set `{kind: holdfast-gateway, image: ...}`',
    );
  }
  if (env.gateway.admin === undefined) {
    notes.add(
      'set `gateway.admin`: without it there is nowhere to ask whether the gateway is ready, so it has no probes',
    );
  }
  const variables = variablesOf(policy.text ?? '');
  if (variables.length > 0) {
    notes.add(
      `the policy takes ${variables.join(', ')} from the environment: give them to the container of the gateway too`,
    );
  }
  const rights = discovery.from === 'kubernetes' ? [serviceAccount(env), role(env), roleBinding(env)] : [];
  const parts = [...rights, configMap(env, policy), deployment(env), service(env), disruptionBudget(env)];
  return { path: `${frontService(env)}.yaml`, text: yaml(...parts) };
}

const variablesOf = (text: string): string[] => [
  ...new Set(Array.from(text.matchAll(/\$\{([A-Z_][A-Z0-9_]*)\}/gi), ([, name = '']) => name)),
];

const selector = (env: Environment): { readonly [label: string]: string } => ({
  'app.kubernetes.io/name': frontService(env),
});

const metadata = (env: Environment, name = frontService(env)): Yaml => ({
  name,
  namespace: env.namespace,
  labels: { ...selector(env), ...ownLabels(env, 'kubernetes') },
});

const serviceAccount = (env: Environment): Yaml => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: metadata(env),
});

/** Where the pods are that the gateway watches. */
const watched = ({ gateway: { discovery }, namespace }: Environment): string =>
  discovery.from === 'kubernetes' ? discovery.namespace : namespace;

const role = (env: Environment): Yaml => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'Role',
  metadata: { name: frontService(env), namespace: watched(env), labels: ownLabels(env, 'kubernetes') },
  rules: noted(
    [{ apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['get', 'list', 'watch'] }],
    'It sees which pods there are and which of them are going. It may change nothing.',
  ),
});

const roleBinding = (env: Environment): Yaml => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'RoleBinding',
  metadata: { name: frontService(env), namespace: watched(env), labels: ownLabels(env, 'kubernetes') },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: frontService(env) },
  subjects: [{ kind: 'ServiceAccount', name: frontService(env), namespace: env.namespace }],
});

const configMap = (env: Environment, policy: Policy): Yaml => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: metadata(env),
  data: { 'holdfast.yaml': policy.text ?? '' },
});

const listenPort = ({ gateway }: Environment): number => gateway.listen[0]?.port ?? 8_080;

function deployment(env: Environment): Yaml {
  const { drain, rollout, gateway } = env;
  const admin = gateway.admin?.port;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadata(env),
    spec: {
      replicas: noted(Math.max(REPLICAS_MIN, rollout.replicas), 'while one goes, the others take its clients'),
      selector: { matchLabels: selector(env) },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels: selector(env) },
        spec: {
          serviceAccountName: gateway.discovery.from === 'kubernetes' ? frontService(env) : undefined,
          terminationGracePeriodSeconds: noted(
            seconds(drain.graceMs),
            `holds preStop ${formatDuration(drain.preStopMs)} and drain ${formatDuration(drain.deadlineMs)}`,
          ),
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            {
              name: 'gateway',
              image: optionOf(hopOf(env, 'holdfast-gateway'), 'image'),
              args: ['gateway', '-f', `${POLICY_FOLDER}/holdfast.yaml`, '--env', env.name, '--json'],
              ports: [
                { name: 'http', containerPort: listenPort(env) },
                ...(admin === undefined ? [] : [{ name: 'admin', containerPort: admin }]),
              ],
              ...(admin !== undefined && probes(env)),
              lifecycle: {
                preStop: noted(
                  { sleep: { seconds: Math.max(1, seconds(drain.preStopMs)) } },
                  'balancers take it out of their lists first; needs Kubernetes 1.30',
                ),
              },
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
              volumeMounts: [{ name: 'policy', mountPath: POLICY_FOLDER, readOnly: true }],
            },
          ],
          volumes: [{ name: 'policy', configMap: { name: frontService(env) } }],
        },
      },
    },
  };
}

const probes = ({ health }: Environment): { readonly [member: string]: Yaml } => {
  const times = { periodSeconds: seconds(health.intervalMs), timeoutSeconds: seconds(health.timeoutMs) };
  return {
    readinessProbe: { httpGet: { path: '/readyz', port: 'admin' }, ...times, failureThreshold: 2 },
    livenessProbe: { httpGet: { path: '/healthz', port: 'admin' }, ...times, failureThreshold: 6 },
  };
};

const service = (env: Environment): Yaml => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: metadata(env),
  spec: {
    selector: selector(env),
    // The ports of the application's Service, so that whoever is in front changes a name and nothing else.
    ports: env.service.ports
      .filter(({ name }) => name === env.service.port.name || env.routes.some((route) => route.port.name === name))
      .map(({ name, port }) => ({ name, port, targetPort: 'http', protocol: 'TCP' })),
  },
});

const disruptionBudget = (env: Environment): Yaml => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: metadata(env),
  spec: { maxUnavailable: 1, selector: { matchLabels: selector(env) } },
});
