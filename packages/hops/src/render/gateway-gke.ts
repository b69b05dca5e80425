import { type Environment, type Stickiness, formatDuration } from '@holdfast/policy';
import { hopOf, ownLabels, frontService } from './chain.js';
import type { Implementation, RouteGroup } from './gateway-implementation.js';
import { checkOneStickiness, type Notes, unsupported } from './target.js';
import { seconds } from './units.js';
import { noted, type Yaml } from './yaml.js';

const API = 'networking.gke.io/v1';

/** Longest that Google advises for a backend's timeout: a day. */
const TIMEOUT_S_MAX = 86_400;

/** The gateway classes of GKE, which are load balancers of Google Cloud. */
export const gkePolicies: Implementation = {
  kinds: ['gcp-global-alb', 'gcp-regional-alb'],
  hasRouteTimeouts: false,
  sticksBy: ({ by }) => by === 'ip' || by === 'cookie',
  policies: (env, groups, notes) => [backendPolicy(env, groups, notes), healthCheckPolicy(env)],
};

function backendPolicy(env: Environment, groups: readonly RouteGroup[], notes: Notes): Yaml {
  checkOneStickiness('gateway-api', env, 'a GCPBackendPolicy');
  const readMs = Math.max(...groups.map(({ first }) => first.readMs));
  const timeoutSec = seconds(readMs);
  if (timeoutSec > TIMEOUT_S_MAX) {
    throw unsupported(
      'gateway-api',
      `a backend timeout of ${formatDuration(readMs)} on GKE`,
      `it has at most ${TIMEOUT_S_MAX} s: lower read of the routes`,
    );
  }
  const isGlobal = hopOf(env, 'gcp-global-alb') !== undefined;
  notes.add(
    isGlobal
      ? 'a global load balancer ends every WebSocket after 24 h, busy or not: set drain.maxAge below it'
      : 'this load balancer ends a WebSocket when the backend timeout is over, busy or not: set drain.maxAge below it',
  );
  return {
    apiVersion: API,
    kind: 'GCPBackendPolicy',
    metadata: { name: env.service.name, namespace: env.namespace, labels: ownLabels(env, 'gateway-api') },
    spec: {
      default: {
        timeoutSec: noted(
          timeoutSec,
          isGlobal
            ? 'silence of both directions; the default is 30'
            : 'the longest life of a WebSocket; the default is 30',
        ),
        connectionDraining: {
          drainingTimeoutSec: noted(seconds(env.drain.preStopMs + env.drain.deadlineMs), 'preStop and drain'),
        },
        sessionAffinity: affinity(env.stickiness, notes),
      },
      targetRef: { group: '', kind: 'Service', name: frontService(env) },
    },
  };
}

function affinity(stickiness: Stickiness, notes: Notes): Yaml | undefined {
  if (stickiness.by === 'ip') return { type: 'CLIENT_IP' };
  if (stickiness.by !== 'cookie') return undefined;
  notes.add(`the cookie is Google's own, not ${stickiness.cookie.name}, and so are its attributes`);
  const { maxAgeMs } = stickiness.cookie;
  return { type: 'GENERATED_COOKIE', cookieTtlSec: maxAgeMs === undefined ? 0 : seconds(maxAgeMs) };
}

const healthCheckPolicy = (env: Environment): Yaml => ({
  apiVersion: API,
  kind: 'HealthCheckPolicy',
  metadata: { name: env.service.name, namespace: env.namespace, labels: ownLabels(env, 'gateway-api') },
  spec: {
    default: {
      checkIntervalSec: seconds(env.health.intervalMs),
      timeoutSec: Math.min(seconds(env.health.timeoutMs), seconds(env.health.intervalMs)),
      healthyThreshold: env.health.rise ?? 2,
      unhealthyThreshold: env.health.fall ?? 3,
      config: {
        type: 'HTTP',
        httpHealthCheck: { port: env.service.port.targetPort, requestPath: env.health.readyPath },
      },
    },
    targetRef: { group: '', kind: 'Service', name: frontService(env) },
  },
});
