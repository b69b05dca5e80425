import type { Route } from '@holdfast/policy';

/** Finds the route of a request: named hosts before any host, exact paths before prefixes, longer prefixes before shorter ones. */
export class Router {
  /** Most specific first. */
  readonly #routes: readonly Route[];

  constructor(routes: readonly Route[]) {
    this.#routes = [...routes].sort((a, b) => rank(b) - rank(a) || b.path.length - a.path.length);
  }

  /** `host` in lower case and without a port, `path` without its query. A route of the other kind is found where there is none of this. */
  find(host: string, path: string, kind: Route['kind']): Route | undefined {
    const found = this.#routes.find((route) => matchesHost(route, host) && matchesPath(route, path));
    if (found === undefined || found.kind === kind) return found;
    const isTwin = (route: Route): boolean => route.kind === kind && isAlike(route, found) && matchesHost(route, host);
    return this.#routes.find(isTwin) ?? found;
  }
}

/** Two routes that are equally specific: one for WebSockets and one for plain requests, as a rule. */
const isAlike = (a: Route, b: Route): boolean => a.path === b.path && rank(a) === rank(b);

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
