import { announceSeed, type Random, randomSeed, seededRandom } from '@holdfast/testing';
import { describe, expect, it, vi } from 'vitest';
import { disk, memoryFiles } from '../files.js';
import { Source } from '../source.js';
import { given } from './collect.js';
import { lint, type LintReport } from './engine.js';
import { readExamples } from './example.js';
import { planFixes, unifiedDiff } from './fix.js';
import { LINTERS } from './linters.js';
import { sarif } from './sarif.js';
import { textReport } from './text.js';

vi.setConfig({ testTimeout: 120_000 });

const seed = randomSeed();
announceSeed('fuzz', seed, { command: 'npx vitest run --project unit packages/hops/src/lint/fuzz.test.ts' });

const texts = readExamples(disk, `${import.meta.dirname}/fixtures`).flatMap(({ texts: each }) => Object.entries(each));
const PIECES = [
  '{',
  '}',
  ';',
  '"',
  "'",
  '`',
  '\\',
  '#',
  '$',
  '${',
  '\0',
  '\n',
  '\r\n',
  '\t',
  '\ufeff',
  '\ud800',
  '_by_lua_block {',
  '[[',
  ']]',
  '- ',
  ': ',
  '*',
  '&a ',
  '*a',
  ' &a [*a, *a]',
  '<<: ',
  '<<: *a',
  'include ',
  'include *.conf;',
  'include a.conf;',
  '# holdfast-ignore ',
  'defaults ',
  ' from ',
  'upstream ',
  'server {',
  'location ~ (a+)+$ {',
  '...',
  '---\n',
  '|\n',
  '0'.repeat(400),
];
const NAMES = ['nginx.conf', 'haproxy.cfg', 'Caddyfile', 'Dockerfile', 'a.yaml', 'a.json', 'site', '<stdin>'];

function mutated(random: Random): string {
  let text = random.pick(texts)[1];
  for (let count = random.int(1, 8); count > 0; count--) {
    const at = random.int(0, text.length);
    const length = random.int(0, 40);
    const other = random.pick(texts)[1];
    const from = random.int(0, other.length);
    text = random.pick([
      () => text.slice(0, at) + random.pick(PIECES) + text.slice(at),
      () => text.slice(0, at) + text.slice(at + length),
      () => text.slice(0, at) + other.slice(from, from + random.int(0, 200)) + text.slice(at),
      () => text.slice(0, at) + String.fromCharCode(random.int(0, 0xffff)) + text.slice(at + 1),
      () => text.slice(at) + text.slice(0, at),
    ])();
  }
  return text;
}

function run(sources: readonly Source[]): LintReport {
  const files = memoryFiles(Object.fromEntries(sources.map(({ path, text }) => [path, text])));
  const report = lint(given(...sources), { linters: LINTERS, context: { environments: [], files } });
  textReport(report, true);
  JSON.stringify(sarif(report, '0'));
  for (const file of planFixes(report.repairs).files) unifiedDiff(file);
  return report;
}

describe('lint', () => {
  it('takes whatever mutated configurations say, alone and together', () => {
    for (let round = 0; round < 150; round++) {
      const random = seededRandom(seed).fork(round);
      const count = random.int(1, 3);
      const sources = Array.from({ length: count }, (_, index) => {
        const name = random.pick(NAMES);
        return new Source(index === 0 ? name : `${index}-${name}`, mutated(random));
      });
      const { findings } = run(sources);
      for (const { file, line, column } of findings) {
        const source = sources.find(({ path }) => path === file);
        expect(source && line <= source.text.split('\n').length, `${file}:${line}, round ${round}`).toBe(true);
        expect(column).toBeGreaterThan(0);
      }
    }
  });

  it('takes bytes that are no text at all', () => {
    const random = seededRandom(seed);
    for (let round = 0; round < 20; round++) {
      const bytes = Buffer.from(Array.from({ length: random.int(0, 2000) }, () => random.int(0, 255)));
      for (const name of NAMES) {
        const source = Source.fromBytes(name, bytes);
        run([source]);
        expect(Buffer.from(source.text, source.encoding).equals(bytes)).toBe(true);
      }
    }
  });

  it.each(['[*a, *a]', '{x: *a, y: *a}', '{<<: *a}', '{<<: [*a, *a]}', '[{kind: List, items: *a}]'])(
    'takes an anchor that is within itself: %s',
    (inner) => {
      const texts = ['kind: Ingress\na', 'static_resources', 'kind: List\nitems', 'resources', 'environments'];
      for (const before of texts) {
        const { findings } = run([new Source('a.yaml', `${before}: &a ${inner}\n`)]);
        expect(findings.map(({ rule }) => rule)).toContain('LINT003');
      }
    },
  );

  /** A configuration of about so many characters, by what is many in it. Each took quadratic time once, or might. */
  const repeated = (head: string, part: (index: number) => string, tail: string, length: number): string => {
    const parts = [head];
    for (let total = 0, index = 0; total < length; index++) {
      const next = part(index);
      parts.push(next);
      total += next.length;
    }
    return parts.join('') + tail;
  };
  const SIZE = 400_000;
  const location = (path: string | number): string =>
    ` location /ws/${path} { proxy_pass http://a; proxy_set_header Upgrade $http_upgrade; }\n`;
  const pods = (name: string): string => `---
{apiVersion: v1, kind: Service, metadata: {name: ${name}}, spec: {selector: {app: ${name}}, ports: [{port: 80}]}}
---
{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: ${name}}, spec: {selector: {matchLabels: {app: ${name}}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: ${name}}, spec: {template: {metadata: {labels: {app: ${name}}}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: ${name}}
spec: {ingressClassName: nginx, rules: [{host: ${name}, http: {paths: [{path: /ws, backend: {serviceName: ${name}}}]}}]}
`;
  it.each([
    ['nginx.conf', 'servers', repeated('', (at) => `server { listen 80; listen 81 http2;${location(at)}}\n`, '', SIZE)],
    [
      'nginx.conf',
      'headers',
      repeated(
        'server {\n',
        (at) => ` proxy_set_header H${at} 1; set $v${at} 1; listen ${at} http2;\n${location(at)}`,
        '}',
        SIZE,
      ),
    ],
    ['nginx.conf', 'one word', `events {}\n${'x'.repeat(SIZE)}`],
    ['nginx.conf', 'braces', `events {}\n${'a{'.repeat(SIZE / 2)}`],
    ['nginx.conf', 'quotes', `events {}\nserver { content_by_lua_block {${'"'.repeat(SIZE)}`],
    [
      'haproxy.cfg',
      'backends',
      repeated(
        'frontend f\n acl w hdr(Upgrade) -i websocket\n',
        (at) => ` use_backend b${at} if w\nbackend b${at}\n server a 1:1\n`,
        '',
        SIZE,
      ),
    ],
    [
      'Caddyfile',
      'matchers',
      repeated('a.com {\n', (at) => ` @m${at} path /x${at}\n reverse_proxy @m${at} ws:1\n`, '}', SIZE),
    ],
    ['cluster.yaml', 'services', repeated('', (at) => pods(`app-${at}`), '', SIZE)],
    ['Dockerfile', 'continued lines', `FROM nginx\n${'RUN x \\\n'.repeat(SIZE / 8)}`],
  ])('takes a large %s with many %s in bounded time', (path, _, text) => {
    expect(run([new Source(path, text)]).files).toBe(1);
  });
});
