import { isUnder } from '../lint/paths.js';
import { isRecord, type Manifest, type Path } from '../kube/manifest.js';
import { listAt, recordAt, textAt, valueAt, walk, wordOf } from '../kube/values.js';

/** A route of an HTTP connection manager. */
export interface EnvoyRoute {
  readonly manifest: Manifest;
  readonly at: Path;
  readonly route: unknown;
  readonly path: string;
  readonly cluster: string;
  readonly manager: Manager;
  /** Whether WebSockets are let through, or would be if it were configured. */
  readonly isWebSocket: boolean;
}

export interface Manager {
  readonly manifest: Manifest;
  readonly at: Path;
  readonly value: Readonly<Record<string, unknown>>;
  readonly upgrades: boolean;
}

export interface EnvoyCluster {
  readonly manifest: Manifest;
  readonly at: Path;
  readonly value: Readonly<Record<string, unknown>>;
}

/** A configuration of Envoy as far as WebSockets are concerned. */
export interface Envoy {
  readonly managers: readonly Manager[];
  readonly routes: readonly EnvoyRoute[];
  readonly clusters: ReadonlyMap<string, EnvoyCluster>;
}

/** What is known from outside the files. */
export interface EnvoyHints {
  /** WebSocket paths of a policy. */
  readonly paths: readonly string[];
  readonly looksLikeWebSocket: (path: string) => boolean;
}

/** Reads what is Envoy's among YAML and JSON documents: bootstrap files, or the same inside a ConfigMap's tree. */
export function readEnvoy(manifests: readonly Manifest[], hints: EnvoyHints): Envoy {
  const managers: Manager[] = [];
  const clusters = new Map<string, EnvoyCluster>();
  for (const manifest of manifests) {
    if (!isEnvoy(manifest)) continue;
    for (const [at, value] of walk(manifest.object)) {
      if (!isRecord(value)) continue;
      if (isManager(value)) managers.push({ manifest, at, value, upgrades: allowsWebSocket(value) });
      if (at.at(-2) === 'clusters' && typeof value['name'] === 'string')
        clusters.set(value['name'], { manifest, at, value });
    }
  }
  return { managers, clusters, routes: managers.flatMap((manager) => routesOf(manager, hints)) };
}

const isEnvoy = ({ object }: Manifest): boolean =>
  isRecord(object['static_resources']) || isRecord(object['dynamic_resources']) || Array.isArray(object['resources']);

const isManager = (value: Readonly<Record<string, unknown>>): boolean =>
  wordOf(value['@type']).endsWith('HttpConnectionManager') ||
  (value['stat_prefix'] !== undefined && (value['route_config'] !== undefined || value['http_filters'] !== undefined));

/** Whether `upgrade_configs` lets WebSockets through. */
export const allowsWebSocket = (value: unknown): boolean =>
  listAt(value, ['upgrade_configs']).some(
    (one) => textAt(one, ['upgrade_type'])?.toLowerCase() === 'websocket' && valueAt(one, ['enabled']) !== false,
  );

function routesOf(manager: Manager, { paths, looksLikeWebSocket }: EnvoyHints): EnvoyRoute[] {
  // Of each host the first route that a path of the policy falls under takes it.
  const taken = new Set<unknown>();
  const all: Omit<EnvoyRoute, 'isWebSocket'>[] = [];
  for (const [i, host] of listAt(manager.value, ['route_config', 'virtual_hosts']).entries()) {
    const routes = listAt(host, ['routes']);
    for (const path of paths) taken.add(routes.find((route) => takes(recordAt(route, ['match']), path)));
    for (const [j, route] of routes.entries()) {
      const match = recordAt(route, ['match']);
      const path =
        match['prefix'] ?? match['path'] ?? match['path_separated_prefix'] ?? valueAt(match, ['safe_regex', 'regex']);
      all.push({
        manifest: manager.manifest,
        at: [...manager.at, 'route_config', 'virtual_hosts', i, 'routes', j],
        route,
        path: wordOf(path) || '/',
        cluster: textAt(route, ['route', 'cluster']) ?? '',
        manager,
      });
    }
  }
  const own = (route: Omit<EnvoyRoute, 'isWebSocket'>): boolean =>
    taken.has(route.route) ||
    looksLikeWebSocket(route.path) ||
    asksForUpgrade(route.route) ||
    allowsWebSocket(valueAt(route.route, ['route']));
  // A manager that lets upgrades through means all its routes, unless some of them say by their paths that it means those.
  const isNamed = all.some(own);
  return all.map((route) => ({ ...route, isWebSocket: own(route) || (manager.upgrades && !isNamed) }));
}

const asksForUpgrade = (route: unknown): boolean =>
  listAt(route, ['match', 'headers']).some((header) => textAt(header, ['name'])?.toLowerCase() === 'upgrade');

/** Whether a route with this match takes a path, as far as it is told by the path alone. */
function takes(match: Readonly<Record<string, unknown>>, path: string): boolean {
  const { prefix, path: exact, path_separated_prefix: segments, headers } = match;
  if (headers !== undefined) return false;
  if (typeof prefix === 'string') return path.startsWith(prefix);
  return exact === path || (typeof segments === 'string' && isUnder(path, segments));
}
