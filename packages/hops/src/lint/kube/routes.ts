import type { Manifest, Path } from '../../kube/manifest.js';
import type { RouteRule } from '../../kube/route-rules.js';
import { durationMs, listAt, recordAt, textAt, valueAt } from '../../kube/values.js';
import type { KubeInput, KubeReport, KubeRule } from './kube-rule.js';

/** Shorter than this a timeout of requests is not meant for a connection that stays. */
const SHORT_MS = 3_600_000;

const httpRouteRules = ({ cluster }: KubeInput): RouteRule[] =>
  cluster.webSocketRules.filter(({ manifest }) => manifest.kind === 'HTTPRoute');

/** Whether a route is attached to a Gateway of NGINX Gateway Fabric. */
function isNginxFabric({ cluster }: KubeInput, { object }: Manifest): boolean {
  return listAt(object, ['spec', 'parentRefs']).some((parent) => {
    const name = textAt(parent, ['name']);
    const gateway = cluster.ofKind('Gateway').find((other) => other.name === name);
    return textAt(gateway?.object, ['spec', 'gatewayClassName']) === 'nginx';
  });
}

/** Fields of sessionPersistence by the version of the Gateway API that has them. */
const PERSISTENCE_FIELDS = new Set([
  'sessionName',
  'absoluteTimeout',
  'idleTimeout',
  'type',
  'cookieConfig',
  'cookie',
  'header',
]);
const CHANNEL = 'gateway.networking.k8s.io/channel';
const BUNDLE = 'gateway.networking.k8s.io/bundle-version';

function* persistence(input: KubeInput): Generator<KubeReport> {
  const crd = input.cluster
    .ofKind('CustomResourceDefinition')
    .find(({ name }) => name === 'httproutes.gateway.networking.k8s.io');
  const annotations = recordAt(crd?.object, ['metadata', 'annotations']);
  const channel = textAt(annotations, [CHANNEL]);
  const [, major = '', minor = ''] = /^v(\d+)\.(\d+)/.exec(textAt(annotations, [BUNDLE]) ?? '') ?? [];
  const dropsIdle = major !== '' && (Number(major) > 1 || Number(minor) >= 6);
  for (const { manifest, rule, at } of httpRouteRules(input)) {
    const field: Path = [...at, 'sessionPersistence'];
    const given = recordAt(rule, ['sessionPersistence']);
    if (Object.keys(given).length === 0) continue;
    const wrong = Object.keys(given).find((name) => !PERSISTENCE_FIELDS.has(name));
    if (wrong !== undefined) {
      yield { manifest, at: [...field, wrong], message: `sessionPersistence has no field ${wrong}` };
    } else if (channel === 'standard') {
      yield {
        manifest,
        at: field,
        message: 'the installed CRDs are those of the standard channel, which prune sessionPersistence',
      };
    } else if (dropsIdle && given['idleTimeout'] !== undefined) {
      yield {
        manifest,
        at: [...field, 'idleTimeout'],
        message: 'Gateway API 1.6 has no sessionPersistence.idleTimeout any more',
      };
    } else if (channel === undefined) {
      const message =
        'sessionPersistence is in the experimental channel only: with the standard CRDs it is pruned without a word';
      yield { manifest, at: field, message, severity: 'warning' };
    }
  }
}

export const routeRules: readonly KubeRule[] = [
  {
    id: 'GW001',
    name: 'request-timeout',
    severity: 'warning',
    title: 'A request timeout on a WebSocket rule',
    what: 'An HTTPRoute rule for WebSockets has a short timeouts.request or timeouts.backendRequest.',
    why: 'What it does to an upgraded connection differs: some take it for the handshake, some for the whole life.',
    fix: 'timeouts.request: 0s on the rule for WebSockets.',
    source: 'Gateway API, GEP-1742.',
    *check(input) {
      for (const { manifest, rule, at } of httpRouteRules(input)) {
        if (isNginxFabric(input, manifest)) continue;
        for (const name of ['request', 'backendRequest']) {
          const ms = durationMs(valueAt(rule, ['timeouts', name]));
          if (ms === undefined || ms === 0 || ms >= SHORT_MS) continue;
          const message = `timeouts.${name} of ${ms / 1_000} s may be taken for the life of the connection`;
          yield { manifest, at: [...at, 'timeouts', name], message };
        }
      }
    },
  },
  {
    id: 'GW002',
    name: 'experimental-field',
    severity: 'error',
    title: 'A field that the installed Gateway API does not have',
    what: 'sessionPersistence is used where the CRDs prune it, or with fields of another version.',
    why: 'A pruned field is no error: the route works, without stickiness.',
    fix: 'Install the experimental channel and use the fields of its version, or another way of stickiness.',
    source: 'Gateway API, GEP-1619.',
    check: persistence,
  },
  {
    id: 'GW003',
    name: 'ngf-timeouts',
    severity: 'error',
    title: 'NGINX Gateway Fabric has no route timeouts',
    what: 'An HTTPRoute on NGINX Gateway Fabric sets timeouts.',
    why: 'It does not support them: the route is accepted with a condition that nobody reads, and nginx keeps its 60 s.',
    fix: 'A ProxySettingsPolicy with spec.timeout.read.',
    source: 'nginx/nginx-gateway-fabric, compatibility.',
    *check(input) {
      for (const { manifest, rule, at } of httpRouteRules(input)) {
        if (!isNginxFabric(input, manifest) || valueAt(rule, ['timeouts']) === undefined) continue;
        yield {
          manifest,
          at: [...at, 'timeouts'],
          message: 'NGINX Gateway Fabric ignores the timeouts of an HTTPRoute',
        };
      }
    },
  },
];
