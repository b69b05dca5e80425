import { type Cluster, type Ingress } from '../../kube/cluster.js';
import { recordAt, textAt } from '../../kube/values.js';
import {
  annotation,
  clientIpBehindIngress,
  controllerConfigMaps,
  onAnnotation,
  webSocketIngresses,
  type KubeReport,
  type KubeRule,
} from './kube-rule.js';

const isConstant = (key: string): boolean => !key.includes('$');
const CLIENT_ADDRESS = /\$(?:binary_)?remote_addr\b/;
const BALANCERS = new Set(['round_robin', 'ewma', 'sticky_balanced', 'sticky_persistent', 'chash', 'chashsubset']);

/** Whether the controller sees the addresses of clients, and not those of a balancer or a node in front of it. */
function knowsClients(cluster: Cluster): boolean {
  const isSet = controllerConfigMaps(cluster).some(({ object }) => {
    const data = recordAt(object, ['data']);
    return ['use-forwarded-headers', 'use-proxy-protocol', 'enable-real-ip'].some(
      (key) => String(data[key]) === 'true',
    );
  });
  return (
    isSet ||
    cluster.ofKind('Service').some(({ object, name }) => {
      return /ingress|nginx/i.test(name) && textAt(object, ['spec', 'externalTrafficPolicy']) === 'Local';
    })
  );
}

/** Whether anything in the input says that something stands in front which hides the clients. */
function isBehindBalancer(cluster: Cluster): boolean {
  return cluster.ofKind('Service').some(({ object, name }) => {
    if (!/ingress|nginx/i.test(name) || textAt(object, ['spec', 'type']) !== 'LoadBalancer') return false;
    return textAt(object, ['spec', 'externalTrafficPolicy']) !== 'Local';
  });
}

const usesCookie = (ingress: Ingress): boolean => annotation(ingress, 'affinity') === 'cookie';

function* onHash(
  cluster: Cluster,
  judge: (key: string, ingress: Ingress) => string | undefined,
): Generator<KubeReport> {
  for (const ingress of webSocketIngresses(cluster)) {
    const key = annotation(ingress, 'upstream-hash-by');
    const message = key === undefined || key === '' ? undefined : judge(key, ingress);
    if (message !== undefined) yield onAnnotation(ingress, 'upstream-hash-by', message);
  }
}

export const ingressAffinity: readonly KubeRule[] = [
  {
    id: 'ING011',
    name: 'hash-by-constant',
    severity: 'error',
    title: 'The hash key is a constant',
    what: 'upstream-hash-by holds no variable.',
    why: 'It is a key, not the name of a method: the same text for everybody hashes everybody to one pod.',
    fix: 'Use a variable that differs by client, such as $cookie_session or $binary_remote_addr; or a cookie affinity.',
    source: 'kubernetes/ingress-nginx, upstreamhashby.',
    check: ({ cluster }) =>
      onHash(cluster, (key) =>
        isConstant(key) ? `"${key}" is the same for everybody: all clients go to one pod` : undefined,
      ),
  },
  {
    id: 'ING012',
    name: 'load-balance-value',
    severity: 'warning',
    title: 'The balancing method does not exist',
    what: 'load-balance names a method that ingress-nginx does not have.',
    why: 'The controller warns in its log and goes back to round robin.',
    fix: 'Use a cookie affinity or upstream-hash-by; for the rest round_robin or ewma.',
    source: 'lua/balancer.lua of kubernetes/ingress-nginx.',
    *check({ cluster }) {
      for (const ingress of webSocketIngresses(cluster)) {
        const method = annotation(ingress, 'load-balance');
        if (method === undefined || BALANCERS.has(method)) continue;
        yield onAnnotation(
          ingress,
          'load-balance',
          `load-balance "${method}" is not known: round robin is used instead`,
        );
      }
    },
  },
  {
    id: 'ING013',
    name: 'hash-uri-affinity',
    severity: 'warning',
    title: 'The hash key is the URI',
    what: 'upstream-hash-by uses the request URI where clients should stay with a pod.',
    why: 'The URI names a page, not a client: everybody on one path goes to one pod, and a query changes the pod.',
    fix: 'Use a cookie affinity.',
    source: 'kubernetes/ingress-nginx, upstreamhashby.',
    check: ({ cluster }) =>
      onHash(cluster, (key) => {
        const isUri = /\$(?:request_uri|uri|args)\b/.test(key) && !/\$(?:cookie_|http_|arg_|binary_|remote_)/.test(key);
        return isUri ? `"${key}" is the same for every client of a path` : undefined;
      }),
  },
  {
    id: 'ING014',
    name: 'hash-remote-addr-lb',
    severity: 'error',
    title: 'The hashed address is not the client’s',
    what: 'Balancing hashes the peer’s address, and the controller stands behind a balancer that hides it.',
    why: 'With externalTrafficPolicy Cluster, or behind an HTTP balancer, each node or edge is one address: a few buckets for everybody.',
    fix: 'externalTrafficPolicy: Local, use-proxy-protocol or use-forwarded-headers; or a cookie affinity.',
    source: 'Kubernetes: preserving the client source IP; kubernetes/ingress-nginx ConfigMap.',
    check: ({ cluster }) =>
      onHash(cluster, (key) => {
        const isHidden = CLIENT_ADDRESS.test(key) && isBehindBalancer(cluster) && !knowsClients(cluster);
        return isHidden ? `"${key}" is the address of a node or a balancer here, not of the client` : undefined;
      }),
  },
  {
    id: 'ING015',
    name: 'affinity-and-hash',
    severity: 'warning',
    title: 'Affinity and hash at once',
    what: 'An Ingress has both a cookie affinity and upstream-hash-by.',
    why: 'The cookie wins and the hash is ignored, which is seldom what was meant.',
    fix: 'Keep one of them.',
    source: 'lua/balancer.lua of kubernetes/ingress-nginx.',
    check: ({ cluster }) =>
      onHash(cluster, (_key, ingress) =>
        usesCookie(ingress) ? 'the cookie affinity wins: this is ignored' : undefined,
      ),
  },
  {
    id: 'ING016',
    name: 'cookie-attributes',
    severity: 'warning',
    title: 'The affinity cookie lacks attributes',
    what: 'The affinity cookie has no SameSite or no Secure.',
    why: 'A page of another site then does not send it with the WebSocket, and each connection goes where it likes.',
    fix: 'session-cookie-samesite: "None" with session-cookie-secure: "true"; Lax where all is one site.',
    source: 'RFC 6265bis; annotations of kubernetes/ingress-nginx.',
    *check({ cluster }) {
      for (const ingress of webSocketIngresses(cluster)) {
        if (!usesCookie(ingress)) continue;
        const lacking = ['session-cookie-samesite', 'session-cookie-secure'].filter(
          (name) => annotation(ingress, name) === undefined,
        );
        if (lacking.length > 0)
          yield onAnnotation(ingress, 'affinity', `the affinity cookie has no ${lacking.join(' and no ')}`);
      }
    },
  },
  {
    id: 'ING017',
    name: 'cookie-path-regex',
    severity: 'error',
    title: 'The path of the cookie is a regular expression',
    what: 'Paths are regular expressions, the affinity is by cookie, and session-cookie-path is not set.',
    why: 'The cookie’s path becomes the expression, which no request path begins with: the browser never sends it back.',
    fix: 'session-cookie-path: "/".',
    source: 'ingress-nginx, sticky sessions.',
    *check({ cluster }) {
      for (const ingress of webSocketIngresses(cluster)) {
        const isRegex =
          annotation(ingress, 'use-regex') === 'true' || annotation(ingress, 'rewrite-target') !== undefined;
        const path = ingress.paths.find((one) => /[()[\]*+?|\\^$]/.test(one.path))?.path;
        if (!usesCookie(ingress) || !isRegex || path === undefined) continue;
        if (annotation(ingress, 'session-cookie-path') !== undefined) continue;
        yield onAnnotation(ingress, 'affinity', `the cookie gets the path ${path}, which no browser matches`);
      }
    },
  },
  {
    id: 'ING018',
    name: 'affinity-balanced',
    severity: 'info',
    title: 'Sessions move when pods are added',
    what: 'A cookie affinity without affinity-mode.',
    why: 'The default mode, balanced, gives a share of the clients to new pods on every scale-up.',
    fix: 'affinity-mode: "persistent", if a client that moves costs something.',
    source: 'annotations of kubernetes/ingress-nginx.',
    *check({ cluster }) {
      for (const ingress of webSocketIngresses(cluster)) {
        if (!usesCookie(ingress) || annotation(ingress, 'affinity-mode') !== undefined) continue;
        yield onAnnotation(ingress, 'affinity', 'affinity-mode is balanced: a scale-up moves clients to new pods');
      }
    },
  },
  {
    id: 'ING021',
    name: 'client-ip-behind-ingress',
    severity: 'warning',
    title: 'ClientIP affinity behind a controller that dials pods',
    what: 'A Service behind an Ingress has sessionAffinity ClientIP.',
    why: 'The controller dials the pods itself, so the Service’s rules are never asked; with service-upstream they see the address of the controller.',
    fix: 'Use the affinity of the Ingress; leave the Service at None.',
    source: 'ingress-nginx: why endpoints and not services; kube-proxy.',
    *check({ cluster }) {
      for (const { ingress, service } of clientIpBehindIngress(cluster)) {
        const { name } = ingress.manifest;
        const message =
          annotation(ingress, 'service-upstream') === 'true'
            ? `ClientIP sees only the address of the controller, as ${name} has service-upstream`
            : `ClientIP is never asked: ${name} reaches the pods past the Service`;
        yield { manifest: service, at: ['spec', 'sessionAffinity'], message };
      }
    },
  },
];
