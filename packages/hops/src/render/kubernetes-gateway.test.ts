import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from '@holdfast/policy';
import { describe, expect, it } from 'vitest';
import { readManifests } from '../kube/manifest.js';
import { recordAt, valueAt } from '../kube/values.js';
import { Source } from '../source.js';
import { render } from './render.js';
import { typeProblems, validate } from './schema.fixture.js';
import type { Manifest } from './worked.fixture.js';

const path = join(import.meta.dirname, '../../../../examples/policies/behind-gateway.yaml');
const text = readFileSync(path, 'utf8');
const { policy } = parse(text, { path: 'behind-gateway.yaml', variables: {} });
const env = policy?.environments.get('production');
if (!policy || !env) throw new Error('the example cannot be read');

const rendered = (target: 'kubernetes' | 'ingress-nginx') =>
  render(policy, env, [target]).flatMap(({ files }) =>
    files.flatMap((file) => readManifests(new Source(file.path, file.text)).manifests),
  );
const objects = rendered('kubernetes');
const kubeObjects = objects.map(({ object }) => object as unknown as Manifest);
const objectOf = (kind: string, name = 'chat-gateway') =>
  objects.find((one) => one.kind === kind && one.name === name)?.object;

describe('the gateway as a Deployment', () => {
  it('stands beside the application, with rights to watch its pods and no others', () => {
    const kinds = objects.filter(({ name }) => name === 'chat-gateway').map(({ kind }) => kind);
    expect(kinds).toEqual([
      'ServiceAccount',
      'Role',
      'RoleBinding',
      'ConfigMap',
      'Deployment',
      'Service',
      'PodDisruptionBudget',
    ]);
    expect(objectOf('Deployment', 'chat')).toBeDefined();
    expect(valueAt(objectOf('Role'), ['rules'])).toEqual([
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['get', 'list', 'watch'] },
    ]);
  });

  it('is made of objects that Kubernetes takes', () => {
    for (const manifest of kubeObjects) validate(manifest);
    expect(typeProblems(kubeObjects)).toEqual([]);
    // It runs the compiler.
  }, 60_000);

  it('carries the policy as it is written', () => {
    expect(valueAt(objectOf('ConfigMap'), ['data', 'holdfast.yaml'])).toBe(text);
    const container = valueAt(objectOf('Deployment'), ['spec', 'template', 'spec', 'containers', 0]);
    expect(valueAt(container, ['args'])).toEqual([
      'gateway',
      '-f',
      '/etc/holdfast/holdfast.yaml',
      '--env',
      'production',
      '--json',
    ]);
    expect(recordAt(container, ['readinessProbe', 'httpGet'])).toEqual({ path: '/readyz', port: 'admin' });
  });

  it('gives its Service the ports of the application’s, and leads those in front to it', () => {
    expect(valueAt(objectOf('Service'), ['spec', 'ports', 0])).toMatchObject({ port: 80, targetPort: 'http' });
    const backends = rendered('ingress-nginx').map(({ object }) =>
      valueAt(object, ['spec', 'rules', 0, 'http', 'paths', 0, 'backend', 'service', 'name']),
    );
    expect(backends).toEqual(['chat-gateway']);
  });

  it('leaves the grace period room for preStop and drain', () => {
    const pod = recordAt(objectOf('Deployment'), ['spec', 'template', 'spec']);
    const grace = pod['terminationGracePeriodSeconds'] as number;
    expect(grace * 1_000).toBeGreaterThan(env.drain.preStopMs + env.drain.deadlineMs);
  });
});
