import type { Manifest, Path } from './manifest.js';
import { listAt, recordAt, textAt } from './values.js';

/** One rule that sends requests to Services: of an HTTPRoute, of Istio's VirtualService, or of Traefik's IngressRoute. */
export interface RouteRule {
  readonly manifest: Manifest;
  readonly rule: unknown;
  readonly at: Path;
  /** Paths that it matches, or regular expressions of them; `/` where it names none. */
  readonly paths: readonly string[];
  /** Whether it matches by the header Upgrade. */
  readonly asksForUpgrade: boolean;
  readonly services: readonly ServiceName[];
}

export interface ServiceName {
  readonly namespace: string;
  readonly name: string;
}

type Routing = Pick<RouteRule, 'paths' | 'asksForUpgrade' | 'services'>;
interface Router {
  /** Where its rules are. */
  readonly rules: Path;
  readonly routing: (rule: unknown, namespace: string) => Routing;
}

const ROUTERS: Readonly<Record<string, Router>> = {
  HTTPRoute: {
    rules: ['spec', 'rules'],
    routing(rule, namespace) {
      const matches = listAt(rule, ['matches']);
      return {
        paths: pathsOf(matches.map((match) => textAt(match, ['path', 'value']))),
        asksForUpgrade: matches.some((match) =>
          listAt(match, ['headers']).some((header) => isUpgrade(textAt(header, ['name']))),
        ),
        services: servicesOf(listAt(rule, ['backendRefs']), namespace),
      };
    },
  },
  VirtualService: {
    rules: ['spec', 'http'],
    routing(rule, namespace) {
      const matches = listAt(rule, ['match']);
      return {
        paths: pathsOf(
          matches.map((match) => {
            const { exact, prefix, regex } = recordAt(match, ['uri']);
            return [exact, prefix, regex].find((path) => typeof path === 'string');
          }),
        ),
        asksForUpgrade: matches.some((match) => Object.keys(recordAt(match, ['headers'])).some(isUpgrade)),
        services: listAt(rule, ['route']).flatMap((route) => {
          const host = textAt(route, ['destination', 'host']) ?? '';
          // Istio completes a name without a dot; what is no name of a Service is some other host.
          const [, name, own = namespace] = /^([^.]+)(?:\.([^.]+)\.svc(?:\..+)?)?$/.exec(host) ?? [];
          return name === undefined ? [] : [{ namespace: own, name }];
        }),
      };
    },
  },
  IngressRoute: {
    rules: ['spec', 'routes'],
    routing(rule, namespace) {
      const match = textAt(rule, ['match']) ?? '';
      return {
        paths: pathsOf(
          Array.from(match.matchAll(/(?<!!)\bPath(?:Prefix|Regexp)?\(\s*[`"]([^`"]*)/g), ([, path]) => path),
        ),
        asksForUpgrade: /(?<!!)\bHeaders?(?:Regexp)?\(\s*[`"]upgrade[`"]/i.test(match),
        services: servicesOf(listAt(rule, ['services']), namespace),
      };
    },
  },
};

/** The rules of an object, if it is one that has them. */
export function rulesOf(manifest: Manifest): RouteRule[] {
  const router = Object.hasOwn(ROUTERS, manifest.kind) ? ROUTERS[manifest.kind] : undefined;
  if (router === undefined) return [];
  return listAt(manifest.object, router.rules).map((rule, i) => ({
    manifest,
    rule,
    at: [...router.rules, i],
    ...router.routing(rule, manifest.namespace),
  }));
}

const pathsOf = (found: readonly (string | undefined)[]): string[] =>
  found.length === 0 ? ['/'] : found.map((path) => path ?? '/');

const servicesOf = (refs: readonly unknown[], namespace: string): ServiceName[] =>
  refs.map((ref) => ({
    namespace: textAt(ref, ['namespace']) ?? namespace,
    name: textAt(ref, ['name']) ?? '',
  }));

const isUpgrade = (header: string | undefined): boolean => header?.toLowerCase() === 'upgrade';
