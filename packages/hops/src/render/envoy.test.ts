import type { Environment, Stickiness } from '@holdfast/policy';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { bootstrapProblems } from './envoy-schema.fixture.js';
import { COOKIE, environment, hop, policyOf, pods, route } from './environment.fixture.js';
import { render } from './render.js';
import { worked } from './worked.fixture.js';

interface Bootstrap {
  readonly static_resources: { readonly listeners: unknown[]; readonly clusters: Record<string, unknown>[] };
}

function bootstrapOf(env: Environment, policy = policyOf(env)): Bootstrap {
  const file = render(policy, env, ['envoy'])[0]?.files[0];
  return parse(file?.text ?? '') as Bootstrap;
}

const withPods = (more: Partial<Environment> = {}): Environment =>
  environment({ pods: pods(3003, 3004), hops: [hop('envoy')], ...more });

const sticky = (stickiness: Stickiness): Environment =>
  withPods({ stickiness, routes: [route('/ws', { stickiness }), route('/api', { kind: 'rest', stickiness })] });

describe('a rendered Envoy bootstrap', { timeout: 60_000 }, () => {
  it.each<[string, Environment]>([
    ['with the defaults', withPods()],
    ['of a Service', environment()],
    ['by address', sticky({ by: 'ip' })],
    ['by session, with a bound on load', sticky({ by: 'session', maxLoad: 1.25 })],
    ['by header', sticky({ by: 'header', header: 'X-User' })],
    ['by cookie', sticky(COOKIE)],
    ['with TLS', withPods({ tls: { secrets: new Map(), certificate: '/c.pem', key: '/k.pem' } })],
    ['behind Cloudflare', withPods({ hops: [hop('cloudflare'), hop('envoy', { port: 8443 })] })],
    [
      'with routes of one host, exact ones, least connections and a backup',
      withPods({
        hosts: ['a.example.com', 'b.example.com'],
        routes: [
          route('/ws', { match: 'exact', hosts: ['a.example.com'], stickiness: { by: 'none', balance: 'least' } }),
          route('/'),
        ],
        pods: [...pods(1), { host: 'backup.internal', port: 2, weight: 3, backup: true }],
      }),
    ],
  ])('is valid by the protos of Envoy: %s', (_name, env) => {
    expect(bootstrapProblems(bootstrapOf(env))).toEqual([]);
  });

  it('is valid for the worked policy whose pods are known', () => {
    const policy = worked('three-instances');
    for (const env of policy.environments.values()) expect(bootstrapProblems(bootstrapOf(env, policy))).toEqual([]);
  });

  it('would be found invalid', () => {
    const bootstrap = bootstrapOf(withPods());
    const [cluster] = bootstrap.static_resources.clusters;
    if (!cluster) throw new Error('no cluster');
    expect(bootstrapProblems({ ...bootstrap, bogus: 1 })).toEqual(['.bogus is not known to Bootstrap']);
    cluster['lb_policy'] = 'SOMEHOW';
    cluster['connect_timeout'] = '5';
    expect(bootstrapProblems(bootstrap)).toEqual([
      '.static_resources.clusters[0].connect_timeout is no duration: 5',
      '.static_resources.clusters[0].lb_policy is no LbPolicy: SOMEHOW',
    ]);
  });

  it('upgrades WebSocket routes alone, without a timeout of the request, and with their idle limit', () => {
    const text = JSON.stringify(bootstrapOf(withPods()));
    expect(text).toContain(
      '{"match":{"path_separated_prefix":"/ws"},"route":{"cluster":"chat","timeout":"0s","idle_timeout":"3600s","upgrade_configs":[{"upgrade_type":"websocket"}]',
    );
    expect(text).toContain('{"match":{"path_separated_prefix":"/api"},"route":{"cluster":"chat","timeout":"60s"}}');
    expect(text.match(/upgrade_type/g)).toHaveLength(1);
  });

  it('raises the thresholds to all connections that the pods may hold', () => {
    const [cluster] = bootstrapOf(withPods()).static_resources.clusters;
    expect(cluster?.['circuit_breakers']).toMatchObject({
      thresholds: [{ max_connections: 30_000, max_requests: 30_000 }],
    });
  });
});
