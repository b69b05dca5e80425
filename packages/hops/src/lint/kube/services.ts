import { numberAt, textAt } from '../../kube/values.js';
import { annotation, clientIpBehindIngress, isByClientIp, type KubeRule, webSocketIngresses } from './kube-rule.js';

/** Kubernetes' default of sessionAffinityConfig.clientIP.timeoutSeconds. */
const CLIENT_IP_SECONDS = 10_800;

export const serviceRules: readonly KubeRule[] = [
  {
    id: 'K8S008',
    name: 'client-ip-timeout',
    severity: 'warning',
    title: 'ClientIP affinity ends before the connection',
    what: 'A Service has sessionAffinity ClientIP with a timeout below the life of a WebSocket.',
    why: 'The time runs from the last new connection, not from traffic: after it a reconnect goes to any pod.',
    fix: 'Raise timeoutSeconds above the longest connection, or use a cookie.',
    source: 'kube-proxy, iptables mode.',
    *check({ cluster, numbers }) {
      // An affinity that nobody asks is ING021, whatever its timeout.
      const unasked = new Set(Array.from(clientIpBehindIngress(cluster), ({ service }) => service));
      const lifeSeconds = numbers.maxAgeMs === undefined ? undefined : numbers.maxAgeMs / 1_000;
      for (const manifest of cluster.services) {
        if (!isByClientIp(manifest) || unasked.has(manifest)) continue;
        const at = ['spec', 'sessionAffinityConfig', 'clientIP', 'timeoutSeconds'];
        const seconds = numberAt(manifest.object, at) ?? CLIENT_IP_SECONDS;
        const isEnough = lifeSeconds === undefined ? seconds > CLIENT_IP_SECONDS : seconds >= lifeSeconds;
        if (isEnough) continue;
        const life =
          lifeSeconds === undefined ? 'a WebSocket lives without a bound' : `a WebSocket lives up to ${lifeSeconds} s`;
        yield {
          manifest,
          at,
          message: `the affinity is forgotten ${seconds} s after the last new connection, and ${life}`,
        };
      }
    },
  },
  {
    id: 'K8S009',
    name: 'external-traffic-policy',
    severity: 'error',
    title: 'The Service hides the client’s address',
    what: 'A Service of type LoadBalancer with externalTrafficPolicy Cluster, and stickiness by address.',
    why: 'The node that takes the connection replaces the client’s address by its own: few addresses, few buckets.',
    fix: 'externalTrafficPolicy: Local, or PROXY protocol.',
    source: 'Kubernetes, preserving the client source IP.',
    *check({ cluster }) {
      const isByAddress = webSocketIngresses(cluster).some((one) =>
        /\$(?:binary_)?remote_addr\b/.test(annotation(one, 'upstream-hash-by') ?? ''),
      );
      for (const manifest of cluster.ofKind('Service')) {
        if (textAt(manifest.object, ['spec', 'type']) !== 'LoadBalancer') continue;
        if ((textAt(manifest.object, ['spec', 'externalTrafficPolicy']) ?? 'Cluster') !== 'Cluster') continue;
        const isOwn = isByClientIp(manifest) && cluster.isReached(manifest.namespace, manifest.name);
        // That the controller hashes such an address is told where it hashes it.
        if (!isOwn || isByAddress) continue;
        const message = 'with externalTrafficPolicy Cluster the affinity sees the addresses of nodes';
        yield { manifest, at: ['spec', 'externalTrafficPolicy'], message };
      }
    },
  },
];
