import { describe, expect, it } from 'vitest';
import { memoryFiles } from '../../files.js';
import { Source } from '../../source.js';
import { given } from '../collect.js';
import { linter } from '../dialect.js';
import { lint } from '../engine.js';
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

  it('and is content with a preStop of any kind', () => {
    for (const hook of ['sleep: {seconds: 5}', 'exec: {command: [sleep, "5"]}', 'httpGet: {path: /drain, port: 80}']) {
      expect(rulesIn(workload(`, lifecycle: {preStop: {${hook}}}`), ingress('', '/ws'))).not.toContain('K8S001');
    }
  });
});

describe('one cause is one finding', () => {
  it('where a connect timeout has a unit and would be too long as well', () => {
    const found = rulesIn(ingress(`${NGINX}/proxy-connect-timeout: "3600s"`, '/ws'));
    expect(found.filter((rule) => rule !== 'ING001')).toEqual(['ING004']);
  });

  it('where a name is another controller’s', () => {
    const found = rulesIn(ingress(`nginx.org/websocket-services: app, ${NGINX}/affinity: cookie`, '/ws'));
    expect(found.filter((rule) => rule === 'ING002')).toEqual([]);
    expect(found.filter((rule) => rule === 'ING003')).toEqual(['ING003']);
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
