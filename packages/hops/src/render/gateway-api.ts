import { type Environment, type Route, formatDuration } from '@holdfast/policy';
import {
  groupBy,
  hopOf,
  hasVersion,
  optionOf,
  ownLabels,
  restOf,
  stickinessInWords,
  websocketsOf,
  frontService,
} from './chain.js';
import { envoyGatewayPolicies } from './gateway-envoy.js';
import { gatewayHop, gatewayName, type Implementation, type RouteGroup } from './gateway-implementation.js';
import { gkePolicies } from './gateway-gke.js';
import { nginxFabricPolicies } from './gateway-nginx.js';
import { type Body, type Notes, type Target, unsupported } from './target.js';
import { gatewayDuration, mostSpecificFirst } from './units.js';
import { noted, type Yaml, yaml } from './yaml.js';

const IMPLEMENTATIONS: ReadonlyMap<string, Implementation> = new Map([
  ['envoy-gateway', envoyGatewayPolicies],
  ['nginx-gateway-fabric', nginxFabricPolicies],
  ['gke', gkePolicies],
]);

export const gatewayApi: Target = {
  summary: 'HTTPRoutes, with the policies of Envoy Gateway, NGINX Gateway Fabric or GKE',
  fits: (env) => hopOf(env, 'gateway-api') !== undefined || implementationOf(env) !== undefined,
  render(env, notes) {
    const [name, implementation] = implementationOf(env) ?? [];
    const groups = groupsOf(env);
    const routes = groups.map((group) => httpRoute(env, group, implementation, notes));
    const files: Body[] = [{ path: `${env.service.name}.yaml`, text: yaml(...routes) }];
    const policies = implementation?.policies(env, groups, notes) ?? [];
    if (policies.length > 0) files.push({ path: `${env.service.name}-${name}.yaml`, text: yaml(...policies) });
    if (!implementation) {
      notes.add('the Gateway API has no idle timeout: name the implementation as a hop, and its policies are rendered');
    }
    return files;
  },
};

function implementationOf(env: Environment): [string, Implementation] | undefined {
  return [...IMPLEMENTATIONS].find(([, { kinds }]) => hopOf(env, ...kinds) !== undefined);
}

function groupsOf(env: Environment): RouteGroup[] {
  const treatment = ({ readMs, sendMs, connectMs, stickiness, hosts }: Route): string =>
    JSON.stringify([readMs, sendMs, connectMs, stickiness, hosts]);
  const named = (routes: readonly Route[], kind: Route['kind'], suffix: string): RouteGroup[] =>
    groupBy(routes, treatment).flatMap((group, i) =>
      group[0]
        ? [{ name: `${env.service.name}-${suffix}${i === 0 ? '' : `-${i + 1}`}`, kind, routes: group, first: group[0] }]
        : [],
    );
  return [...named(websocketsOf(env), 'websocket', 'ws'), ...named(restOf(env), 'rest', 'rest')];
}

/** The first CRDs with `sessionPersistence` in a route. */
const PERSISTENCE_VERSION = [1, 1, 0] as const;

function httpRoute(env: Environment, group: RouteGroup, by: Implementation | undefined, notes: Notes): Yaml {
  const { first } = group;
  const hosts = first.hosts.length > 0 ? first.hosts : env.hosts;
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: group.name, namespace: env.namespace, labels: ownLabels(env, 'gateway-api') },
    spec: {
      parentRefs: [{ name: gatewayName(env), namespace: optionOf(gatewayHop(env), 'namespace') }],
      hostnames: hosts.length > 0 ? hosts : undefined,
      rules: mostSpecificFirst(group.routes).map((route) => ({
        matches: [{ path: { type: route.match === 'exact' ? 'Exact' : 'PathPrefix', value: route.path } }],
        timeouts: timeouts(route, by),
        sessionPersistence: persistence(env, route, by, notes),
        backendRefs: [{ name: frontService(env), port: route.port.port }],
      })),
    },
  };
}

function timeouts(route: Route, by: Implementation | undefined): Yaml | undefined {
  if (by && !by.hasRouteTimeouts) return undefined;
  if (route.kind === 'websocket') {
    return { request: noted('0s', 'none: a WebSocket is one request, for as long as it lives') };
  }
  return { request: noted(gatewayDuration(route.readMs), `read, ${formatDuration(route.readMs)}`) };
}

/**
 * GEP-1619 is experimental, and its fields move: on routes from 1.1, without `idleTimeout` from 1.6. Standard CRDs drop it
 * without a word, so it is rendered only where the policy says that the experimental ones are installed.
 */
function persistence(env: Environment, route: Route, by: Implementation | undefined, notes: Notes): Yaml | undefined {
  const { stickiness } = route;
  if (stickiness.by === 'none' || by?.sticksBy(stickiness, env)) return undefined;
  const hop = hopOf(env, 'gateway-api');
  const isExperimental = optionOf(hop, 'channel') === 'experimental';
  const needsPlus = by === nginxFabricPolicies && hopOf(env, 'nginx-gateway-fabric')?.options.get('plus') !== true;
  if (stickiness.by !== 'cookie' || !isExperimental || !hasVersion(hop, PERSISTENCE_VERSION) || needsPlus) {
    throw unsupported(
      'gateway-api',
      stickinessInWords(stickiness),
      needsPlus
        ? 'NGINX Gateway Fabric without Plus sticks by address only'
        : 'sessionPersistence is for cookies, and needs the experimental CRDs from 1.1: channel and version of the hop gateway-api',
    );
  }
  const { name, maxAgeMs } = stickiness.cookie;
  notes.add(
    `of the cookie ${name} only maxAge is rendered, and the other attributes are the implementation's: sessionPersistence has no fields for them`,
  );
  return {
    sessionName: name,
    type: 'Cookie',
    absoluteTimeout: maxAgeMs === undefined ? undefined : gatewayDuration(maxAgeMs),
    cookieConfig: { lifetimeType: maxAgeMs === undefined ? 'Session' : 'Permanent' },
  };
}
