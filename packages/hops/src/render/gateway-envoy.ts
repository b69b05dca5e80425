import { type CookiePolicy, type Environment, type Stickiness, formatDuration } from '@holdfast/policy';
import { connectionsInAll, ownLabels, proxiesBefore } from './chain.js';
import { gatewayName, type Implementation, type RouteGroup } from './gateway-implementation.js';
import { capital } from './own-proxy.js';
import { gatewayDuration } from './units.js';
import { noted, type Yaml } from './yaml.js';

const API = 'gateway.envoyproxy.io/v1alpha1';
const GATEWAY_API = 'gateway.networking.k8s.io';

/** Envoy Gateway 1.5 and later. */
export const envoyGatewayPolicies: Implementation = {
  kinds: ['envoy-gateway'],
  hasRouteTimeouts: true,
  sticksBy: ({ by }) => by !== 'session',
  policies(env, groups, notes) {
    const proxies = proxiesBefore(env, 'envoy-gateway').length;
    notes.add('no requestBuffer on these routes: an upgrade that is buffered never happens');
    return [clientPolicy(env, groups, proxies), ...groups.map((group) => backendPolicy(env, group))];
  },
};

function clientPolicy(env: Environment, groups: readonly RouteGroup[], proxies: number): Yaml {
  const idleMs = Math.max(...groups.map(({ first }) => first.readMs));
  return {
    apiVersion: API,
    kind: 'ClientTrafficPolicy',
    metadata: { name: env.service.name, namespace: env.namespace, labels: ownLabels(env, 'gateway-api') },
    spec: {
      targetRefs: [{ group: GATEWAY_API, kind: 'Gateway', name: gatewayName(env) }],
      clientIPDetection:
        proxies > 0
          ? { xForwardedFor: { numTrustedHops: noted(proxies, 'proxies in front, each of which adds an address') } }
          : undefined,
      timeout: {
        http: {
          streamIdleTimeout: noted(
            gatewayDuration(idleMs),
            `silence of both directions; the default of 5m ends a quiet WebSocket`,
          ),
        },
      },
    },
  };
}

function backendPolicy(env: Environment, { name, first, kind }: RouteGroup): Yaml {
  const connections = connectionsInAll(env);
  return {
    apiVersion: API,
    kind: 'BackendTrafficPolicy',
    metadata: { name, namespace: env.namespace, labels: ownLabels(env, 'gateway-api') },
    spec: {
      targetRefs: [{ group: GATEWAY_API, kind: 'HTTPRoute', name }],
      timeout: {
        tcp: { connectTimeout: gatewayDuration(first.connectMs) },
        http:
          kind === 'websocket'
            ? {
                streamIdleTimeout: noted(
                  gatewayDuration(first.readMs),
                  `read of the route, ${formatDuration(first.readMs)}`,
                ),
              }
            : undefined,
      },
      loadBalancer: loadBalancer(first.stickiness),
      circuitBreaker: noted(
        { maxConnections: connections, maxParallelRequests: connections, maxPendingRequests: 1024 },
        'Each WebSocket is a request in progress: the default of 1024 would be the most that there can be.',
      ),
      healthCheck: healthCheck(env),
    },
  };
}

function healthCheck(env: Environment): Yaml {
  const { readyPath, intervalMs, timeoutMs, maxFails, failTimeoutMs, rise = 2, fall = 3 } = env.health;
  return {
    active: {
      type: 'HTTP',
      interval: gatewayDuration(intervalMs),
      timeout: gatewayDuration(timeoutMs),
      unhealthyThreshold: fall,
      healthyThreshold: rise,
      http: { path: readyPath, expectedStatuses: [200] },
    },
    passive: {
      consecutiveGatewayErrors: noted(maxFails, 'health.maxFails'),
      baseEjectionTime: noted(gatewayDuration(failTimeoutMs), 'health.failTimeout'),
    },
  };
}

function loadBalancer(stickiness: Stickiness): Yaml {
  switch (stickiness.by) {
    case 'none':
      return { type: stickiness.balance === 'least' ? 'LeastRequest' : 'RoundRobin' };
    case 'ip':
      return { type: 'ConsistentHash', consistentHash: { type: 'SourceIP' } };
    case 'header':
      return { type: 'ConsistentHash', consistentHash: { type: 'Header', header: { name: stickiness.header } } };
    case 'cookie':
      return { type: 'ConsistentHash', consistentHash: { type: 'Cookie', cookie: cookie(stickiness.cookie) } };
    // Refused before: the policy of the gateway has no query parameter to hash.
    case 'session':
      return { type: 'RoundRobin' };
  }
}

function cookie({ name, path, maxAgeMs, httpOnly, secure, sameSite, domain, partitioned }: CookiePolicy): Yaml {
  return {
    name,
    ttl: maxAgeMs === undefined ? noted('0s', 'as long as the browser lives') : gatewayDuration(maxAgeMs),
    attributes: {
      Path: path,
      SameSite: capital(sameSite),
      HttpOnly: httpOnly ? '' : undefined,
      Secure: secure ? '' : undefined,
      Domain: domain,
      Partitioned: partitioned ? '' : undefined,
    },
  };
}
