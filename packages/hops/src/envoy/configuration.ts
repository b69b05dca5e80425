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

/** Reads what is Envoy's among YAML and JSON documents: bootstrap files, or the same inside a ConfigMap's tree. */
export function readEnvoy(manifests: readonly Manifest[], looksLikeWebSocket: (path: string) => boolean): Envoy {
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
  return { managers, clusters, routes: managers.flatMap((manager) => routesOf(manager, looksLikeWebSocket)) };
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

function routesOf(manager: Manager, looksLikeWebSocket: (path: string) => boolean): EnvoyRoute[] {
  const all: Omit<EnvoyRoute, 'isWebSocket'>[] = [];
  for (const [i, host] of listAt(manager.value, ['route_config', 'virtual_hosts']).entries()) {
    for (const [j, route] of listAt(host, ['routes']).entries()) {
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
    looksLikeWebSocket(route.path) || allowsWebSocket(valueAt(route.route, ['route']));
  // A manager that lets upgrades through means all its routes, unless some of them say by their paths that it means those.
  const isNamed = all.some(own);
  return all.map((route) => ({ ...route, isWebSocket: own(route) || (manager.upgrades && !isNamed) }));
}
