import type { Environment, Route } from '@holdfast/policy';
import { isIP } from 'node:net';
import { connectionsInAll, groupBy, serviceHost } from './chain.js';
import { checkStickiness } from './own-proxy.js';
import { duration } from './units.js';
import { noted, type Yaml } from './yaml.js';

/** Routes that balance and connect alike share a cluster. */
export function clusterName(env: Environment, route: Route): string {
  const base = env.pods.length > 0 ? env.service.name : `${env.service.name}-${route.port.name}`;
  const first = clusterKeys(env).indexOf(keyOf(env, route));
  return first === 0 ? base : `${base}-${first + 1}`;
}

const keyOf = (env: Environment, { stickiness, connectMs, port }: Route): string =>
  JSON.stringify([
    balanceOf(stickiness),
    stickiness.by === 'none' ? undefined : stickiness.maxLoad,
    connectMs,
    env.pods.length > 0 ? '' : port.name,
  ]);

const clusterKeys = (env: Environment): string[] => [...new Set(env.routes.map((route) => keyOf(env, route)))];

/** What is hashed is the route's affair; that there is a ring, the cluster's. */
function balanceOf(stickiness: Route['stickiness']): string {
  if (stickiness.by !== 'none') return 'RING_HASH';
  return stickiness.balance === 'least' ? 'LEAST_REQUEST' : 'ROUND_ROBIN';
}

export function clusters(env: Environment): Yaml {
  return groupBy(env.routes, (route) => keyOf(env, route)).flatMap(([route]) => (route ? [cluster(env, route)] : []));
}

function cluster(env: Environment, route: Route): Yaml {
  checkStickiness(env, route.stickiness, 'envoy');
  const { maxFails, failTimeoutMs, readyPath, intervalMs, timeoutMs, rise = 2, fall = 3 } = env.health;
  const connections = connectionsInAll(env);
  const policy = balanceOf(route.stickiness);
  return {
    name: clusterName(env, route),
    type: env.pods.length > 0 && env.pods.every(({ host }) => isIP(host) > 0) ? 'STATIC' : 'STRICT_DNS',
    connect_timeout: duration(route.connectMs),
    lb_policy: policy,
    ring_hash_lb_config: policy === 'RING_HASH' ? { minimum_ring_size: 1024 } : undefined,
    circuit_breakers: noted(
      {
        thresholds: [
          { max_connections: connections, max_requests: connections, max_pending_requests: 1024, max_retries: 16 },
        ],
      },
      'limits.connections of every pod. A WebSocket is a request in progress: the default of 1024 would be the most that there can be.',
    ),
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http_protocol_options: noted({}, 'HTTP/1.1, which an Upgrade needs.') },
      },
    },
    common_lb_config: bounded(route.stickiness),
    health_checks: [
      {
        timeout: duration(timeoutMs),
        interval: duration(intervalMs),
        unhealthy_threshold: fall,
        healthy_threshold: rise,
        http_health_check: { path: readyPath },
      },
    ],
    ignore_health_on_host_removal: false,
    outlier_detection: {
      split_external_local_origin_errors: true,
      consecutive_local_origin_failure: noted(maxFails, 'health.maxFails: connections that fail'),
      consecutive_gateway_failure: noted(maxFails, 'and answers of 502, 503 and 504'),
      enforcing_consecutive_gateway_failure: 100,
      enforcing_consecutive_5xx: noted(0, 'an error of the application is no outlier'),
      base_ejection_time: noted(duration(failTimeoutMs), 'health.failTimeout'),
    },
    load_assignment: loadAssignment(env, route),
  };
}

function bounded(stickiness: Route['stickiness']): Yaml | undefined {
  if (stickiness.by === 'none' || stickiness.maxLoad === undefined) return undefined;
  const factor = noted(Math.round(stickiness.maxLoad * 100), 'maxLoad, in percent of the average');
  return { consistent_hashing_lb_config: { hash_balance_factor: factor } };
}

function loadAssignment(env: Environment, route: Route): Yaml {
  const pods =
    env.pods.length > 0 ? env.pods : [{ host: serviceHost(env), port: route.port.port, weight: 1, backup: false }];
  const endpoint = (pod: { host: string; port: number; weight: number }): Yaml => ({
    load_balancing_weight: pod.weight === 1 ? undefined : pod.weight,
    endpoint: { address: { socket_address: { address: pod.host, port_value: pod.port } } },
  });
  const locality = (priority: number): Yaml[] => {
    const own = pods.filter(({ backup }) => backup === priority > 0);
    return own.length > 0 ? [{ priority: priority > 0 ? priority : undefined, lb_endpoints: own.map(endpoint) }] : [];
  };
  return { cluster_name: clusterName(env, route), endpoints: [...locality(0), ...locality(1)] };
}
