import { INGRESS_NGINX_ANNOTATIONS } from '../../kube/annotations.js';
import { ANNOTATIONS, NGINX_PREFIX, type Ingress } from '../../kube/cluster.js';
import type { Manifest, Path } from '../../kube/manifest.js';
import { durationMs, recordAt, wordOf } from '../../kube/values.js';
import { nearest } from '@holdfast/policy';
import {
  controllerConfigMaps,
  ofIngressNginx,
  onAnnotation,
  webSocketIngresses,
  type KubeReport,
  type KubeRule,
} from './kube-rule.js';

/** Times in seconds, of annotations or of the ConfigMap, and what the controller falls back to when it cannot read one. */
const SECONDS: Readonly<Record<string, number>> = {
  'proxy-read-timeout': 60,
  'proxy-send-timeout': 60,
  'proxy-connect-timeout': 5,
  'proxy-next-upstream-timeout': 0,
  'session-cookie-max-age': 0,
  'session-cookie-expires': 0,
};

/** What YAML 1.1 takes for a boolean, and 1.2 for a word. */
const OLD_BOOLEAN = /^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF)$/;

const isOldBoolean = ({ manifest, annotations }: Ingress, key: string): boolean =>
  OLD_BOOLEAN.test(wordOf(annotations[key])) && manifest.scalarAt([...ANNOTATIONS, key])?.isPlain === true;

const F5_PREFIX = 'nginx.org/';

function* namesOf({ annotations }: Ingress): Generator<string> {
  yield* Object.keys(annotations);
}

const NO_SWITCH = 'there is no such switch: upgrades are always forwarded';
/** Why a name that people often write does nothing. */
const BELIEFS: ReadonlyMap<string, string> = new Map([
  ['websocket-services', 'it is an annotation of F5’s controller; this one forwards upgrades by itself'],
  ['enable-websocket', NO_SWITCH],
  ['enable-websockets', NO_SWITCH],
  ['upgrade', NO_SWITCH],
  ['server-snippets', 'the name is server-snippet, and snippets are off by default'],
  ['session-cookie-httponly', 'its cookies are always HttpOnly'],
]);

/** Names that it does know, elsewhere: those of its ConfigMap that people reach for. */
const OF_CONFIG_MAP: ReadonlySet<string> = new Set([
  'client-body-timeout',
  'client-header-timeout',
  'enable-real-ip',
  'error-log-level',
  'forwarded-for-header',
  'keep-alive',
  'max-worker-connections',
  'proxy-real-ip-cidr',
  'proxy-set-headers',
  'proxy-stream-timeout',
  'upstream-keepalive-connections',
  'upstream-keepalive-timeout',
  'use-forwarded-headers',
  'use-proxy-protocol',
  'worker-processes',
  'worker-shutdown-timeout',
]);

/** Times that have a unit, among annotations or the keys of a ConfigMap. */
function* withUnit(
  manifest: Manifest,
  at: Path,
  values: Readonly<Record<string, unknown>>,
  prefix = '',
): Generator<KubeReport> {
  for (const [name, fallback] of Object.entries(SECONDS)) {
    const value = values[prefix + name] ?? undefined;
    if (value === undefined || /^\s*-?\d+\s*$/.test(wordOf(value))) continue;
    const ms = durationMs(value);
    const replacement = ms === undefined || ms < 1_000 ? undefined : `"${Math.round(ms / 1_000)}"`;
    const problem = `${name} is "${wordOf(value)}", which the controller cannot read: it falls back to ${fallback} s`;
    const message = `${problem}. Write ${replacement ?? 'whole seconds'}`;
    yield { manifest, at: [...at, prefix + name], message, replacement };
  }
}

function hintOn(name: string): string {
  const known = OF_CONFIG_MAP.has(name) ? 'it is a key of the ConfigMap, not an annotation' : BELIEFS.get(name);
  if (known !== undefined) return known;
  const near = nearest(name, INGRESS_NGINX_ANNOTATIONS);
  return near === undefined ? 'no name is near it' : `was ${near} meant?`;
}

export const ingressNames: readonly KubeRule[] = [
  {
    id: 'ING001',
    name: 'retired',
    severity: 'warning',
    title: 'The controller is retired',
    what: 'An Ingress that carries WebSockets is served by ingress-nginx, which had its last release in March 2026.',
    why: 'Nobody mends its security any more, and it bundles an nginx that is as old.',
    fix: 'Plan the move: Gateway API, F5’s NGINX Ingress Controller, or Traefik, which reads most of the same annotations.',
    source: 'README of kubernetes/ingress-nginx.',
    *check({ cluster }) {
      for (const ingress of webSocketIngresses(cluster)) {
        const message = 'ingress-nginx has had no release and no security fix since March 2026';
        yield { manifest: ingress.manifest, at: ['spec', 'ingressClassName'], message };
      }
    },
  },
  {
    id: 'ING002',
    name: 'unknown-annotation',
    severity: 'warning',
    title: 'The annotation does not exist',
    what: 'An annotation has the prefix of ingress-nginx and a name that it does not know.',
    why: 'The controller ignores it without a word, so what it was meant to do is not done.',
    fix: 'Delete it, or use the name that was meant.',
    source: 'the annotations that ingress-nginx 1.15 parses.',
    *check({ cluster }) {
      for (const ingress of ofIngressNginx(cluster)) {
        for (const key of namesOf(ingress)) {
          const name = key.startsWith(NGINX_PREFIX) ? key.slice(NGINX_PREFIX.length) : undefined;
          if (name === undefined || INGRESS_NGINX_ANNOTATIONS.has(name)) continue;
          yield onAnnotation(ingress, key, `ingress-nginx ignores ${name}: ${hintOn(name)}`);
        }
      }
    },
  },
  {
    id: 'ING003',
    name: 'wrong-controller-prefix',
    severity: 'error',
    title: 'The annotation is another controller’s',
    what: 'An Ingress carries annotations of a controller that does not serve it, or without the whole prefix.',
    why: 'Both controllers are called nginx, but each reads its own prefix only: nginx.ingress.kubernetes.io/ or nginx.org/.',
    fix: 'Use the prefix and the names of the controller that serves the class.',
    source: 'kubernetes/ingress-nginx issues 2647, 3082, 5539.',
    *check({ cluster }) {
      for (const ingress of cluster.ingresses) {
        const { controller } = ingress;
        if (controller === 'other') continue;
        for (const key of namesOf(ingress)) {
          const isForeign = controller === 'ingress-nginx' ? key.startsWith(F5_PREFIX) : key.startsWith(NGINX_PREFIX);
          const bare = /^(?:ingress\.kubernetes\.io|nginx\.kubernetes\.io|ingress\.nginx\.kubernetes\.io)\/(.+)$/.exec(
            key,
          )?.[1];
          const isBare = bare !== undefined && INGRESS_NGINX_ANNOTATIONS.has(bare);
          if (isForeign) {
            const whose = controller === 'ingress-nginx' ? 'F5’s controller' : 'ingress-nginx';
            yield onAnnotation(ingress, key, `${key} is an annotation of ${whose}, which does not serve this Ingress`);
          } else if (isBare) {
            yield onAnnotation(ingress, key, `${key} lacks the prefix; write ${NGINX_PREFIX}${bare}`);
          }
        }
      }
    },
  },
  {
    id: 'ING004',
    name: 'unit-suffix',
    severity: 'error',
    title: 'The time has a unit',
    what: 'A timeout of ingress-nginx is written with a unit, in an annotation or in the ConfigMap of the controller.',
    why: 'The controller reads a whole number of seconds; what it cannot read it replaces by its default, without an error.',
    fix: 'Write the seconds without a unit, as a string: "3600".',
    source: 'parser of kubernetes/ingress-nginx; issues 2461, 7115.',
    *check({ cluster }) {
      for (const { manifest, annotations } of ofIngressNginx(cluster)) {
        yield* withUnit(manifest, ANNOTATIONS, annotations, NGINX_PREFIX);
      }
      for (const manifest of controllerConfigMaps(cluster)) {
        yield* withUnit(manifest, ['data'], recordAt(manifest.object, ['data']));
      }
    },
  },
  {
    id: 'ING005',
    name: 'unquoted',
    severity: 'error',
    title: 'The annotation is not a string',
    what: 'An annotation is written as a number or a boolean. `on`, `off`, `yes`, `no`, `y` and `n` without quotes are booleans, too: kubectl and Helm read YAML 1.1.',
    why: 'Annotations are strings: the API server refuses the object, and templates turn large numbers into 3.6e+03.',
    fix: 'Put the value in quotes; for a switch of the controller "true" or "false".',
    source:
      'Kubernetes API: metadata.annotations is map[string]string. The booleans: kubernetes-sigs/yaml, goyaml.v2/resolve.go.',
    *check({ cluster }) {
      for (const ingress of cluster.ingresses) {
        for (const [key, value] of Object.entries(ingress.annotations)) {
          const said = `${key} is ${wordOf(value)} without quotes`;
          if (typeof value === 'number' || typeof value === 'boolean') {
            yield onAnnotation(ingress, key, `${said}: the API server refuses it`, `"${value}"`);
          } else if (isOldBoolean(ingress, key)) {
            // What was meant is "off" for one annotation and "false" for another.
            yield onAnnotation(ingress, key, `${said}, a boolean to kubectl and Helm: the API server refuses it`);
          }
        }
      }
    },
  },
];
