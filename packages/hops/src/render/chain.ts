import type { Environment, HopUse, Route, Stickiness } from '@holdfast/policy';
import { isAtLeast, parseVersion, type Version } from '../lint/context.js';

/** Query parameter in which a client of holdfast.v1 names its session when it resumes (PROTOCOL.md 2.2). */
export const SESSION_PARAMETER = 'hf';

/** Hops that pass on packets or bytes, and leave the client's address to whoever looks at the connection. */
const LAYER_4 = new Set(['aws-nlb', 'azure-lb', 'conntrack', 'kube-proxy', 'nat', 'nginx-stream']);

export const hopOf = (env: Environment, ...kinds: readonly string[]): HopUse | undefined =>
  env.hops.find(({ kind }) => kinds.includes(kind));

/** An option of a hop as text, where the policy has it. */
export function optionOf(hop: HopUse | undefined, name: string): string | undefined {
  const value = hop?.options.get(name);
  return value === undefined ? undefined : String(value);
}

/** A clock of a hop in milliseconds, where the policy sets it. */
export const clockOf = (hop: HopUse | undefined, name: string): number | undefined => hop?.clocksMs.get(name);

/** Whether a hop is of this version or a later one. Unknown counts as old. */
export function hasVersion(hop: HopUse | undefined, wanted: Version): boolean {
  const text = optionOf(hop, 'version');
  return text !== undefined && isAtLeast(parseVersion(text), wanted);
}

/** Proxies that somebody runs, any of which another one can stand in for. */
const OWN_PROXIES = [
  'nginx',
  'ingress-nginx',
  'nginx-ingress',
  'nginx-gateway-fabric',
  'gateway-api',
  'haproxy',
  'envoy',
  'envoy-gateway',
  'istio',
  'traefik',
  'caddy',
  'apache',
  'holdfast-gateway',
];

/** The hops in front of this one. One that the chain does not have stands in for the first proxy that it has. */
function hopsBefore(env: Environment, kinds: readonly string[]): readonly HopUse[] {
  const own = env.hops.findIndex(({ kind }) => kinds.includes(kind));
  const at = own >= 0 ? own : env.hops.findIndex(({ kind }) => OWN_PROXIES.includes(kind));
  return at < 0 ? env.hops : env.hops.slice(0, at);
}

/** The proxies between client and this hop that put an address of their own in place of the client's. */
export const proxiesBefore = (env: Environment, ...kinds: readonly string[]): readonly HopUse[] =>
  hopsBefore(env, kinds).filter(({ kind, options }) => !LAYER_4.has(kind) && options.get('proxyProtocol') !== true);

/** Whether the hop in front begins every connection with a PROXY protocol header. */
export const hasProxyProtocol = (env: Environment, ...kinds: readonly string[]): boolean =>
  hopsBefore(env, kinds).at(-1)?.options.get('proxyProtocol') === true;

export const websocketsOf = (env: Environment): Route[] => env.routes.filter(({ kind }) => kind === 'websocket');
export const restOf = (env: Environment): Route[] => env.routes.filter(({ kind }) => kind === 'rest');

/** Whether a route exists on a host. Without hosts of its own it is on all. */
export const isOn = (route: Route, host: string): boolean => route.hosts.length === 0 || route.hosts.includes(host);

/** Items that are equal by `key`, together, in the order of their first. */
export function groupBy<T>(items: readonly T[], key: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return [...groups.values()];
}

/** A stickiness in words. */
export function stickinessInWords(stickiness: Stickiness): string {
  switch (stickiness.by) {
    case 'none':
      return stickiness.balance === 'least' ? 'the pod with the fewest connections' : 'each pod in turn';
    case 'ip':
      return 'stickiness by address';
    case 'session':
      return 'stickiness by session';
    case 'header':
      return `stickiness by the header ${stickiness.header}`;
    case 'cookie':
      return `stickiness by the cookie ${stickiness.cookie.name}`;
  }
}

/** Labels by which holdfast knows again what it made, and rolls back no more than that. Never Helm's. */
export const ownLabels = (env: Environment, target: string): Record<string, string> => ({
  'holdfast/environment': env.name,
  'holdfast/service': env.service.name,
  'holdfast/target': target,
});

/** Name of the TLS secret of a host. */
export const secretOf = (env: Environment, host: string): string =>
  env.tls?.secrets.get(host) ?? `${env.service.name}-${host.replaceAll('.', '-')}`;

/** The Service that stands before the pods for those in front of them: that of the gateway, where there is one. */
export const frontService = ({ service, hops }: Environment): string =>
  hops.some(({ kind }) => kind === 'holdfast-gateway') ? `${service.name}-gateway` : service.name;

/** DNS name of that Service inside of the cluster. */
export const serviceHost = (env: Environment): string => `${frontService(env)}.${env.namespace}.svc.cluster.local`;

/** Connections that all pods may hold together, which a proxy before them must be able to carry. */
export function connectionsInAll(env: Environment): number {
  const pods = Math.max(env.pods.length, env.rollout.autoscale?.max ?? env.rollout.replicas, 1);
  return env.limits.connections * pods;
}

/**
 * How long what a reload leaves behind may live on, and whose number that is: until every connection has moved by itself, where the
 * policy rotates them; else as long as a drain.
 */
export function lingering(
  { drain }: Environment,
  givenMs: number | undefined,
  givenFrom: string,
): { readonly afterMs: number; readonly from: string } {
  if (givenMs !== undefined) return { afterMs: givenMs, from: givenFrom };
  const { maxAgeMs, deadlineMs } = drain;
  if (maxAgeMs === undefined || maxAgeMs < deadlineMs) return { afterMs: deadlineMs, from: 'drain.deadline' };
  return { afterMs: maxAgeMs, from: 'drain.maxAge: by then every connection has moved by itself' };
}
