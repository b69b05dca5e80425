import type { Environment } from '@holdfast/policy';
import { describe, expect, it } from 'vitest';
import { COOKIE, environment, hop, HTTP, policyOf, route } from './environment.fixture.js';
import { hasModel, typeProblems, validate } from './schema.fixture.js';
import type { TargetName } from './target.js';
import { manifestsOf, type Manifest, workedEnvironments } from './worked.fixture.js';

const rich: Partial<Environment> = {
  tls: { issuer: { kind: 'Issuer', name: 'ca' }, secrets: new Map() },
  service: { name: 'chat', ports: [HTTP], port: HTTP, image: 'chat:1', clientIpMs: 10_800_000 },
  resources: { cpu: '500m', memory: '1Gi', cpuLimit: '2', memoryLimit: '2Gi' },
  rollout: {
    ...environment().rollout,
    autoscale: { min: 2, max: 10, cpuPercent: 60, stabilizationMs: 600_000, scaleDownMs: 300_000 },
  },
  stickiness: COOKIE,
  routes: [
    route('/ws', { stickiness: COOKIE }),
    route('/exact', { match: 'exact', stickiness: COOKIE }),
    route('/api', { kind: 'rest', readMs: 60_000, stickiness: COOKIE }),
  ],
};

/** What only some policies ask for, beside the worked ones. */
const CASES: readonly (readonly [TargetName, Partial<Environment>])[] = [
  ['ingress-nginx', { hops: [hop('ingress-nginx', { class: 'internal' })], ...rich }],
  ['ingress-nginx', { stickiness: { by: 'ip' }, routes: [route('/a', { stickiness: { by: 'ip' } })] }],
  ['kubernetes', { hops: [hop('istio')], ...rich }],
  ['kubernetes', { hops: [hop('envoy-gateway')] }],
  ['gateway-api', { hops: [hop('envoy-gateway', { gateway: 'edge', namespace: 'infra' })], ...rich }],
  ['gateway-api', { hops: [hop('nginx-gateway-fabric')] }],
  ['gateway-api', { hops: [hop('gcp-global-alb')], ...rich }],
  ['gateway-api', { hops: [hop('gateway-api', { channel: 'experimental', version: '1.3' })], ...rich }],
  ['istio', { hops: [hop('istio')], ...rich }],
  ['istio', { stickiness: { by: 'session' }, routes: [route('/ws', { stickiness: { by: 'session' } })] }],
  ['aws', { hops: [hop('aws-alb', { certificate: 'arn:aws:acm:eu-west-1:1:certificate/1' })], ...rich }],
  ['aws', { hops: [hop('aws-nlb', { proxyProtocol: true }), hop('ingress-nginx')], ...rich }],
];

const manifests: readonly Manifest[] = [
  ...workedEnvironments().flatMap(({ policy, env }) =>
    (['ingress-nginx', 'kubernetes', 'gateway-api', 'istio', 'aws'] as const).flatMap((target) => {
      try {
        return manifestsOf(policy, env, target);
      } catch {
        // Which wishes are refused, render.test.ts says.
        return [];
      }
    }),
  ),
  ...CASES.flatMap(([target, more]) => {
    const env = environment(more);
    return manifestsOf(policyOf(env), env, target);
  }),
].filter(hasModel);

describe('what is rendered for Kubernetes', { timeout: 60_000 }, () => {
  it('has every kind that has a schema', () => {
    expect([...new Set(manifests.map(({ kind }) => kind))].sort()).toEqual([
      'Deployment',
      'DestinationRule',
      'Gateway',
      'HTTPRoute',
      'HorizontalPodAutoscaler',
      'Ingress',
      'PodDisruptionBudget',
      'Service',
      'VirtualService',
    ]);
  });

  it('is valid by the schema of each kind', () => {
    const problems = manifests.flatMap((manifest) => {
      try {
        validate(manifest);
        return [];
      } catch (error) {
        return [`${manifest.kind} ${manifest.metadata.name}: ${String(error)}`];
      }
    });
    expect(problems).toEqual([]);
  });

  it('has no member that the type of its kind does not have', () => {
    const [first] = manifests;
    if (!first) throw new Error('nothing to judge');
    const wrong = { ...first, spec: { ...first.spec, bogus: 1 } };
    const problems = typeProblems([...manifests, wrong]);
    // The models are of the standard CRDs, which do not have it: that is why it is rendered for the experimental ones alone.
    const known = /"(?:bogus|sessionPersistence)"/;
    expect(problems.filter((problem) => !known.test(problem))).toEqual([]);
    expect(
      problems.filter((problem) => problem.includes('"bogus"')),
      'a member too many is found',
    ).toHaveLength(1);
    expect(problems.filter((problem) => problem.includes('"sessionPersistence"'))).toHaveLength(3);
  });

  it('has annotations and labels that are strings', () => {
    const values = manifests.flatMap(({ metadata: { labels, annotations = {} } }) => [
      ...Object.values(labels),
      ...Object.values(annotations),
    ]);
    expect(values.filter((value: unknown) => typeof value !== 'string')).toEqual([]);
  });

  it('carries no mark of Helm, which would make it somebody else’s', () => {
    const text = JSON.stringify(manifests.map(({ metadata }) => metadata));
    expect(text).not.toMatch(/helm|managed-by/i);
  });
});
