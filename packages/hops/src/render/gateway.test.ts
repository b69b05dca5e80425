import type { Environment } from '@holdfast/policy';
import { describe, expect, it } from 'vitest';
import { COOKIE, environment, hop, policyOf, route } from './environment.fixture.js';
import { manifestsOf, type Manifest } from './worked.fixture.js';

/*
 * There are no schemas of these policies on npm that would notice a member too many. So their members are compared with what the
 * sources of each implementation say, written down here once more by hand.
 */

function policies(more: Partial<Environment>): Manifest[] {
  const env = environment(more);
  return manifestsOf(policyOf(env), env, 'gateway-api').filter(({ kind }) => kind !== 'HTTPRoute');
}

const routes = [
  route('/ws', { stickiness: COOKIE }),
  route('/api', { kind: 'rest', readMs: 30_000, stickiness: COOKIE }),
];
const target = (kind: string, name: string): object => ({ group: 'gateway.networking.k8s.io', kind, name });

describe('the policies of Envoy Gateway', () => {
  it('raise the idle timeout of the Gateway and of the WebSocket route, and the thresholds', () => {
    const made = policies({
      hops: [hop('cloudflare'), hop('envoy-gateway', { gateway: 'edge' })],
      stickiness: COOKIE,
      routes,
    });
    expect(made.map(({ apiVersion, kind, metadata: { name } }) => [apiVersion, kind, name])).toEqual([
      ['gateway.envoyproxy.io/v1alpha1', 'ClientTrafficPolicy', 'chat'],
      ['gateway.envoyproxy.io/v1alpha1', 'BackendTrafficPolicy', 'chat-ws'],
      ['gateway.envoyproxy.io/v1alpha1', 'BackendTrafficPolicy', 'chat-rest'],
    ]);
    expect(made[0]?.spec).toEqual({
      targetRefs: [target('Gateway', 'edge')],
      clientIPDetection: { xForwardedFor: { numTrustedHops: 1 } },
      timeout: { http: { streamIdleTimeout: '1h' } },
    });
    expect(made[1]?.spec).toEqual({
      targetRefs: [target('HTTPRoute', 'chat-ws')],
      timeout: { tcp: { connectTimeout: '5s' }, http: { streamIdleTimeout: '1h' } },
      loadBalancer: {
        type: 'ConsistentHash',
        consistentHash: {
          type: 'Cookie',
          cookie: {
            name: 'SERVERID',
            ttl: '24h',
            attributes: { Path: '/', SameSite: 'None', HttpOnly: '', Secure: '' },
          },
        },
      },
      circuitBreaker: { maxConnections: 30_000, maxParallelRequests: 30_000, maxPendingRequests: 1024 },
      healthCheck: {
        active: {
          type: 'HTTP',
          interval: '5s',
          timeout: '2s',
          unhealthyThreshold: 3,
          healthyThreshold: 2,
          http: { path: '/readyz', expectedStatuses: [200] },
        },
        passive: { consecutiveGatewayErrors: 3, baseEjectionTime: '10s' },
      },
    });
  });

  it('go with routes whose requests have no timeout', () => {
    const env = environment({ hops: [hop('envoy-gateway')] });
    const [webSocket, rest] = manifestsOf(policyOf(env), env, 'gateway-api');
    expect(webSocket?.spec).toMatchObject({ rules: [{ timeouts: { request: '0s' } }] });
    expect(rest?.spec).toMatchObject({ rules: [{ timeouts: { request: '60s' } }] });
  });
});

describe('the policies of NGINX Gateway Fabric', () => {
  it('have the timeouts that its routes cannot have', () => {
    const env = environment({ hops: [hop('nginx-gateway-fabric')] });
    const [webSocket] = manifestsOf(policyOf(env), env, 'gateway-api');
    expect(JSON.stringify(webSocket?.spec)).not.toContain('timeouts');
    expect(policies({ hops: [hop('nginx-gateway-fabric')] }).map(({ kind, spec }) => [kind, spec])).toEqual([
      [
        'ProxySettingsPolicy',
        { targetRefs: [target('HTTPRoute', 'chat-ws')], timeout: { connect: '5s', read: '3600s', send: '60s' } },
      ],
      [
        'ProxySettingsPolicy',
        { targetRefs: [target('HTTPRoute', 'chat-rest')], timeout: { connect: '5s', read: '60s', send: '60s' } },
      ],
      [
        'UpstreamSettingsPolicy',
        {
          targetRefs: [{ group: 'core', kind: 'Service', name: 'chat' }],
          loadBalancingMethod: 'random two least_conn',
        },
      ],
    ]);
  });

  it('stick by address where that is asked for', () => {
    const stickiness = { by: 'ip' } as const;
    const made = policies({ hops: [hop('nginx-gateway-fabric')], stickiness, routes: [route('/ws', { stickiness })] });
    expect(made.at(-1)?.spec).toMatchObject({ loadBalancingMethod: 'ip_hash' });
  });
});

describe('the policies of GKE', () => {
  it('have the backend timeout, draining and affinity at the Service, and a health check of its own', () => {
    const made = policies({ hops: [hop('gcp-global-alb')], stickiness: COOKIE, routes });
    const targetRef = { group: '', kind: 'Service', name: 'chat' };
    expect(made.map(({ apiVersion, kind, spec }) => [apiVersion, kind, spec])).toEqual([
      [
        'networking.gke.io/v1',
        'GCPBackendPolicy',
        {
          default: {
            timeoutSec: 3600,
            connectionDraining: { drainingTimeoutSec: 30 },
            sessionAffinity: { type: 'GENERATED_COOKIE', cookieTtlSec: 86_400 },
          },
          targetRef,
        },
      ],
      [
        'networking.gke.io/v1',
        'HealthCheckPolicy',
        {
          default: {
            checkIntervalSec: 5,
            timeoutSec: 2,
            healthyThreshold: 2,
            unhealthyThreshold: 3,
            config: { type: 'HTTP', httpHealthCheck: { port: 8080, requestPath: '/readyz' } },
          },
          targetRef,
        },
      ],
    ]);
  });
});
