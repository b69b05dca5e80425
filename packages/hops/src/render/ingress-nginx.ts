import { type CookiePolicy, type Environment, type Route, type Stickiness, formatDuration } from '@holdfast/policy';
import {
  frontService,
  groupBy,
  hopOf,
  optionOf,
  ownLabels,
  proxiesBefore,
  secretOf,
  SESSION_PARAMETER,
  stickinessInWords,
  websocketsOf,
} from './chain.js';
import { capital } from './own-proxy.js';
import { type Notes, type Target, unsupported } from './target.js';
import { identifier, seconds } from './units.js';
import { noted, type Yaml, yaml } from './yaml.js';

const ANNOTATION = 'nginx.ingress.kubernetes.io';

/** Time that the controller gives connections after a reload unless its ConfigMap says otherwise. */
const WORKER_SHUTDOWN_S = 240;

export const ingressNginx: Target = {
  summary: 'an Ingress of its own for the WebSocket paths, with their timeouts and affinity',
  fits: (env) => hopOf(env, 'ingress-nginx') !== undefined,
  render(env, notes) {
    tellOfController(env, notes);
    for (const routes of groupBy(websocketsOf(env), ({ port }) => `${port.port}`)) checkUpstream(env, routes, notes);
    const groups = groupBy(websocketsOf(env), treatmentOf);
    return groups.map((routes, i) => {
      const name = `${env.service.name}-ws${i === 0 ? '' : `-${i + 1}`}`;
      return { path: `${name}.yaml`, text: yaml(ingress(env, name, routes, notes)) };
    });
  },
};

/**
 * The controller has one upstream for a Service and its port, and takes how it balances from the oldest Ingress that names them. Only
 * cookies are of an Ingress: beside its paths, those of another one do without.
 */
function checkUpstream(env: Environment, routes: readonly Route[], notes: Notes): void {
  const all = groupBy(
    routes.map(({ stickiness }) => stickiness),
    (stickiness) => JSON.stringify(stickiness),
  ).flatMap(([first]) => first ?? []);
  const hasCookie = all.some(({ by }) => by === 'cookie');
  const ways = all.filter((way) => !(hasCookie && way.by === 'none' && way.balance === 'round-robin'));
  if (ways.length > 1) {
    throw unsupported(
      'ingress-nginx',
      ways.map(stickinessInWords).join(' and '),
      'the controller balances a Service and its port in one way: give these routes the same stickiness, or another port',
    );
  }
  const [way] = ways;
  if (way === undefined || way.by === 'none' || way.by === 'cookie') return;
  notes.add(
    `${stickinessInWords(way)} (upstream-hash-by) is taken from the oldest Ingress that names ${frontService(env)}:${routes[0]?.port.port}: ` +
      'if another one names it too, give that one the same annotation, or this one may be ignored',
  );
}

/** Annotations are of the whole Ingress, so paths that are treated differently need one each. */
const treatmentOf = ({ connectMs, readMs, sendMs, stickiness, hosts }: Route): string =>
  JSON.stringify([connectMs, readMs, sendMs, stickiness, hosts]);

function tellOfController(env: Environment, notes: Notes): void {
  notes.add(
    'ingress-nginx is retired: no release and no security fix after March 2026; the target gateway-api is the way on',
  );
  notes.add(
    `each change of any Ingress reloads the controller, and ${WORKER_SHUTDOWN_S} s later what is left on its old workers is cut: ` +
      'worker-shutdown-timeout in its ConfigMap, below the grace period of its pods',
  );
  const proxies = proxiesBefore(env, 'ingress-nginx').map(({ name }) => name);
  if (proxies.length > 0) {
    notes.add(
      `behind ${proxies.join(' and ')} the controller knows clients by use-forwarded-headers and proxy-real-ip-cidr in its ConfigMap`,
    );
  }
}

function ingress(env: Environment, name: string, routes: readonly Route[], notes: Notes): Yaml {
  const [first] = routes;
  const hosts = first && first.hosts.length > 0 ? first.hosts : env.hosts;
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name,
      namespace: env.namespace,
      labels: noted(ownLabels(env, 'ingress-nginx'), 'By these rollback finds what holdfast made.'),
      annotations: first && annotations(env, first, notes),
    },
    spec: {
      ingressClassName: optionOf(hopOf(env, 'ingress-nginx'), 'class') ?? 'nginx',
      tls: env.tls && hosts.map((host) => ({ hosts: [host], secretName: secretOf(env, host) })),
      rules: noted(
        hosts.map((host) => ({ host, http: { paths: routes.map((route) => path(env, route)) } })),
        'WebSocket paths only: the others keep the timeouts of the Ingress that they are in.',
      ),
    },
  };
}

const path = (env: Environment, route: Route): Yaml => ({
  path: route.path,
  pathType: route.match === 'exact' ? 'Exact' : 'Prefix',
  backend: { service: { name: frontService(env), port: { number: route.port.port } } },
});

/** Numbers are strings without a unit: the controller drops `3600s` silently and uses its default of 60. */
function annotations(env: Environment, route: Route, notes: Notes): { readonly [name: string]: Yaml } {
  return {
    ...issuer(env),
    [`${ANNOTATION}/proxy-connect-timeout`]: noted(
      `${seconds(route.connectMs)}`,
      'seconds; the kernel gives up at about 75',
    ),
    [`${ANNOTATION}/proxy-read-timeout`]: noted(
      `${seconds(route.readMs)}`,
      `silence of both directions, ${formatDuration(route.readMs)}`,
    ),
    [`${ANNOTATION}/proxy-send-timeout`]: noted(`${seconds(route.sendMs)}`, 'the pod takes no byte; no idle timeout'),
    ...affinity(route.stickiness, notes),
  };
}

function issuer(env: Environment): { readonly [name: string]: Yaml } {
  const given = env.tls?.issuer;
  if (given === undefined) return {};
  const kind = given.kind === 'ClusterIssuer' ? 'cluster-issuer' : 'issuer';
  return { [`cert-manager.io/${kind}`]: given.name };
}

function affinity(stickiness: Stickiness, notes: Notes): { readonly [name: string]: Yaml } {
  switch (stickiness.by) {
    case 'none':
      return stickiness.balance === 'least'
        ? { [`${ANNOTATION}/load-balance`]: noted('ewma', 'the least loaded; the controller has no least connections') }
        : {};
    case 'ip':
      return { [`${ANNOTATION}/upstream-hash-by`]: '$binary_remote_addr' };
    case 'header':
      return { [`${ANNOTATION}/upstream-hash-by`]: `$http_${identifier(stickiness.header.toLowerCase())}` };
    case 'session':
      return {
        [`${ANNOTATION}/upstream-hash-by`]: noted(
          `$arg_${SESSION_PARAMETER}`,
          'a client names its session when it resumes',
        ),
      };
    case 'cookie':
      return cookieAffinity(stickiness.cookie, notes);
  }
}

function cookieAffinity(cookie: CookiePolicy, notes: Notes): { readonly [name: string]: Yaml } {
  if (!cookie.httpOnly) {
    notes.add(
      `the cookie ${cookie.name} is HttpOnly although the policy says otherwise: those of the controller always are`,
    );
  }
  if (cookie.partitioned) {
    notes.add(`Partitioned of the cookie ${cookie.name} is not rendered: the controller has no annotation for it`);
  }
  const maxAge = cookie.maxAgeMs === undefined ? undefined : `${seconds(cookie.maxAgeMs)}`;
  const given: { readonly [name: string]: Yaml | undefined } = {
    affinity: 'cookie',
    'affinity-mode': noted(
      cookie.persistent ? 'persistent' : 'balanced',
      cookie.persistent ? 'stays with its pod when pods are added' : 'moves when pods are added',
    ),
    'session-cookie-name': cookie.name,
    'session-cookie-path': cookie.path,
    'session-cookie-max-age': maxAge && noted(maxAge, `seconds, ${formatDuration(cookie.maxAgeMs ?? 0)}`),
    'session-cookie-expires': maxAge && noted(maxAge, 'for browsers that know no Max-Age'),
    'session-cookie-samesite': capital(cookie.sameSite),
    'session-cookie-domain': cookie.domain,
    'session-cookie-secure': String(cookie.secure),
    'session-cookie-change-on-failure': noted('true', 'a client whose pod is gone gets a cookie for the next one'),
  };
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[`${ANNOTATION}/${name}`, value]])),
  );
}
