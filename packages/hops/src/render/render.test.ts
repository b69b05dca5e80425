import type { Environment } from '@holdfast/policy';
import { describe, expect, it } from 'vitest';
import { COOKIE, environment, hop, policyOf, pods, route } from './environment.fixture.js';
import { MARKER, render, targetsOf } from './render.js';
import { TARGET_NAMES, type TargetName } from './target.js';

function refusal(target: TargetName, more: Partial<Environment>): string {
  const env = environment(more);
  try {
    render(policyOf(env), env, [target]);
  } catch (error) {
    expect(error).toMatchObject({ code: 'HF_RENDER' });
    return String(error);
  }
  throw new Error(`${target} was rendered`);
}

const sticky = (stickiness: Environment['stickiness'], more: Partial<Environment> = {}): Partial<Environment> => ({
  stickiness,
  routes: [route('/ws', { stickiness })],
  ...more,
});

describe('render', () => {
  it('gives every file a heading, and a folder of the name of its target', () => {
    const env = environment({ pods: pods(1, 2), service: { ...environment().service, image: 'chat:1' } });
    for (const { target, files } of render(policyOf(env), env, TARGET_NAMES)) {
      expect(files.length, target).toBeGreaterThan(0);
      for (const { path, text } of files) {
        expect(text.startsWith(MARKER), path).toBe(true);
        expect(path.startsWith(`${target}/`), path).toBe(true);
        expect(text.endsWith('\n'), path).toBe(true);
        expect(text, path).not.toMatch(/[ \t]$/m);
        expect(text, path).not.toMatch(/undefined|NaN|\[object/);
      }
    }
  });

  it('gives the same bytes wherever the policy lies', () => {
    const env = environment({ pods: pods(1) });
    const here = render({ ...policyOf(env), path: 'holdfast.yaml' }, env, ['nginx', 'envoy']);
    const there = render({ ...policyOf(env), path: '/etc/holdfast/holdfast.yaml' }, env, ['nginx', 'envoy']);
    expect(there).toEqual(here);
  });

  it('finds the targets of a chain of hops, and says when none fits', () => {
    const chain = ['cloudflare', 'aws-nlb', 'istio', 'kube-proxy'].map((kind) => hop(kind));
    expect(targetsOf(environment({ hops: chain }))).toEqual(['kubernetes', 'istio', 'aws']);
    const none = environment({ hops: [hop('heroku')] });
    expect(() => render(policyOf(none), none)).toThrow('no target fits the hops of the environment prod: name one');
  });

  it('renders a target that is named twice once', () => {
    const env = environment({ pods: pods(1) });
    expect(render(policyOf(env), env, ['nginx', 'nginx'])).toHaveLength(1);
  });

  it.each<[string, Partial<Environment>]>([
    ['a path', { routes: [route('/ws; return 200;')] }],
    ['a host', { hosts: ['a b'] }],
    ['a header', sticky({ by: 'header', header: 'X User' })],
    ['a file', { tls: { secrets: new Map(), certificate: '/etc/x;y.pem', key: '/k.pem' } }],
    ['an address', { pods: [{ host: 'a}b', port: 1, weight: 1, backup: false }] }],
    ['a network', { gateway: { ...environment().gateway, trustedProxies: ['10.0.0.0/8; deny all'] } }],
    [
      'a cookie path',
      sticky({ ...COOKIE, cookie: { ...(COOKIE as { cookie: object }).cookie, path: '/"; Domain=x' } } as never),
    ],
  ])('refuses %s that would say more in a configuration than in the policy', (what, more) => {
    expect(refusal('nginx', more)).toContain(`cannot be rendered as ${what}`);
  });
});

describe('a wish that a target cannot fulfil', () => {
  const tls = { secrets: new Map<string, string>() };
  const image = { service: { ...environment().service, image: 'chat:1' } };
  const ofOneRoute = { routes: [route('/ws', { stickiness: { by: 'ip' } })] };
  const slow = [route('/ws', { readMs: 7 * 86_400_000 })];

  it.each<[TargetName, string, Partial<Environment>]>([
    ['nginx', 'stickiness by ip without the addresses of the pods', sticky({ by: 'ip' })],
    [
      'nginx',
      'stickiness by address behind cloudflare',
      sticky({ by: 'ip' }, { pods: pods(1), hops: [hop('cloudflare'), hop('nginx')] }),
    ],
    ['nginx', 'TLS without files', { tls }],
    [
      'nginx',
      'a cookie named my-cookie',
      sticky({ by: 'cookie', cookie: { ...cookieOf(), name: 'my-cookie' } }, { pods: pods(1) }),
    ],
    [
      'nginx',
      'a backup pod',
      sticky({ by: 'ip' }, { pods: [...pods(1), { host: '127.0.0.1', port: 2, weight: 1, backup: true }] }),
    ],
    ['haproxy', 'stickiness by cookie without the addresses of the pods', sticky(COOKIE)],
    [
      'haproxy',
      'stickiness by address behind aws-alb',
      sticky({ by: 'ip' }, { pods: pods(1), hops: [hop('aws-alb'), hop('haproxy')] }),
    ],
    ['haproxy', 'TLS without files', { tls }],
    ['envoy', 'stickiness by header without the addresses of the pods', sticky({ by: 'header', header: 'X-A' })],
    ['kubernetes', 'ClientIP affinity of 172800 s', { service: { ...environment().service, clientIpMs: 172_800_000 } }],
    [
      'kubernetes',
      'an autoscaler that waits 7200 s',
      {
        rollout: {
          ...environment().rollout,
          autoscale: { min: 1, max: 2, cpuPercent: 50, stabilizationMs: 7_200_000, scaleDownMs: 60_000 },
        },
      },
    ],
    ['cloud-run', 'a service without an image', {}],
    ['cloud-run', 'a timeout of 2h', { ...image, resources: { requestMs: 7_200_000 } }],
    ['cloud-run', 'stickiness by address', { ...image, ...sticky({ by: 'ip' }) }],
    ['aws', 'an idle timeout of 7d', { hops: [hop('aws-alb')], routes: slow }],
    ['aws', 'an idle timeout of 7d', { hops: [hop('aws-nlb')], routes: slow }],
    ['aws', 'stickiness by address at an ALB', { hops: [hop('aws-alb')], ...sticky({ by: 'ip' }) }],
    ['aws', 'stickiness by the cookie SERVERID at an NLB', { hops: [hop('aws-nlb')], ...sticky(COOKIE) }],
    ['gateway-api', 'stickiness by the cookie SERVERID', { hops: [hop('nginx-gateway-fabric')], ...sticky(COOKIE) }],
    [
      'gateway-api',
      'stickiness by the cookie SERVERID',
      { hops: [hop('gateway-api', { version: '1.3' })], ...sticky(COOKIE) },
    ],
    ['gateway-api', 'stickiness by session', { hops: [hop('envoy-gateway')], ...sticky({ by: 'session' }) }],
    ['gateway-api', 'a backend timeout of 7d on GKE', { hops: [hop('gcp-global-alb')], routes: slow }],
    [
      'ingress-nginx',
      'stickiness by address and stickiness by the header X-A',
      {
        routes: [
          route('/ws', { stickiness: { by: 'ip' } }),
          route('/chat', { stickiness: { by: 'header', header: 'X-A' } }),
        ],
      },
    ],
    [
      'ingress-nginx',
      'each pod in turn and stickiness by session',
      { routes: [route('/ws'), route('/chat', { stickiness: { by: 'session' } })] },
    ],
    ['gateway-api', 'a stickiness of one route', { hops: [hop('gcp-global-alb')], ...ofOneRoute }],
    ['gateway-api', 'stickiness by address of one route', { hops: [hop('nginx-gateway-fabric')], ...ofOneRoute }],
    ['aws', 'a stickiness of one route', { hops: [hop('aws-alb')], ...ofOneRoute }],
    ['aws', 'a stickiness of one route', { hops: [hop('aws-nlb')], ...ofOneRoute }],
    ['cloud-run', 'a stickiness of one route', { ...image, ...ofOneRoute }],
    ['istio', 'a stickiness of one route', { routes: [route('/ws', { stickiness: { by: 'ip' } })] }],
  ])('is refused by %s: %s', (target, wish, more) => {
    expect(refusal(target, more)).toContain(`${target} cannot do this: ${wish}`);
  });

  it('is named in a note at Cloud Run, which kills 10 s after SIGTERM whatever grace the policy has', () => {
    const env = environment({ hops: [hop('cloud-run')], ...image });
    expect(render(policyOf(env), env)[0]?.notes.join()).toMatch(
      /10 s after SIGTERM, so drain\.preStop and drain\.grace/,
    );
  });

  it('is named in a note where only a part of it is left to others', () => {
    const env = environment({ hops: [hop('cloudflare'), hop('nginx')], pods: pods(1) });
    expect(render(policyOf(env), env)[0]?.notes).toEqual([
      'limits.connectionsPerAddress is not rendered: behind cloudflare clients share addresses; name its networks in gateway.trustedProxies',
    ]);
  });
});

describe('stickiness that is another one than it seems', () => {
  const notesOf = (target: TargetName, more: Partial<Environment>): string => {
    const env = environment(more);
    return (render(policyOf(env), env, [target])[0]?.notes ?? []).join('\n');
  };
  const odd = { ...cookieOf(), httpOnly: false, partitioned: true, domain: 'example.com', path: '/x' };
  const oddly = sticky({ by: 'cookie', cookie: odd });

  it('is said of ingress-nginx, which hashes as the oldest Ingress of a Service says', () => {
    expect(notesOf('ingress-nginx', sticky({ by: 'ip' }))).toContain(
      'stickiness by address (upstream-hash-by) is taken from the oldest Ingress that names chat:80',
    );
    expect(notesOf('ingress-nginx', sticky(COOKIE))).not.toContain('oldest');
    // Cookies are of an Ingress, so a path without them may stand beside.
    expect(notesOf('ingress-nginx', { routes: [route('/a'), route('/b', { stickiness: COOKIE })] })).not.toContain(
      'oldest',
    );
  });

  it.each<[TargetName, Partial<Environment>, RegExp]>([
    ['ingress-nginx', oddly, /SERVERID is HttpOnly although.*\n.*Partitioned of the cookie SERVERID is not rendered/],
    ['istio', oddly, /of the cookie SERVERID only path and maxAge are rendered.*HttpOnly, Domain and Partitioned/],
    ['aws', { hops: [hop('aws-alb')], ...oddly }, /AWSALB, not SERVERID, and so are its path, domain, SameSite/],
    [
      'gateway-api',
      { hops: [hop('gcp-global-alb')], ...oddly },
      /Google's own, not SERVERID, and so are its attributes/,
    ],
  ])('is said of the attributes of a cookie at %s', (target, more, note) => {
    expect(notesOf(target, more)).toMatch(note);
  });

  it('is not where an attribute can be rendered', () => {
    const textOf = (target: TargetName, first: Environment['hops'][number]): string => {
      const env = environment({ ...oddly, pods: pods(1), hops: [first] });
      return render(policyOf(env), env, [target])
        .flatMap(({ files }) => files.map(({ text }) => text))
        .join('');
    };
    expect(textOf('gateway-api', hop('envoy-gateway'))).toMatch(/Domain: example\.com\n\s+Partitioned: ""/);
    // nginx has no word for Partitioned in its own cookies, so holdfast makes this one.
    expect(textOf('nginx', hop('nginx', { version: '1.29.6' }))).toContain('; Partitioned; Domain=example.com');
  });
});

describe('versions', () => {
  const textOf = (target: TargetName, more: Partial<Environment>): string => {
    const env = environment(more);
    return (render(policyOf(env), env, [target])[0]?.files ?? []).map(({ text }) => text).join('\n');
  };

  it('let nginx make cookies itself from 1.29.6', () => {
    const at = (version: string): string =>
      textOf('nginx', sticky(COOKIE, { pods: pods(1), hops: [hop('nginx', { version })] }));
    expect(at('1.29.6')).toContain('sticky cookie SERVERID expires=86400s path=/ httponly secure samesite=none;');
    expect(at('1.29.5')).toContain('hash $SERVERID_key consistent;');
    expect(at('1.29.5')).toContain('add_header Set-Cookie $SERVERID_set always;');
  });

  it('let routes have sessionPersistence with the experimental CRDs from 1.1', () => {
    const at = (options: Record<string, string>): string =>
      textOf('gateway-api', sticky(COOKIE, { hops: [hop('gateway-api', options)] }));
    expect(at({ channel: 'experimental', version: '1.3' })).toMatch(
      /sessionPersistence:\n\s+sessionName: SERVERID\n\s+type: Cookie\n\s+absoluteTimeout: 24h\n\s+cookieConfig:\n\s+lifetimeType: Permanent/,
    );
    expect(() => at({ channel: 'experimental', version: '1.0' })).toThrow('HF_RENDER');
  });
});

function cookieOf(): Extract<Environment['stickiness'], { by: 'cookie' }>['cookie'] {
  if (COOKIE.by !== 'cookie') throw new Error('no cookie');
  return COOKIE.cookie;
}
