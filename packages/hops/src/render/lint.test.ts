import type { Environment, Policy } from '@holdfast/policy';
import { describe, expect, it } from 'vitest';
import { memoryFiles } from '../files.js';
import { given } from '../lint/collect.js';
import { lint } from '../lint/engine.js';
import { LINTERS } from '../lint/linters.js';
import { Source } from '../source.js';
import { COOKIE, environment, hop, policyOf, pods, route } from './environment.fixture.js';
import { render } from './render.js';
import type { TargetName } from './target.js';
import { workedEnvironments } from './worked.fixture.js';

/** What lint says of a rendering, as `RULE severity`. */
function findings(policy: Policy, env: Environment, targets?: readonly TargetName[]): string[] {
  const files = render(policy, env, targets).flatMap((rendering) => rendering.files);
  const sources = files.map(({ path, text }) => new Source(path, text));
  const context = {
    environments: [env],
    files: memoryFiles(Object.fromEntries(files.map(({ path, text }) => [path, text]))),
  };
  const report = lint(given(...sources), { linters: LINTERS, context });
  return [...new Set(report.findings.map(({ rule, severity }) => `${rule} ${severity}`))];
}

const sticky = (more: Partial<Environment>): Environment =>
  environment({
    stickiness: COOKIE,
    routes: [route('/ws', { stickiness: COOKIE }), route('/api', { kind: 'rest', stickiness: COOKIE, readMs: 60_000 })],
    drain: { ...environment().drain, maxAgeMs: 1_200_000 },
    ...more,
  });

describe('lint of what is rendered', () => {
  it.each<[TargetName, Environment]>([
    ['nginx', sticky({ pods: pods(1, 2, 3), hops: [hop('nginx')] })],
    ['haproxy', sticky({ pods: pods(1, 2, 3), hops: [hop('haproxy')] })],
    ['envoy', sticky({ pods: pods(1, 2, 3), hops: [hop('envoy')] })],
    ['gateway-api', sticky({ hops: [hop('envoy-gateway')] })],
    ['gateway-api', sticky({ hops: [hop('gcp-global-alb')] })],
    ['istio', sticky({ hops: [hop('istio')] })],
    ['aws', sticky({ hops: [hop('aws-alb')] })],
    ['kubernetes', sticky({ hops: [hop('envoy-gateway')] })],
    [
      'cloud-run',
      sticky({
        hops: [hop('cloud-run')],
        service: { ...environment().service, image: 'chat:1' },
        resources: { requestMs: 3_600_000 },
      }),
    ],
  ])('finds nothing in %s when the policy is sound', (target, env) => {
    expect(findings(policyOf(env), env, [target])).toEqual([]);
  });

  it('finds in ingress-nginx that it is retired, and nothing else', () => {
    const env = sticky({ hops: [hop('ingress-nginx')] });
    expect(findings(policyOf(env), env, ['ingress-nginx'])).toEqual(['ING001 warning']);
  });

  it('finds in the worked policies what check finds: it is the policy that asks for it', () => {
    const found = Object.fromEntries(
      workedEnvironments().map(({ name, policy, env }) => [name, findings(policy, env).sort()]),
    );
    expect(found).toEqual({
      'smart-glasses/debug': ['ING001 warning'],
      'smart-glasses/dev': ['ING001 warning'],
      'smart-glasses/staging': ['ING001 warning'],
      'smart-glasses/prod': ['ING001 warning'],
      'chat-platform/production': ['ING001 warning', 'ING021 warning', 'K8S002 error'],
      'three-instances/by-address': ['NGX014 info', 'NGX018 warning'],
      'three-instances/by-header': ['NGX014 info'],
      'agents-on-cloud-run/staging': ['CLD003 error'],
    });
  });
});
