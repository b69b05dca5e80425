import type { CookiePolicy, Environment, Route, Stickiness } from '@holdfast/policy';
import { connectionsInAll, hopOf, ownLabels, secretOf, serviceHost, SESSION_PARAMETER } from './chain.js';
import { checkOneStickiness, type Notes, type Target } from './target.js';
import { duration, mostSpecificFirst, seconds } from './units.js';
import { noted, type Yaml, yaml } from './yaml.js';

const API = 'networking.istio.io/v1beta1';

export const istio: Target = {
  summary: 'Gateway, VirtualService and DestinationRule',
  fits: (env) => hopOf(env, 'istio') !== undefined,
  render(env, notes) {
    notes.add(
      'a sidecar waits 5 s and exits, with every socket: the target kubernetes sets terminationDrainDuration on the pods',
    );
    notes.add(
      'stream idle timeout: none by default, 5m in the profile EDGE; a VirtualService cannot set it, so read of the routes is not rendered',
    );
    return [
      { path: `${env.service.name}.yaml`, text: yaml(gateway(env), virtualService(env), destinationRule(env, notes)) },
    ];
  },
};

const metadata = (env: Environment): Yaml => ({
  name: env.service.name,
  namespace: env.namespace,
  labels: ownLabels(env, 'istio'),
});

function gateway(env: Environment): Yaml {
  const hosts = env.hosts.length > 0 ? env.hosts : ['*'];
  const plain = { port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts };
  return {
    apiVersion: API,
    kind: 'Gateway',
    metadata: metadata(env),
    spec: {
      selector: { istio: 'ingressgateway' },
      servers: env.tls
        ? [
            { ...plain, tls: { httpsRedirect: true } },
            ...hosts.map((host, i) => ({
              port: { number: 443, name: `https-${i + 1}`, protocol: 'HTTPS' },
              hosts: [host],
              tls: { mode: 'SIMPLE', credentialName: secretOf(env, host) },
            })),
          ]
        : [plain],
    },
  };
}

const virtualService = (env: Environment): Yaml => ({
  apiVersion: API,
  kind: 'VirtualService',
  metadata: metadata(env),
  spec: {
    hosts: env.hosts.length > 0 ? env.hosts : ['*'],
    gateways: [env.service.name],
    http: mostSpecificFirst(env.routes).map((route) => httpRoute(env, route)),
  },
});

function httpRoute(env: Environment, route: Route): Yaml {
  const isWebSocket = route.kind === 'websocket';
  return {
    match: matches(env, route),
    timeout: isWebSocket
      ? noted('0s', 'none: a WebSocket is one request, for as long as it lives')
      : noted(duration(route.readMs), 'read of the route'),
    retries: isWebSocket
      ? {
          attempts: 2,
          retryOn: noted(
            'connect-failure,refused-stream,503',
            'a handshake that reached nobody may go to the next pod',
          ),
        }
      : undefined,
    route: [{ destination: { host: serviceHost(env), port: { number: route.port.port } } }],
  };
}

/** A prefix is of whole segments, which Istio has no word for: the path itself, and all below it. */
function matches(env: Environment, route: Route): Yaml {
  const isEverywhere = route.hosts.length === 0 || route.hosts.length === env.hosts.length;
  const authorities = isEverywhere ? [undefined] : route.hosts;
  const uris =
    route.match === 'exact'
      ? [{ exact: route.path }]
      : route.path.endsWith('/')
        ? [{ prefix: route.path }]
        : [{ exact: route.path }, { prefix: `${route.path}/` }];
  return authorities.flatMap((host) =>
    uris.map((uri) => ({ uri, authority: host === undefined ? undefined : { exact: host } })),
  );
}

function destinationRule(env: Environment, notes: Notes): Yaml {
  const connections = connectionsInAll(env);
  const connectMs = Math.max(...env.routes.map((route) => route.connectMs), 1000);
  checkOneStickiness('istio', env, 'a DestinationRule');
  return {
    apiVersion: API,
    kind: 'DestinationRule',
    metadata: metadata(env),
    spec: {
      host: serviceHost(env),
      trafficPolicy: {
        loadBalancer: loadBalancer(env.stickiness, notes),
        connectionPool: noted(
          {
            tcp: { maxConnections: connections, connectTimeout: duration(connectMs) },
            http: {
              http1MaxPendingRequests: 1024,
              http2MaxRequests: noted(
                connections,
                'requests of any HTTP version; a WebSocket is one for its whole life',
              ),
              h2UpgradePolicy: noted('DO_NOT_UPGRADE', 'HTTP/1.1 to the pods, which an Upgrade needs'),
            },
          },
          'limits.connections of every pod',
        ),
        outlierDetection: {
          consecutiveGatewayErrors: noted(env.health.maxFails, 'health.maxFails'),
          consecutive5xxErrors: noted(0, 'an error of the application is no outlier'),
          interval: duration(env.health.intervalMs),
          baseEjectionTime: noted(duration(env.health.failTimeoutMs), 'health.failTimeout'),
        },
      },
    },
  };
}

function loadBalancer(stickiness: Stickiness, notes: Notes): Yaml {
  switch (stickiness.by) {
    case 'none':
      return { simple: stickiness.balance === 'least' ? 'LEAST_REQUEST' : 'ROUND_ROBIN' };
    case 'ip':
      return { consistentHash: { useSourceIp: true } };
    case 'header':
      return { consistentHash: { httpHeaderName: stickiness.header } };
    case 'session':
      return {
        consistentHash: {
          httpQueryParameterName: noted(SESSION_PARAMETER, 'a client names its session when it resumes'),
        },
      };
    case 'cookie':
      return { consistentHash: { httpCookie: cookie(stickiness.cookie, notes) } };
  }
}

function cookie({ name, path, maxAgeMs }: CookiePolicy, notes: Notes): Yaml {
  notes.add(
    `of the cookie ${name} only path and maxAge are rendered: this version of DestinationRule has no fields for Secure, SameSite, HttpOnly, Domain and Partitioned`,
  );
  return {
    name,
    path,
    ttl: maxAgeMs === undefined ? noted('0s', 'as long as the browser lives') : `${seconds(maxAgeMs)}s`,
  };
}
