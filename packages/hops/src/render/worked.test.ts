import { describe, expect, it } from 'vitest';
import { render, targetsOf } from './render.js';
import type { TargetName } from './target.js';
import { manifestsOf, type Manifest, worked, WORKED, workedEnvironments } from './worked.fixture.js';

function manifest(policyName: string, environment: string, target: TargetName, kind: string): Manifest {
  const policy = worked(policyName);
  const env = policy.environments.get(environment);
  if (!env) throw new Error(`no environment ${environment}`);
  const found = manifestsOf(policy, env, target).find((object) => object.kind === kind);
  if (!found) throw new Error(`no ${kind}`);
  return found;
}

function textOf(policyName: string, environment: string, target: TargetName, path: string): string {
  const policy = worked(policyName);
  const env = policy.environments.get(environment);
  if (!env) throw new Error(`no environment ${environment}`);
  return render(policy, env, [target])[0]?.files.find((file) => file.path === path)?.text ?? '';
}

const NGINX = 'nginx.ingress.kubernetes.io';

describe('the worked policies', () => {
  it('render for the hops that they have', () => {
    const targets = Object.fromEntries(workedEnvironments().map(({ name, env }) => [name, targetsOf(env)]));
    expect(targets).toEqual({
      'smart-glasses/debug': ['ingress-nginx', 'kubernetes'],
      'smart-glasses/dev': ['ingress-nginx', 'kubernetes'],
      'smart-glasses/staging': ['ingress-nginx', 'kubernetes'],
      'smart-glasses/prod': ['ingress-nginx', 'kubernetes'],
      'chat-platform/production': ['ingress-nginx', 'kubernetes'],
      'three-instances/by-address': ['nginx'],
      'three-instances/by-header': ['nginx'],
      'agents-on-cloud-run/staging': ['cloud-run'],
    });
  });

  it('render to the same bytes every time', () => {
    const all = (): string => JSON.stringify(workedEnvironments().map(({ policy, env }) => render(policy, env)));
    expect(all()).toBe(all());
  });

  it.each(WORKED)('say in every file of %s where it comes from', (name) => {
    for (const env of worked(name).environments.values()) {
      for (const { text } of render(worked(name), env).flatMap(({ files }) => files)) {
        expect(text.split('\n', 1)[0]).toMatch(
          new RegExp(
            `^# Rendered by holdfast from ${name}.yaml, environment ${env.name}, target [a-z-]+\\. Change the policy`,
          ),
        );
      }
    }
  });
});

describe('smart-glasses', () => {
  it.each([
    ['debug', 'cloud-debug-cloud', ['debug.augmentos.cloud', 'debugapi.mentra.glass']],
    ['dev', 'cloud-dev-cloud', ['dev.augmentos.cloud', 'devapi.mentra.glass']],
    ['staging', 'cloud-staging-cloud', ['stagingapi.mentraglass.com']],
    ['prod', 'cloud-prod-cloud', ['global.augmentos.cloud', 'api.mentra.glass']],
  ])('has one Ingress for the WebSocket paths of %s', (environment, service, hosts) => {
    const { metadata, spec } = manifest('smart-glasses', environment, 'ingress-nginx', 'Ingress');
    expect(metadata).toEqual({
      name: `${service}-ws`,
      namespace: 'default',
      labels: { 'holdfast/environment': environment, 'holdfast/service': service, 'holdfast/target': 'ingress-nginx' },
      annotations: {
        'cert-manager.io/cluster-issuer': 'letsencrypt-prod',
        [`${NGINX}/proxy-connect-timeout`]: '60',
        [`${NGINX}/proxy-read-timeout`]: '3600',
        [`${NGINX}/proxy-send-timeout`]: '3600',
      },
    });
    const backend = { service: { name: service, port: { number: 80 } } };
    expect(spec).toEqual({
      ingressClassName: 'nginx',
      tls: hosts.map((host) => ({ hosts: [host], secretName: `${service}-${host.replaceAll('.', '-')}` })),
      rules: hosts.map((host) => ({
        host,
        http: { paths: ['/glasses-ws', '/app-ws'].map((path) => ({ path, pathType: 'Prefix', backend })) },
      })),
    });
  });

  it('writes the numbers as strings in the YAML itself, with where they come from', () => {
    const text = textOf('smart-glasses', 'prod', 'ingress-nginx', 'ingress-nginx/cloud-prod-cloud-ws.yaml');
    expect(text).toContain(`${NGINX}/proxy-read-timeout: "3600" # silence of both directions, 1h\n`);
  });

  it('says that Cloudflare hides the addresses of clients', () => {
    const policy = worked('smart-glasses');
    const notes = [...policy.environments.values()].flatMap(
      (env) => render(policy, env, ['ingress-nginx'])[0]?.notes ?? [],
    );
    expect(notes.filter((note) => note.includes('cloudflare') && note.includes('use-forwarded-headers'))).toHaveLength(
      4,
    );
  });
});

describe('chat-platform', () => {
  it('has cookie affinity with all its attributes', () => {
    const { metadata, spec } = manifest('chat-platform', 'production', 'ingress-nginx', 'Ingress');
    expect(metadata.name).toBe('messaging-service-ws');
    expect(metadata.namespace).toBe('nova');
    expect(metadata.annotations).toMatchObject({
      [`${NGINX}/affinity`]: 'cookie',
      [`${NGINX}/affinity-mode`]: 'persistent',
      [`${NGINX}/session-cookie-name`]: 'SERVERID',
      [`${NGINX}/session-cookie-path`]: '/',
      [`${NGINX}/session-cookie-max-age`]: '86400',
      [`${NGINX}/session-cookie-expires`]: '86400',
      [`${NGINX}/session-cookie-secure`]: 'true',
    });
    expect(Object.keys(metadata.annotations ?? {}).join(' ')).not.toContain('httponly');
    expect(JSON.stringify(spec)).toContain('"host":"api.nova.social"');
    for (const path of ['/messaging', '/streaming']) expect(JSON.stringify(spec)).toContain(`"path":"${path}"`);
  });

  it('has ClientIP affinity of three hours at a Service with both ports', () => {
    const { spec } = manifest('chat-platform', 'production', 'kubernetes', 'Service');
    expect(spec).toMatchObject({
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } },
      ports: [
        { name: 'http', port: 8080, protocol: 'TCP' },
        { name: 'grpc', port: 8081, protocol: 'TCP' },
      ],
    });
  });

  it('has a preStop sleep of 10 s, a grace period of 45 s, one surplus pod and none missing', () => {
    const { spec } = manifest('chat-platform', 'production', 'kubernetes', 'Deployment');
    expect(spec).toMatchObject({
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        spec: {
          terminationGracePeriodSeconds: 45,
          containers: [{ name: 'messaging-service', lifecycle: { preStop: { sleep: { seconds: 10 } } } }],
        },
      },
    });
    expect(manifest('chat-platform', 'production', 'kubernetes', 'PodDisruptionBudget').spec).toMatchObject({
      maxUnavailable: 1,
    });
  });
});

describe('three-instances', () => {
  const conf = (environment: string): string =>
    textOf('three-instances', environment, 'nginx', 'nginx/conf.d/three-instances.conf');

  it('hashes addresses in one environment and a header in the other', () => {
    expect(conf('by-address')).toContain('\n    ip_hash;');
    expect(conf('by-address')).not.toContain('hash $');
    expect(conf('by-header')).toContain('hash $x_session_id_key consistent;');
    expect(conf('by-header')).not.toContain('ip_hash');
  });

  it.each(['by-address', 'by-header'])(
    'has all three pods, TLS, and both locations with their clocks: %s',
    (environment) => {
      const text = conf(environment);
      for (const port of [3003, 3004, 3005])
        expect(text).toContain(`server 127.0.0.1:${port} max_fails=3 fail_timeout=10s`);
      expect(text).toContain('ssl_certificate /etc/letsencrypt/live/api.x-or.cloud/fullchain.pem;');
      const [webSocket = '', rest = ''] =
        text.split('location /dev/aiwm/chat {')[1]?.split('location /dev/aiwm {') ?? [];
      expect(webSocket).toContain('proxy_read_timeout 604800s;');
      expect(webSocket).toContain('proxy_set_header Upgrade $http_upgrade;');
      expect(webSocket).toContain('proxy_set_header Connection $connection_upgrade;');
      expect(rest).toContain('proxy_read_timeout 60s;');
      expect(rest).not.toContain('$http_upgrade');
    },
  );

  it('connects for no longer than the kernel does, and says so', () => {
    const text = conf('by-address');
    expect(text).toContain('proxy_connect_timeout 75s;');
    expect(text).toContain('connect of /dev/aiwm/chat is 75s, not 7d');
  });
});

describe('agents-on-cloud-run', () => {
  it('has 4 cpu, 4Gi and a timeout of 600 s', () => {
    const { spec } = manifest('agents-on-cloud-run', 'staging', 'cloud-run', 'Service');
    expect(spec).toMatchObject({
      template: {
        spec: {
          timeoutSeconds: 600,
          containers: [{ image: 'agents', resources: { limits: { cpu: '4', memory: '4Gi' } } }],
        },
      },
    });
  });
});
