import { type Environment, formatDuration } from '@holdfast/policy';
import { ownLabels, frontService } from './chain.js';
import type { Implementation } from './gateway-implementation.js';
import { unsupported } from './target.js';
import { seconds } from './units.js';
import { noted, type Yaml } from './yaml.js';

const API = 'gateway.nginx.org/v1alpha1';

/** NGINX Gateway Fabric 2.6 and later, which has timeouts in its ProxySettingsPolicy. Its open source nginx sticks by address only. */
export const nginxFabricPolicies: Implementation = {
  kinds: ['nginx-gateway-fabric'],
  hasRouteTimeouts: false,
  sticksBy: ({ by }) => by === 'ip',
  policies(env, groups, notes) {
    notes.add(
      'timeouts of an HTTPRoute are not supported by NGINX Gateway Fabric, so they are in its ProxySettingsPolicy',
    );
    notes.add(
      'its open source data plane reloads when endpoints change, and old workers keep what they have: set worker_shutdown_timeout',
    );
    const isByAddress = env.stickiness.by === 'ip';
    if (env.routes.some(({ stickiness }) => (stickiness.by === 'ip') !== isByAddress)) {
      const instead = 'an UpstreamSettingsPolicy has one way for the whole Service: set it for the environment';
      throw unsupported('gateway-api', 'stickiness by address of one route', instead);
    }
    const settings = groups.map(({ name, first }): Yaml => ({
      apiVersion: API,
      kind: 'ProxySettingsPolicy',
      metadata: { name, namespace: env.namespace, labels: ownLabels(env, 'gateway-api') },
      spec: {
        targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name }],
        timeout: {
          connect: `${seconds(first.connectMs)}s`,
          read: noted(
            `${seconds(first.readMs)}s`,
            first.kind === 'websocket'
              ? `silence of both directions, ${formatDuration(first.readMs)}`
              : 'silence of the pod',
          ),
          send: noted(`${seconds(first.sendMs)}s`, 'the pod takes no byte; no idle timeout'),
        },
      },
    }));
    return [...settings, upstreamSettings(env)];
  },
};

const upstreamSettings = (env: Environment): Yaml => ({
  apiVersion: API,
  kind: 'UpstreamSettingsPolicy',
  metadata: { name: env.service.name, namespace: env.namespace, labels: ownLabels(env, 'gateway-api') },
  spec: {
    targetRefs: [{ group: 'core', kind: 'Service', name: frontService(env) }],
    loadBalancingMethod:
      env.stickiness.by === 'ip' ? noted('ip_hash', 'a /24 goes to one pod') : 'random two least_conn',
  },
});
