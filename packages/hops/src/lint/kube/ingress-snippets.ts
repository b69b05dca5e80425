import { ANNOTATIONS } from '../../kube/cluster.js';
import type { Cluster } from '../../kube/cluster.js';
import { recordAt, wordOf } from '../../kube/values.js';
import { annotation, controllerConfigMaps, onAnnotation, webSocketIngresses, type KubeRule } from './kube-rule.js';

const SNIPPETS = ['configuration-snippet', 'server-snippet'] as const;
/** Headers that the controller's template sets in every location already. */
const TEMPLATE_HEADERS = /proxy_set_header\s+["']?(upgrade|connection)\b/gi;

/** The locations that a snippet opens, with what is in them, up to the closing brace on their level. */
function* locationsIn(
  snippet: string,
): Generator<{ readonly path: string; readonly isInternal: boolean; readonly body: string }> {
  for (const match of snippet.matchAll(/\blocation\s+(?:[=~^*]+\s*)?([^\s{]+)\s*\{/g)) {
    const start = match.index + match[0].length;
    let depth = 1;
    let end = start;
    while (end < snippet.length && depth > 0) {
      if (snippet[end] === '{') depth++;
      else if (snippet[end] === '}') depth--;
      end++;
    }
    const body = snippet.slice(start, end);
    const path = match[1] ?? '';
    yield { path, isInternal: path.startsWith('@') || /\binternal\s*;/.test(body), body };
  }
}

/** The controller takes snippets only if it is told so twice. */
const areAllowed = (cluster: Cluster): boolean =>
  controllerConfigMaps(cluster).some(({ object }) => {
    const data = recordAt(object, ['data']);
    return String(data['allow-snippet-annotations']) === 'true' && data['annotations-risk-level'] === 'Critical';
  });

export const ingressSnippets: readonly KubeRule[] = [
  {
    id: 'ING007',
    name: 'snippet-disabled',
    severity: 'error',
    title: 'Snippets are off by default',
    what: 'An Ingress that carries WebSockets has a configuration-snippet or a server-snippet.',
    why: 'allow-snippet-annotations is false by default and their risk is above the default level, so the Ingress is refused or the snippet ignored.',
    fix: 'Delete the snippet: upgrades work without one, and timeouts have annotations. If it must be, allow-snippet-annotations and annotations-risk-level: Critical.',
    source: 'annotation risks of kubernetes/ingress-nginx.',
    *check({ cluster }) {
      if (areAllowed(cluster)) return;
      for (const ingress of webSocketIngresses(cluster)) {
        for (const name of SNIPPETS) {
          const snippet = annotation(ingress, name);
          if (snippet === undefined) continue;
          // What a snippet does wrong beyond being one has a rule of its own.
          const isWorse =
            name === 'configuration-snippet'
              ? snippet.search(TEMPLATE_HEADERS) >= 0
              : shadowing(snippet, ingress.paths).length > 0;
          if (!isWorse)
            yield onAnnotation(ingress, name, `${name} is refused or ignored unless the controller allows snippets`);
        }
      }
    },
  },
  {
    id: 'ING008',
    name: 'snippet-dup-upgrade',
    severity: 'error',
    title: 'The snippet doubles the upgrade headers',
    what: 'A configuration-snippet sets Upgrade or Connection, which the controller’s template sets as well.',
    why: 'nginx sends both lines. Node joins them to "websocket, websocket", which ws answers with 400; and snippets are off by default.',
    fix: 'Delete the snippet.',
    source: 'nginx, ngx_http_proxy_init_headers; measured with ws 8.',
    *check({ cluster }) {
      for (const ingress of webSocketIngresses(cluster)) {
        const snippet = annotation(ingress, 'configuration-snippet') ?? '';
        const headers = [
          ...new Set(Array.from(snippet.matchAll(TEMPLATE_HEADERS), ([, header]) => header?.toLowerCase())),
        ];
        if (headers.length === 0) continue;
        yield onAnnotation(
          ingress,
          'configuration-snippet',
          `the snippet sets ${headers.join(' and ')} a second time: both lines reach the pod`,
        );
      }
    },
  },
  {
    id: 'ING009',
    name: 'server-snippet-location',
    severity: 'error',
    title: 'The snippet shadows a location',
    what: 'A server-snippet opens a location for a path of the Ingress, or one that passes nothing on.',
    why: 'It takes the requests away from the generated location, or nginx refuses the whole configuration for the duplicate.',
    fix: 'Delete the location; use a path of the Ingress with annotations of its own.',
    source: 'nginx location matching; template of kubernetes/ingress-nginx.',
    *check({ cluster }) {
      for (const ingress of webSocketIngresses(cluster)) {
        const snippet = annotation(ingress, 'server-snippet') ?? '';
        for (const path of shadowing(snippet, ingress.paths)) {
          yield onAnnotation(
            ingress,
            'server-snippet',
            `location ${path} in the snippet takes its requests away from the generated one`,
          );
        }
      }
    },
  },
  {
    id: 'ING010',
    name: 'connection-proxy-header',
    severity: 'error',
    title: 'The Connection header is fixed',
    what: 'connection-proxy-header is set on an Ingress that carries WebSockets.',
    why: 'It replaces the header that upgrades: keep-alive breaks every WebSocket, upgrade makes every plain request claim one.',
    fix: 'Remove the annotation.',
    source: 'template of kubernetes/ingress-nginx.',
    *check({ cluster }) {
      for (const ingress of webSocketIngresses(cluster)) {
        const value = annotation(ingress, 'connection-proxy-header');
        if (value === undefined) continue;
        const does = /upgrade/i.test(value) ? 'plain requests claim an upgrade too' : 'no WebSocket can be opened';
        yield onAnnotation(ingress, 'connection-proxy-header', `connection-proxy-header is "${value}": ${does}`);
      }
    },
  },
  {
    id: 'ING022',
    name: 'http-balancer-in-front',
    severity: 'error',
    title: 'The balancer in front speaks HTTP',
    what: 'The Service of the controller asks the classic AWS balancer for an HTTP listener.',
    why: 'A classic balancer with an HTTP listener does not pass upgrades; the protocol between it and nginx must be TCP or SSL.',
    fix: 'Set service.beta.kubernetes.io/aws-load-balancer-backend-protocol to tcp, or ssl where it terminates TLS again.',
    source: 'ingress-nginx, miscellaneous: WebSockets.',
    *check({ cluster }) {
      const name = 'service.beta.kubernetes.io/aws-load-balancer-backend-protocol';
      for (const manifest of cluster.ofKind('Service')) {
        const annotations = (manifest.object['metadata'] as { annotations?: Record<string, unknown> } | undefined)
          ?.annotations;
        const value = wordOf(annotations?.[name]);
        if (!/^https?$/i.test(value) || !/ingress|nginx/i.test(manifest.name)) continue;
        yield {
          manifest,
          at: [...ANNOTATIONS, name],
          message: `the balancer speaks ${value} to nginx: upgrades do not pass`,
        };
      }
    },
  },
];

/** Paths that a server-snippet takes from the Ingress, or answers with nothing behind. */
function shadowing(snippet: string, paths: readonly { readonly path: string }[]): string[] {
  const own = new Set(paths.map(({ path }) => path.replace(/\/$/, '') || '/'));
  return [...locationsIn(snippet)]
    .filter(({ isInternal }) => !isInternal)
    .filter(
      ({ path, body }) =>
        own.has(path.replace(/\/$/, '') || '/') || !/\b(?:proxy_pass|return|rewrite|deny)\b/.test(body),
    )
    .map(({ path }) => path);
}
