import { describe, expect, it } from 'vitest';
import { load, loadPolicy, parse, pick } from './load.js';
import type { Environment } from './policy.js';
import { describeProblem } from './problem.js';
import { describeSource } from './source.js';

const EXAMPLES = ['smart-glasses', 'chat-platform', 'three-instances', 'agents-on-cloud-run'];
const examplePath = (name: string): string =>
  new URL(`../../../examples/policies/${name}.yaml`, import.meta.url).pathname;

function read(text: string, variables: Record<string, string> = {}, environment?: string): Environment {
  const loaded = parse(text, { variables, environment });
  if (!loaded.policy) throw new Error(loaded.problems.map(describeProblem).join('\n'));
  return pick(loaded.policy, environment);
}

const problems = (text: string, variables: Record<string, string> = {}): string[] =>
  (parse(text, { variables, path: 'f' }).problems ?? []).map(describeProblem);

const small = (more: string, base = ''): string =>
  `name: demo\nbase: {routes: [{websocket: /ws}], hosts: [a.example.com]${base}}\nenvironments:\n  prod: ${more.startsWith('\n') ? more : `{${more}}`}\n`;

describe('a policy', () => {
  it.each(EXAMPLES)('is read from the example %s without a problem', async (name) => {
    const { policy } = await loadPolicy(examplePath(name), { variables: {} });
    expect(policy.name).toBe(name);
    expect(policy.environments.size).toBeGreaterThan(0);
  });

  it('needs no more than hosts and a route, and has a default for all else', () => {
    const environment = read(small(''));
    expect(environment).toMatchObject({
      name: 'prod',
      preset: 'production',
      namespace: 'default',
      service: { name: 'demo', port: { name: 'http', port: 80 } },
      routes: [
        {
          kind: 'websocket',
          path: '/ws',
          connectMs: 5_000,
          readMs: 3_600_000,
          sendMs: 60_000,
          hosts: ['a.example.com'],
        },
      ],
      keepalive: { pingMs: 2_000, deadMs: 4_000, plainPingMs: 30_000, plainPongMs: 60_000 },
      stickiness: { by: 'none', balance: 'round-robin' },
      drain: { preStopMs: 5_000, deadlineMs: 25_000, graceMs: 60_000 },
      breaker: { failures: 5, openMs: 60_000 },
    });
  });

  it.each([
    ['staging', 'staging', 3, 15_000, 5],
    ['dev-eu', 'development', 50, 1_000, Infinity],
    ['blue', 'production', 5, 60_000, Infinity],
  ])('takes the preset of environment %s from its name', (name, preset, failures, openMs, maxAttempts) => {
    const environment = read(small('').replace('prod:', `${name}:`));
    expect(environment).toMatchObject({ preset, breaker: { failures, openMs }, connect: { maxAttempts } });
  });

  it('knows the number of a port that discovery has by the name that the service gives it', () => {
    const text =
      'service: {ports: {http: {port: 80, target: 3000}}}, gateway: {discovery: {dns: pods.svc, port: http}}';
    expect(read(small(text)).gateway.discovery).toMatchObject({ from: 'dns', port: 3000 });
  });

  it('knows where each value came from', () => {
    const text = `name: demo
base:
  routes: [{websocket: /ws, read: 2h}]
  hosts: [a.example.com]
  keepalive: {ping: 3s, dead: 9s}
environments:
  eu: {preset: staging, keepalive: {dead: 8s}}
  prod: {extends: eu, connect: {session: 1h}}
`;
    const { sources } = parse(text, { path: 'f', variables: { WEBSOCKET_CLOSE_TIMEOUT: '2.5' } }) as never as {
      sources: Map<string, Map<string, never>>;
    };
    const from = (field: string): string => describeSource(sources.get('prod')?.get(field), 'prod');
    expect(
      [
        'keepalive.pingMs',
        'keepalive.deadMs',
        'connect.sessionMs',
        'connect.closeMs',
        'breaker.openMs',
        'drain.graceMs',
        'routes.0.readMs',
        'preset',
      ].map(from),
    ).toEqual([
      'f:5 (base)',
      'f:7 (eu)',
      'f:8',
      'WEBSOCKET_CLOSE_TIMEOUT',
      'preset staging',
      'default',
      'f:3 (base)',
      'f:7 (eu)',
    ]);
  });
});

describe('inheritance', () => {
  it('merges mappings key by key and replaces lists whole', () => {
    const text = `name: demo
base:
  routes: [{websocket: /ws}, {rest: /}]
  hosts: [a.example.com]
  service: {ports: {http: 8080, grpc: 8081}}
environments:
  one: {service: other, routes: [{websocket: /x}]}
`;
    const { service, routes } = read(text);
    expect(service).toMatchObject({ name: 'other', ports: [{ port: 8_080 }, { port: 8_081, protocol: 'grpc' }] });
    expect(routes.map(({ path }) => path)).toEqual(['/x']);
  });

  it('replaces one form of stickiness by another', () => {
    expect(read(small('stickiness: {header: X-Id}', ', stickiness: {cookie: A}')).stickiness).toEqual({
      by: 'header',
      header: 'X-Id',
    });
  });

  it('follows anchors and merge keys as YAML has them', () => {
    const text = `name: demo
base: {hosts: [a.example.com], routes: [{websocket: /ws}]}
environments:
  a: &a {namespace: x, limits: {connections: 7}}
  b: {<<: *a, namespace: y}
`;
    expect(read(text, {}, 'b')).toMatchObject({ namespace: 'y', limits: { connections: 7 } });
  });

  it('is refused in a circle, and where there is nothing to extend', () => {
    const circle = 'name: x\nenvironments:\n  a: {extends: b}\n  b: {extends: a}\n  c: {extends: aa}\n';
    const found = problems(circle);
    expect(found).toEqual([
      'f:3:16: b extends itself: b, a, b',
      'f:4:16: a extends itself: a, b, a',
      'f:5:16: there is no environment aa to extend (did you mean a?); expected one of a, b',
    ]);
    const lone = (parent: string): string => problems(`name: x\nenvironments:\n  a: {extends: ${parent}}\n`).join();
    expect(lone('a')).toBe('f:3:16: a extends itself: a, a');
    expect(lone('b')).toBe('f:3:16: there is no environment b to extend');
    expect(lone('base')).toMatch(/^f:3:16: base is in every environment already/);
  });
});

describe('variables', () => {
  it('are filled in, with a default where one is given, and keep the type of what stands there', () => {
    const text = small(`
    service:
      port: \${PORT}
      name: "\${PORT}"
    namespace: \${NS:-fallback}-x
    limits:
      connections: \${N:-5}`);
    expect(read(text, { PORT: '8080' })).toMatchObject({
      service: { name: '8080', port: { port: 8_080 } },
      namespace: 'fallback-x',
      limits: { connections: 5 },
    });
  });

  it('that are not set are a problem at their place, and only in an environment that is wanted', () => {
    const text = small('namespace: "${NS}"') + '  other: {namespace: fine}\n';
    expect(problems(text)).toEqual([
      'f:4:21: the variable NS is not set; expected a value in the environment, or ${NS:-default}',
    ]);
    expect(read(text, {}, 'other').namespace).toBe('fine');
  });

  it('of the WEBSOCKET_ family go before the file, for sessions and plain clients', () => {
    const set = {
      WEBSOCKET_HEARTBEAT_INTERVAL: '20',
      WEBSOCKET_HEARTBEAT_TIMEOUT: '45',
      WEBSOCKET_CONNECTION_TIMEOUT: '90',
    };
    expect(read(small('keepalive: {ping: 1s}'), set)).toMatchObject({
      keepalive: { pingMs: 20_000, plainPingMs: 20_000, deadMs: 45_000, plainPongMs: 45_000 },
      connect: { sessionMs: 90_000 },
    });
  });

  it('that are no time, or contradict what they leave, are named', () => {
    expect(problems(small(''), { WEBSOCKET_PING_TIMEOUT: 'soon' })[0]).toMatch(
      /WEBSOCKET_PING_TIMEOUT is "soon"; expected a number of seconds/,
    );
    expect(problems(small(''), { WEBSOCKET_HEARTBEAT_INTERVAL: '1e9' })).toEqual([
      'environment: WEBSOCKET_HEARTBEAT_INTERVAL is "1e9"; expected a number of seconds, of ten years at most',
    ]);
    expect(problems(small(''), { WEBSOCKET_HEARTBEAT_INTERVAL: '30' })[0]).toMatch(
      /^environment: ping is 30 s and dead is 4 s .*WEBSOCKET_HEARTBEAT_INTERVAL/,
    );
  });
});

describe('what is wrong', () => {
  it.each([
    [
      'a misspelt key',
      small('keepalive: {pign: 2s}'),
      /^f:4:22: "pign" is not a key of keepalive \(did you mean ping\?\); expected one of ping, dead/,
    ],
    ['a number without a unit', small('keepalive: {ping: 5}'), /^f:4:28: ping is 5; expected a duration with its unit/],
    [
      'a misspelt hop',
      small('hops: [cloudflair]'),
      /^f:4:17: an item of hops is "cloudflair" \(did you mean cloudflare\?\)/,
    ],
    [
      'a clock that a hop has not',
      small('hops: [{kind: aws-nlb, idel: 1s}]'),
      /"idel" is not a key of an item of hops \(did you mean idle\?\)/,
    ],
    [
      'a way to stick that is none',
      small('stickiness: cookies'),
      /^f:4:22: stickiness is "cookies" \(did you mean \{cookie: \.\.\.\}\?\); expected one of none, .*, session, \{cookie: \.\.\.\}, \{header: \.\.\.\}/,
    ],
    ['another one', small('stickiness: sesion'), /stickiness is "sesion" \(did you mean session\?\)/],
    ['a place of pods', small('gateway: {discovery: dsn}'), /discovery is "dsn" \(did you mean \{dns: \.\.\.\}\?\)/],
    ['a host that is none', small('hosts: https://a.example.com'), /^f:4:17: hosts is "https:.*expected a host name/],
    [
      'a port that the service has not',
      small('service: {ports: {http: 1}}, routes: [{websocket: /a, port: htp}]'),
      /no port htp \(did you mean http\?\)/,
    ],
    [
      'a host of a route that is none of the environment',
      small('routes: [{websocket: /a, hosts: [b.example.com]}]'),
      /b\.example\.com is not one of the hosts/,
    ],
    ['a path twice', small('routes: [{websocket: [/a, /a]}]'), /\/a is there already/],
    [
      'dead before the ping',
      small('keepalive: {ping: 5s, dead: 5s}'),
      /^f:4:28: ping is 5 s and dead is 5 s; expected dead to be more/,
    ],
    [
      'a port of discovery that the service has not',
      small('service: {ports: {http: 1}}, gateway: {discovery: {dns: pods.svc, port: htp}}'),
      /^f:4:\d+: .*no port htp \(did you mean http\?\)/,
    ],
    [
      'an address twice',
      small('gateway: {listen: [127.0.0.1:80], admin: 127.0.0.1:80}'),
      /127\.0\.0\.1:80 is listened on already/,
    ],
    ['a check without time', small('health: {timeout: 0s}'), /^f:4:\d+: .*health\.timeout|nobody answers in no time/],
    ['a path that is none', small('health: {ready: rea dy}'), /expected a path that begins with \//],
    ['a pod without a port', small('pods: [127.0.0.1:0]'), /a pod has a port/],
    ['a header that is none', small('stickiness: {header: x y}'), /"x y" cannot be the name of a header/],
    ['a domain with more in it', small('stickiness: {cookie: {name: A, domain: "a\\r\\nb"}}'), /cannot be the domain/],
    [
      'a cookie whose name promises more',
      small('stickiness: {cookie: {name: __Host-a, path: /x}}'),
      /expected secure, path \/ and no domain/,
    ],
    ['a cookie that browsers drop', small('stickiness: {cookie: {name: A, secure: false}}'), /browsers refuse/],
    ['a template word', small('tls: {secret: "{servce}"}'), /\{servce\} means nothing here \(did you mean service\?\)/],
    ['no host at all', 'name: x\nenvironments: {a: {routes: [{rest: /}]}}', /hosts is missing/],
    ['an empty file', '', /the file is empty/],
    ['something else than YAML', 'a: [', /this is not YAML/],
    ['a key twice', 'name: a\nname: b\n', /f:2:1: "name" is there already, at line 1/],
  ])('is told with its place: %s', (_, text, expected) => {
    expect(problems(text).join('\n')).toMatch(expected);
  });

  it('is told once of a time that is too long, and not again of what it would lead to', () => {
    expect(problems(small('drain: {deadline: 99999d}, keepalive: {ping: 99999d}'))).toEqual([
      'f:4:28: 99999d is longer than ten years',
      'f:4:55: 99999d is longer than ten years',
    ]);
  });

  it('is told all at once, in the order of the file', () => {
    const found = problems(small('keepalive: {pign: 2s, dead: 5}, breaker: {failures: 0}, hops: [x]'));
    expect(found.map((line) => line.split(': ')[1]?.split(' ')[0])).toHaveLength(4);
    const columns = found.map((line) => Number(line.split(':')[2]));
    expect(columns).toEqual([...columns].sort((a, b) => a - b));
  });

  it('is one sentence for a file that is not there, or a folder', async () => {
    expect((await load('/nowhere/holdfast.yaml')).problems?.[0]?.message).toBe('there is no such file');
    expect((await load(import.meta.dirname)).problems?.[0]?.message).toMatch(/cannot be read/);
    await expect(loadPolicy('/nowhere/holdfast.yaml')).rejects.toThrow(
      /HF_POLICY: .*\(.*:1:1: there is no such file\)/,
    );
  });
});

describe('hostile input', () => {
  it('that multiplies by aliases is refused', () => {
    const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(', ')}]`);
    expect(problems(['l0: &l0 [x]', ...levels].join('\n')).join()).toMatch(/more than 50000 values when its aliases/);
  });

  it('of many keys takes time in proportion', () => {
    const keys = Array.from({ length: 45_000 }, (_, i) => `  k${i}: 1`);
    expect(problems(`name: x\nbase:\n${keys.join('\n')}\n`).length).toBe(100);
  }, 30_000);

  it('that is large, deep or names odd keys is refused in a sentence', () => {
    expect(problems('#'.repeat(1_048_577))[0]).toMatch(/larger than/);
    expect(problems('['.repeat(100_000))).toEqual(['f:1:1: it is nested too deeply']);
    expect(problems(small('__proto__: {preset: staging}')).join()).toMatch(/"__proto__" is not a key/);
    expect(problems(small('constructor: x')).join()).toMatch(/"constructor" is not a key/);
  });
});
