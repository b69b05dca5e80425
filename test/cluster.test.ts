import { describe, expect, it } from 'vitest';
import { ingress, NGINX, PLATFORM, ScriptedCluster } from './cluster.fixture.js';

// A scripted kubectl stands in for a cluster: see docs/guides/apply.md.

const changes = (cluster: ScriptedCluster): string[] =>
  cluster.calls
    .filter(([verb, ...rest]) => verb === 'delete' || (verb === 'apply' && !rest.includes('--dry-run=server')))
    .map(([verb = '']) => verb);

describe.concurrent('holdfast apply', () => {
  it('has the server check first, shows the difference, applies, and verifies the controller', async () => {
    using cluster = new ScriptedCluster();
    const { code, out } = await cluster.holdfast('apply', '--yes');
    expect(out).toContain('+      "nginx.ingress.kubernetes.io/proxy-read-timeout": "3600"');
    expect(out).toContain('global.augmentos.cloud/glasses-ws/ has connect 60 s, send 3600 s, read 3600 s');
    expect(out).toContain('global.augmentos.cloud/ of default/cloud-prod-cloud kept connect 5 s, send 60 s, read 90 s');
    expect(out).toMatch(/all right$/);
    expect(code).toBe(0);
    expect(cluster.ingresses).toEqual(['cloud-prod-cloud', 'cloud-prod-cloud-ws']);
    const verbs = cluster.calls.map(([verb, ...rest]) => (rest.includes('--dry-run=server') ? `${verb} (dry)` : verb));
    expect(verbs.indexOf('apply (dry)')).toBeLessThan(verbs.indexOf('diff'));
    expect(verbs.indexOf('diff')).toBeLessThan(verbs.indexOf('apply'));
    for (const call of cluster.calls.filter(([verb]) => verb === 'apply')) {
      expect(call).toContain('--server-side');
      expect(call).not.toContain('--force-conflicts');
    }
  });

  it('changes nothing the second time', async () => {
    using cluster = new ScriptedCluster();
    await cluster.holdfast('apply', '--yes');
    const before = changes(cluster).length;
    const { code, out } = await cluster.holdfast('apply', '--yes');
    expect({ code, more: changes(cluster).length - before }).toEqual({ code: 0, more: 0 });
    expect(out).toContain('nothing to change');
  });

  it('only looks with --dry-run, and asks for --yes where there is nobody to ask', async () => {
    using cluster = new ScriptedCluster();
    expect((await cluster.holdfast('apply', '--dry-run')).code).toBe(0);
    const { code, error } = await cluster.holdfast('apply');
    expect({ code, error }).toMatchObject({ code: 2, error: expect.stringContaining('--yes') as string });
    expect(changes(cluster)).toEqual([]);
  });

  it.each([
    ['a Helm release', { annotations: { 'meta.helm.sh/release-name': 'cloud-prod' } }, 'the Helm release cloud-prod'],
    ['a chart', { labels: { 'helm.sh/chart': 'cloud-1.4.2' } }, 'the Helm chart cloud-1.4.2'],
    ['Argo CD', { labels: { 'argocd.argoproj.io/instance': 'cloud' } }, 'Argo CD’s cloud'],
    ['Flux', { labels: { 'kustomize.toolkit.fluxcd.io/name': 'cloud' } }, 'the Flux kustomization cloud'],
    [
      'a field manager',
      { managedFields: [{ manager: 'kubectl-edit', operation: 'Update' }] },
      'the field manager kubectl-edit',
    ],
    ['nobody it knows', {}, 'somebody else'],
  ])('does not touch an Ingress of that name that belongs to %s', async (_, metadata, who) => {
    using cluster = new ScriptedCluster({
      objects: [PLATFORM.controller, ingress('cloud-prod-cloud-ws', '/', metadata)],
    });
    const { code, error } = await cluster.holdfast('apply', '--yes');
    expect(error).toContain('HF_NOT_OURS');
    expect(error).toContain('ingress.networking.k8s.io/cloud-prod-cloud-ws in default');
    expect(error).toContain(who);
    expect(code).toBe(1);
    expect(changes(cluster)).toEqual([]);
  });

  it('tells of a conflict over a field of ours, instead of forcing it', async () => {
    using cluster = new ScriptedCluster();
    await cluster.holdfast('apply', '--yes');
    cluster.change('cloud-prod-cloud-ws', ({ annotations, managedFields }) => {
      annotations[`${NGINX}/proxy-read-timeout`] = '60';
      managedFields.push({ manager: 'kubectl-annotate', operation: 'Update' });
    });
    const { code, error } = await cluster.holdfast('apply', '--yes');
    expect(error).toContain('conflict with "kubectl-annotate"');
    expect(code).toBe(1);
  });

  it('fails, and says so, while the controller has not taken it', async () => {
    using cluster = new ScriptedCluster({ objects: Object.values(PLATFORM), loaded: Object.values(PLATFORM) });
    const { code, out } = await cluster.holdfast('apply', '--yes');
    expect(out).toContain('the controller has no such location yet');
    expect(code).toBe(1);
  });

  it.each(['{}', '3', '[]', 'null', '{"items":[null,{}]}', '{"kind":"Ingress","metadata":null}'])(
    'takes an answer of kubectl that is no object for a failure: %s',
    async (answer) => {
      using cluster = new ScriptedCluster({ objects: [], answer });
      for (const verb of ['apply', 'verify', 'rollback']) {
        const { code, out, error } = await cluster.holdfast(verb, ...(verb === 'verify' ? [] : ['--yes']));
        expect({ code, out, error }).toEqual({
          code: 1,
          out: '',
          error: expect.stringMatching(/HF_KUBECTL: .*its answer is not/) as string,
        });
      }
      expect(changes(cluster)).toEqual([]);
    },
  );

  it('says what kubectl said when it fails, or that there is none, and does not wait', async () => {
    using cluster = new ScriptedCluster({
      objects: [],
      broken:
        'E1125 19:21:33.686300   22853 memcache.go:265] "Unhandled Error" err="dial tcp 127.0.0.1:8080"\n'.repeat(5) +
        'Unable to connect to the server: dial tcp: i/o timeout\n',
    });
    const { code, error } = await cluster.holdfast('apply', '--yes');
    expect(error).toContain('HF_KUBECTL');
    expect(error).not.toContain('memcache.go');
    expect(error).toContain('Unable to connect to the server');
    expect(code).toBe(1);
    const absent = await cluster.holdfast('verify', '--kubectl', 'there-is-no-such-program');
    expect(absent).toMatchObject({
      code: 1,
      error: expect.stringContaining('there-is-no-such-program cannot be run') as string,
    });
  }, 30_000);
});

describe.concurrent('holdfast diff', () => {
  it('exits with 1 where apply would change something, and with 0 where not', async () => {
    using cluster = new ScriptedCluster();
    expect((await cluster.holdfast('diff')).code).toBe(1);
    await cluster.holdfast('apply', '--yes');
    expect(await cluster.holdfast('diff')).toEqual({ code: 0, out: '', error: '' });
  });
});

describe.concurrent('holdfast verify', () => {
  const applied = async (): Promise<ScriptedCluster> => {
    const cluster = new ScriptedCluster();
    await cluster.holdfast('apply', '--yes');
    return cluster;
  };
  const change = (cluster: ScriptedCluster, name: string, key: string, value: string): void =>
    cluster.change(name, ({ annotations }) => {
      annotations[key] = value;
    });

  it('finds a value that somebody has changed, in the object and in the controller', async () => {
    using cluster = await applied();
    change(cluster, 'cloud-prod-cloud-ws', `${NGINX}/proxy-read-timeout`, '60');
    const { code, out } = await cluster.holdfast('verify', '--json');
    const { ok, checks } = JSON.parse(out) as {
      ok: boolean;
      checks: { what: string; isRight: boolean; found?: string }[];
    };
    const wrong = checks.filter(({ isRight }) => !isRight).map(({ found }) => found);
    expect({ code, ok }).toEqual({ code: 1, ok: false });
    expect(wrong[0]).toContain(`proxy-read-timeout is "60", not "3600"`);
    // Two hosts, two paths, and for each the path itself and what is below.
    expect(wrong.filter((found) => found === 'connect 60 s, send 3600 s, read 60 s')).toHaveLength(8);
  });

  it('finds an annotation of the controller that somebody has added, and no other', async () => {
    using cluster = await applied();
    change(cluster, 'cloud-prod-cloud-ws', 'example.com/team', 'voice');
    expect((await cluster.holdfast('verify')).code).toBe(0);
    change(cluster, 'cloud-prod-cloud-ws', `${NGINX}/upstream-hash-by`, '$request_uri');
    const { code, out } = await cluster.holdfast('verify');
    expect(out).toContain(`metadata.annotations.${NGINX}/upstream-hash-by is "$request_uri", not absent`);
    expect(code).toBe(1);
  });

  it('finds a unit that the controller drops in silence', async () => {
    using cluster = await applied();
    change(cluster, 'cloud-prod-cloud-ws', `${NGINX}/proxy-read-timeout`, '3600s');
    expect((await cluster.holdfast('verify')).out).toContain('read 60 s');
  });

  it('finds that a path of ours went to another Ingress', async () => {
    using cluster = await applied();
    const { objects } = cluster.state;
    cluster.set({ objects: [ingress('rival', '/app-ws', { creationTimestamp: '2020-01-01T00:00:00Z' }), ...objects] });
    const { code, out } = await cluster.holdfast('verify');
    expect(out).toContain('it belongs to default/rival');
    expect(code).toBe(1);
  });

  it('does not take a missing controller for a right one', async () => {
    using cluster = await applied();
    const { code, out } = await cluster.holdfast('verify', '--controller-selector', 'app=none');
    expect(out).toContain('no running pod has the labels app=none');
    expect(code).toBe(1);
  });
});

describe.concurrent('holdfast rollback', () => {
  it('deletes what holdfast made, and nothing else', async () => {
    using cluster = new ScriptedCluster();
    await cluster.holdfast('apply', '--yes');
    expect((await cluster.holdfast('rollback', '--dry-run')).out).toContain(
      'would delete: ingress.networking.k8s.io/cloud-prod-cloud-ws in default',
    );
    const { code, out } = await cluster.holdfast('rollback', '--yes');
    expect(out).toContain('no location of what was deleted');
    expect(code).toBe(0);
    expect(cluster.ingresses).toEqual(['cloud-prod-cloud']);
    expect((await cluster.holdfast('rollback', '--yes')).out).toContain('nothing to roll back');
  });

  it('leaves what carries our labels and another owner’s mark, and says whose it is', async () => {
    using cluster = new ScriptedCluster();
    await cluster.holdfast('apply', '--yes');
    cluster.change('cloud-prod-cloud-ws', ({ labels }) => {
      labels['app.kubernetes.io/managed-by'] = 'Helm';
    });
    const { code, error } = await cluster.holdfast('rollback', '--yes');
    expect(error).toContain('HF_NOT_OURS');
    expect(error).toContain('ingress.networking.k8s.io/cloud-prod-cloud-ws in default is managed by the manager Helm');
    expect(code).toBe(1);
    expect(cluster.ingresses).toContain('cloud-prod-cloud-ws');
  });

  it('leaves what another program writes to, as apply and verify do', async () => {
    using cluster = new ScriptedCluster();
    await cluster.holdfast('apply', '--yes');
    cluster.change('cloud-prod-cloud-ws', ({ managedFields }) => {
      managedFields.push({ manager: 'helm', operation: 'Update' });
    });
    for (const verb of ['rollback', 'apply']) {
      const { code, error } = await cluster.holdfast(verb, '--yes');
      expect(error).toContain('cloud-prod-cloud-ws in default is managed by the field manager helm');
      expect(code).toBe(1);
    }
    expect((await cluster.holdfast('verify')).out).toContain('it is managed by the field manager helm');
    expect(cluster.ingresses).toContain('cloud-prod-cloud-ws');
  });

  it('deletes what only a person’s hand, a status and a hold on its deletion have been added to', async () => {
    using cluster = new ScriptedCluster();
    await cluster.holdfast('apply', '--yes');
    cluster.change('cloud-prod-cloud-ws', ({ managedFields }) => {
      managedFields.push(
        { manager: 'kubectl-annotate', operation: 'Update' },
        { manager: 'nginx-ingress-controller', operation: 'Update', subresource: 'status' },
        {
          manager: 'controller',
          operation: 'Update',
          fieldsV1: { 'f:metadata': { 'f:finalizers': { '.': {}, 'v:"ingress.k8s.aws/resources"': {} } } },
        },
      );
    });
    expect((await cluster.holdfast('rollback', '--yes')).code).toBe(0);
    expect(cluster.ingresses).toEqual(['cloud-prod-cloud']);
  });

  it('does not say that all is right when no controller could be asked', async () => {
    using cluster = new ScriptedCluster();
    await cluster.holdfast('apply', '--yes');
    const { code, out } = await cluster.holdfast('rollback', '--yes', '--controller-selector', 'app=none');
    expect(out).toContain('no running pod has the labels app=none');
    expect(code).toBe(1);
  });

  it('goes on looking, the second time, at a controller that has not let go the first time', async () => {
    using cluster = new ScriptedCluster();
    await cluster.holdfast('apply', '--yes');
    cluster.stop();
    expect((await cluster.holdfast('rollback', '--yes')).code).toBe(1);
    const { code, out } = await cluster.holdfast('rollback', '--yes');
    expect(out).toContain('nothing to roll back');
    expect(out).toContain('no location of what was deleted: global.augmentos.cloud/glasses-ws/');
    expect(code).toBe(1);
  });
});
