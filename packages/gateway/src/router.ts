import type { Route } from '@holdfast/policy';

/** Finds the route of a request: named hosts before any host, exact paths before prefixes, longer prefixes before shorter ones. */
export class Router {
  /** Most specific first. */
  readonly #routes: readonly Route[];

  constructor(routes: readonly Route[]) {
    this.#routes = [...routes].sort((a, b) => rank(b) - rank(a) || b.path.length - a.path.length);
  }

  /** `host` in lower case and without a port, `path` without its query. */
  find(host: string, path: string, kind: Route['kind']): Route | undefined {
    let other: Route | undefined;
    for (const route of this.#routes) {
      if (!matchesHost(route, host) || !matchesPath(route, path)) continue;
      if (route.kind === kind) return route;
      other ??= route;
    }
    return other;
  }
}

const rank = ({ match, hosts }: Route): number => (isAnywhere(hosts) ? 0 : 2) + (match === 'exact' ? 1 : 0);

const isAnywhere = (hosts: Route['hosts']): boolean => hosts.length === 0 || hosts.includes('*');

const matchesHost = ({ hosts }: Route, host: string): boolean =>
  isAnywhere(hosts) || hosts.some((name) => name === host || (name.startsWith('*.') && isBelow(host, name.slice(1))));

/** As a certificate's wildcard: one label. */
const isBelow = (host: string, suffix: string): boolean =>
  host.endsWith(suffix) && host.length > suffix.length && !host.slice(0, -suffix.length).includes('.');

/** A prefix ends at a slash, as in Kubernetes: `/ws` leads to `/ws` and `/ws/room`, not to `/wsx`. */
function matchesPath({ match, path }: Route, asked: string): boolean {
  if (match === 'exact') return asked === path;
  const prefix = path.endsWith('/') ? path : `${path}/`;
  return asked === path || asked.startsWith(prefix);
}
