import { parse } from '@holdfast/policy';
import { describe, expect, it } from 'vitest';
import { memoryFiles } from '../../files.js';
import { Source } from '../../source.js';
import { given } from '../collect.js';
import { linter } from '../dialect.js';
import { lint } from '../engine.js';
import { looksLikeWebSocket } from '../paths.js';
import { kubernetes } from './dialect.js';

const lintAll = (texts: Readonly<Record<string, string>>) => {
  const sources = Object.entries(texts).map(([path, text]) => new Source(path, text));
  return lint(given(...sources), {
    linters: [linter(kubernetes)],
    context: { environments: [], files: memoryFiles({}) },
  });
};
const rulesIn = (...texts: string[]): string[] =>
  lintAll(Object.fromEntries(texts.map((text, i) => [`${i}.yaml`, text]))).findings.map(({ rule }) => rule);

const ingress = (annotations: string, path: string): string => `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: app
  annotations: {${annotations}}
spec:
  ingressClassName: nginx
  rules:
    - host: example.com
      http:
        paths: [{path: ${path}, pathType: Prefix, backend: {service: {name: app, port: {number: 80}}}}]
`;
const NGINX = 'nginx.ingress.kubernetes.io';

describe('rules about WebSockets are silent', () => {
  it('about batch workers, databases and plain HTTP', () => {
    const plain = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: report-worker}
spec:
  replicas: 12
  selector: {matchLabels: {app: report-worker}}
  template:
    metadata: {labels: {app: report-worker}}
    spec: {containers: [{name: worker, image: worker}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: postgres}
spec:
  replicas: 3
  serviceName: postgres
  template:
    metadata: {labels: {app: postgres}}
    spec: {containers: [{name: db, image: postgres}]}
---
apiVersion: v1
kind: Service
metadata: {name: postgres}
spec: {type: LoadBalancer, sessionAffinity: ClientIP, selector: {app: postgres}, ports: [{port: 5432}]}
`;
    expect(rulesIn(plain, ingress(`${NGINX}/proxy-read-timeout: "60"`, '/api'))).toEqual([]);
  });

  it('about an HTTPRoute without WebSockets', () => {
    const route = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: site}
spec:
  parentRefs: [{name: edge}]
  rules: [{matches: [{path: {value: /}}], timeouts: {request: 10s}, backendRefs: [{name: site, port: 80}]}]
`;
    expect(rulesIn(route)).toEqual([]);
  });
});

describe('a workload is reached', () => {
  const workload = (extra = ''): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: app${extra}}]}
---
apiVersion: v1
kind: Service
metadata: {name: app}
spec: {selector: {app: app}, ports: [{port: 80}]}
`;

  it('through the Service of an Ingress, across files', () => {
    expect(rulesIn(workload(), ingress('', '/socket.io'))).toContain('K8S001');
    expect(rulesIn(workload(), ingress('', '/api'))).not.toContain('K8S001');
  });

  const istio = (match: string, host = 'app', namespace = 'default'): string =>
    `{kind: VirtualService, apiVersion: networking.istio.io/v1, metadata: {name: v, namespace: ${namespace}}, spec: {hosts: [a.example.com], http: [{match: [${match}], route: [{destination: {host: ${host}}}]}]}}`;
  const traefik = (match: string): string =>
    `{kind: IngressRoute, apiVersion: traefik.io/v1alpha1, metadata: {name: i}, spec: {routes: [{match: '${match}', kind: Rule, services: [{name: app, port: 80}]}]}}`;
  it.each([
    ['a VirtualService by a prefix', istio('{uri: {prefix: /ws}}'), true],
    ['a VirtualService by a path', istio('{uri: {exact: /ws}}'), true],
    ['a VirtualService by a header', istio('{headers: {upgrade: {exact: websocket}}}'), true],
    ['a VirtualService for plain paths', istio('{uri: {prefix: /api}}'), false],
    [
      'a VirtualService by its whole name',
      istio('{uri: {prefix: /ws}}', 'app.default.svc.cluster.local', 'mesh'),
      true,
    ],
    ['a VirtualService of another namespace', istio('{uri: {prefix: /ws}}', 'app', 'mesh'), false],
    ['a VirtualService to another host', istio('{uri: {prefix: /ws}}', 'app.example.com'), false],
    ['an IngressRoute by a prefix', traefik('Host(`a`) && PathPrefix(`/ws`)'), true],
    ['an IngressRoute by a path', traefik('Path("/socket.io")'), true],
    ['an IngressRoute by a header', traefik('Header(`Upgrade`, `websocket`)'), true],
    ['an IngressRoute for all but them', traefik('PathPrefix(`/`) && !PathPrefix(`/ws`)'), false],
  ])('through %s (%#)', (_, route, isReached) => {
    expect(rulesIn(workload(), route).includes('K8S001')).toBe(isReached);
  });

  it('or by none, as far as the texts tell, and that is said; not where another one is', () => {
    const unjudged = (...texts: string[]): readonly string[] =>
      lintAll(Object.fromEntries(texts.map((text, i) => [`${i}.yaml`, text]))).unjudged;
    expect(unjudged(workload())).toEqual([expect.stringMatching(/^not judged, .*: Deployment app \(.*a policy/)]);
    const many = ['b', 'c', 'd', 'e'].map((name) => workload().replace('{name: app}', `{name: ${name}}`));
    expect(unjudged(workload(), ...many)).toEqual([expect.stringContaining('Deployment c and 2 more (')]);
    expect(unjudged(workload(), ingress('', '/ws'))).toEqual([]);
    expect(unjudged(workload(), workload().replace('{name: app}', '{name: app-ws}'))).toEqual([]);
  });

  it('and is content with a preStop of any kind', () => {
    for (const hook of ['sleep: {seconds: 5}', 'exec: {command: [sleep, "5"]}', 'httpGet: {path: /drain, port: 80}']) {
      expect(rulesIn(workload(`, lifecycle: {preStop: {${hook}}}`), ingress('', '/ws'))).not.toContain('K8S001');
    }
  });
});

describe('the paths of a policy', () => {
  const { policy } = parse(
    'name: app\nenvironments: {prod: {hosts: [example.com], service: {name: app, port: 80}, routes: [{websocket: /chat}]}}',
  );
  const judged = (text: string): string[] =>
    lint(given(new Source('a.yaml', text)), {
      linters: [linter(kubernetes)],
      context: { environments: [...(policy?.environments.values() ?? [])], files: memoryFiles({}) },
    }).findings.map(({ rule }) => rule);
  const slow = `${NGINX}/proxy-connect-timeout: "600"`;
  const route = (rules: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: site}
spec: {rules: [${rules}]}
`;
  const rule = (path: string, timeout: string, service = 'app'): string =>
    `{matches: [{path: {value: ${path}}}], timeouts: {request: ${timeout}}, backendRefs: [{name: ${service}, port: 80}]}`;
  const envoy = (...routes: string[]): string => `
static_resources:
  listeners:
    - filter_chains:
        - filters:
            - typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                route_config: {virtual_hosts: [{routes: [${routes.join(', ')}]}]}
  clusters: []
`;

  it('pass over the prefix that takes them, and over no shorter one', () => {
    expect(judged(ingress(slow, '/'))).toContain('ING019');
    expect(judged(ingress(slow, '/chatter'))).not.toContain('ING019');
    const own = ingress('', '/chat').replace('name: app', 'name: app-chat');
    expect(judged(`${ingress(slow, '/')}---${own}`)).not.toContain('ING019');
    expect(judged(ingress(slow, '/').replaceAll('{name: app,', '{name: other,'))).not.toContain('ING019');
  });

  it('pass over a rule of an HTTPRoute in the same way', () => {
    expect(judged(route(rule('/', '10s')))).toEqual(['GW001']);
    expect(judged(route(`${rule('/', '10s')}, ${rule('/chat', '0s')}`))).toEqual([]);
    expect(judged(route(rule('/', '10s', 'other')))).toEqual([]);
  });

  it('pass over the first route of Envoy that takes them', () => {
    const site = '{match: {prefix: /}, route: {cluster: app, timeout: 0s}}';
    const chat =
      '{match: {path_separated_prefix: /chat}, route: {cluster: app, upgrade_configs: [{upgrade_type: websocket}], timeout: 0s}}';
    expect(judged(envoy(site))).toContain('ENV001');
    expect(judged(envoy(chat, site))).not.toContain('ENV001');
    expect(judged(envoy(site, chat)).filter((id) => id === 'ENV001')).toHaveLength(1);
  });
});

describe('a header that asks for an upgrade makes a route one of WebSockets', () => {
  it('of the Gateway API', () => {
    const upgrade = 'headers: [{name: Upgrade, value: websocket}]';
    const text = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: site}
spec: {rules: [{matches: [{path: {value: /}, ${upgrade}}], timeouts: {request: 10s}, backendRefs: [{name: app, port: 80}]}]}
`;
    expect(rulesIn(text)).toEqual(['GW001']);
    expect(rulesIn(text.replace(upgrade, 'method: GET'))).toEqual([]);
  });
});

describe('a drain of Istio’s sidecar', () => {
  const pod = (duration: string): string => `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: ws}
spec:
  template:
    metadata: {annotations: {proxy.istio.io/config: "terminationDrainDuration: ${duration}"}}
    spec: {containers: [{name: app, image: app, lifecycle: {preStop: {sleep: {seconds: 10}}}}]}
`;
  it.each([
    ['9s', true],
    ['10s', false],
    ['1m', false],
    ['500ms', true],
    ['1m5s', false],
  ])('of %s is too short: %s', (duration, fires) => {
    expect(rulesIn(pod(duration)).includes('K8S012')).toBe(fires);
  });
});

describe('a path that looks like WebSockets', () => {
  it.each([
    ['/chathub', true],
    ['/chatHub', true],
    ['/hubs/chat', true],
    ['/github', false],
    ['/wsdl', false],
    ['/socketry', false],
  ])('%s: %s', (path, looks) => {
    expect(looksLikeWebSocket(path)).toBe(looks);
  });
});

describe('JSON is read', () => {
  it('on one line too', () => {
    const object = {
      kind: 'Ingress',
      apiVersion: 'networking.k8s.io/v1',
      metadata: { name: 'ws', annotations: { [`${NGINX}/proxy-read-timeout`]: '1h' } },
      spec: { ingressClassName: 'nginx' },
    };
    const { findings } = lintAll({ 'a.json': JSON.stringify(object) });
    expect(findings.map(({ rule }) => rule)).toEqual(['ING004']);
  });
});

describe('one cause is one finding', () => {
  it('where an affinity that nobody asks is short as well', () => {
    const service = (affinity: string): string => `
apiVersion: v1
kind: Service
metadata: {name: app}
spec: {sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: ${affinity}}}, ports: [{port: 80, appProtocol: kubernetes.io/ws}]}
`;
    expect(rulesIn(service('600'))).toEqual(['K8S008']);
    expect(rulesIn(service('86400'))).toEqual([]);
    expect(rulesIn(service('600'), ingress('', '/ws')).filter((rule) => rule !== 'ING001')).toEqual(['ING021']);
  });

  it('where a connect timeout has a unit and would be too long as well', () => {
    const found = rulesIn(ingress(`${NGINX}/proxy-connect-timeout: "3600s"`, '/ws'));
    expect(found.filter((rule) => rule !== 'ING001')).toEqual(['ING004']);
  });

  it('where a name is another controller’s', () => {
    const found = rulesIn(ingress(`nginx.org/websocket-services: app, ${NGINX}/affinity: cookie`, '/ws'));
    expect(found.filter((rule) => rule === 'ING002')).toEqual([]);
    expect(found.filter((rule) => rule === 'ING003')).toEqual(['ING003']);
  });

  it.each([
    ['worker-shutdown-timeout', /key of the ConfigMap/],
    ['enable-websockets', /always forwarded/],
    ['proxy-read-timout', /was proxy-read-timeout meant\?$/],
    ['constructor', /no name is near it$/],
  ])('says of the unknown annotation %s why it does nothing', (name, told) => {
    const { findings } = lintAll({ 'a.yaml': ingress(`${NGINX}/${name}: "1"`, '/ws') });
    expect(findings.find(({ rule }) => rule === 'ING002')?.message).toMatch(told);
  });

  it('says that cookies are HttpOnly anyway, instead of guessing another name', () => {
    const { findings } = lintAll({ 'a.yaml': ingress(`${NGINX}/session-cookie-httponly: "true"`, '/ws') });
    expect(findings.find(({ rule }) => rule === 'ING002')?.message).toContain('always HttpOnly');
  });
});

describe('the class nginx', () => {
  const f5Class = `
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: nginx.org/ingress-controller}
`;

  it('belongs to whom its IngressClass says', () => {
    expect(rulesIn(f5Class, ingress('nginx.org/proxy-read-timeout: "3600s"', '/ws'))).toEqual([]);
    expect(rulesIn(f5Class, ingress(`${NGINX}/proxy-read-timeout: "3600"`, '/ws'))).toEqual(['ING003']);
  });

  it('belongs to F5’s controller where only its annotations are used', () => {
    expect(rulesIn(ingress('nginx.org/websocket-services: app', '/ws'))).toEqual([]);
  });
});

describe('positions and repairs', () => {
  it('point at the line a person must change, through lists and anchors', () => {
    const list = `apiVersion: v1
kind: List
x: &notes
  ${NGINX}/proxy-read-timeout: 1h
items:
  - apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata:
      name: a
      annotations: *notes
    spec: {ingressClassName: nginx}
`;
    const { findings } = lintAll({ 'a.yaml': list });
    expect(findings).toMatchObject([{ rule: 'ING004', line: 4, column: 3 }]);
  });

  it('replace exactly the value', () => {
    const text = ingress(`${NGINX}/proxy-read-timeout: 3600s, ${NGINX}/proxy-send-timeout: 60`, '/ws');
    const { repairs } = lintAll({ 'a.yaml': text });
    const mended = [...repairs]
      .flatMap(({ edits }) => edits)
      .sort((a, b) => b.start - a.start)
      .reduce((mending, { start, end, text: with_ }) => mending.slice(0, start) + with_ + mending.slice(end), text);
    expect(mended).toContain('proxy-read-timeout: "3600", ');
    expect(mended).toContain('proxy-send-timeout: "60"}');
    expect(rulesIn(mended)).toEqual(['ING001']);
  });
});

describe('an annotation without quotes', () => {
  const found = (value: string): string[] =>
    rulesIn(ingress(`${NGINX}/proxy-buffering: ${value}`, '/ws')).filter((rule) => rule !== 'ING001');

  it.each(['off', 'on', 'yes', 'No', 'y', 'true', '0x10'])('is a boolean or a number to kubectl: %s', (value) => {
    expect(found(value)).toEqual(['ING005']);
  });

  it.each(['"off"', "'on'", '!!str off', '&x "no"', 'often', 'oN'])('is a string: %s', (value) => {
    expect(found(value)).toEqual([]);
  });
});

describe('what is no manifest', () => {
  it('is told of where it is a template, and never fails', () => {
    const { findings } = lintAll({
      'a.yaml': 'apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Values.name }}\n',
    });
    expect(findings).toMatchObject([{ rule: 'LINT002' }]);
    const broken = lintAll({
      'a.yaml': 'apiVersion: v1\nkind: [}\n',
      'b.json': '{"apiVersion": "v1", "kind": 7, "spec": null}',
    });
    expect(broken.findings.map(({ rule }) => rule)).toContain('LINT003');
  });
});
