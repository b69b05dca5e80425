import type { Route } from '@holdfast/policy';

/**
 * Finds the route of a request: one for this very host before one for a wildcard before one for any host; then exact paths before prefixes,
 * longer prefixes before shorter ones.
 */
export class Router {
  /** Most specific path first. */
  readonly #routes: readonly Route[];

  constructor(routes: readonly Route[]) {
    const isExact = ({ match }: Route): number => Number(match === 'exact');
    this.#routes = [...routes].sort((a, b) => isExact(b) - isExact(a) || b.path.length - a.path.length);
  }

  /** `host` in lower case and without a port, `path` without its query. A route of the other kind is found where there is none of this. */
  find(host: string, path: string, kind: Route['kind']): Route | undefined {
    for (const matchesHost of HOSTS) {
      const found = this.#routes.find((route) => matchesHost(route, host) && matchesPath(route, path));
      if (found === undefined) continue;
      // One for WebSockets and one for plain requests may be equally specific.
      const isTwin = (route: Route): boolean =>
        route.kind === kind && isAlike(route, found) && matchesHost(route, host);
      return found.kind === kind ? found : (this.#routes.find(isTwin) ?? found);
    }
    return undefined;
  }
}

const isAlike = (a: Route, b: Route): boolean => a.path === b.path && a.match === b.match;

/** Ways to be meant by a route, most specific first. */
const HOSTS: readonly ((route: Route, host: string) => boolean)[] = [
  ({ hosts }, host) => hosts.includes(host),
  ({ hosts }, host) => hosts.some((name) => name.startsWith('*.') && isBelow(host, name.slice(1))),
  ({ hosts }) => hosts.length === 0 || hosts.includes('*'),
];

/** As a certificate's wildcard: one label. */
const isBelow = (host: string, suffix: string): boolean =>
  host.endsWith(suffix) && host.length > suffix.length && !host.slice(0, -suffix.length).includes('.');

/** A prefix ends at a slash, as in Kubernetes: `/ws` leads to `/ws` and `/ws/room`, not to `/wsx`. */
function matchesPath({ match, path }: Route, asked: string): boolean {
  if (match === 'exact') return asked === path;
  const prefix = path.endsWith('/') ? path : `${path}/`;
  return asked === path || asked.startsWith(prefix);
}
