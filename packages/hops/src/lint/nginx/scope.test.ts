import { describe, expect, it } from 'vitest';
import { memoryFiles } from '../../files.js';
import { Source } from '../../source.js';
import { given } from '../collect.js';
import { lint, type LintReport } from '../engine.js';
import { planFixes } from '../fix.js';
import { LINTERS } from '../linters.js';
import type { Finding } from '../rule.js';

type Texts = Readonly<Record<string, string>>;

/** Lints files by name; those in `inside` are only there to be included. */
function report(texts: Texts, inside: Texts = {}): LintReport {
  const sources = Object.entries(texts).map(([path, text]) => new Source(path, text));
  const files = memoryFiles({ ...texts, ...inside });
  return lint(given(...sources), { linters: LINTERS, context: { environments: [], files } });
}
const findings = (texts: Texts, inside?: Texts): readonly Finding[] => report(texts, inside).findings;
const rules = (text: string): string[] => findings({ 'site.conf': text }).map(({ rule }) => rule);

const HEADERS = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;';
const MAP = "map $http_upgrade $connection_upgrade { default upgrade; '' ''; }";

describe('one cause is one finding', () => {
  it.each([
    [
      'an Upgrade that was lost',
      `${MAP} server { ${HEADERS} proxy_set_header Connection $connection_upgrade; location /ws { proxy_pass http://a; proxy_set_header X 1; } }`,
      ['NGX011'],
    ],
    [
      'a Connection that was lost',
      `${MAP} server { proxy_set_header Connection $connection_upgrade; location /ws { proxy_pass http://a; ${HEADERS} } }`,
      ['NGX011'],
    ],
    [
      'upgrade beside nothing',
      `server { location /ws { proxy_pass http://a; ${HEADERS} proxy_set_header Connection ""; proxy_set_header Connection upgrade; } }`,
      ['NGX009'],
    ],
    [
      'a swapped name without its map',
      `server { location /ws { proxy_pass http://a; proxy_http_version 1.1; proxy_set_header Upgrade $connection_upgrade; proxy_set_header Connection upgrade; } }`,
      ['NGX007'],
    ],
    ['a location with nothing at all', 'server { location /ws { proxy_pass http://a; } }', ['NGX001']],
    [
      'headers in an if',
      `server { location /ws { if ($http_upgrade) { ${HEADERS.slice(24)} } proxy_pass http://a; } }`,
      ['NGX012'],
    ],
  ])('for %s', (_, text, expected) => {
    expect(rules(text)).toEqual(expected);
  });
});

describe('a variable counts as set', () => {
  it.each([
    ['by set', 'set $how upgrade;', ''],
    ['by geo', '', 'geo $how { default upgrade; }'],
    ['by a group of a regular expression', 'if ($http_upgrade ~ "(?<how>.+)") { set $x 1; }', ''],
    ['by Lua', 'set_by_lua_block $how { return "upgrade" }', ''],
  ])('%s', (_, inLocation, outside) => {
    const location = `location /ws { ${inLocation} proxy_pass http://a; ${HEADERS} proxy_set_header Connection $how; }`;
    expect(rules(`${outside} server { ${location} }`)).toEqual([]);
  });

  it('in another file that is included, or lies beside', () => {
    const server = `server { location /ws { proxy_pass http://a; ${HEADERS} proxy_set_header Connection $connection_upgrade; } }`;
    expect(findings({ 'conf.d/site.conf': server }).map(({ rule, severity }) => [rule, severity])).toEqual([
      ['NGX006', 'warning'],
    ]);
    expect(findings({ 'conf.d/site.conf': server, 'conf.d/map.conf': MAP })).toEqual([]);
    const root = 'worker_shutdown_timeout 1m; error_log e info; events {} http { include maps/*.conf; include site; }';
    expect(findings({ 'nginx.conf': root }, { site: server, 'maps/a.conf': MAP })).toEqual([]);
    expect(findings({ 'nginx.conf': root, site: server }, { 'maps/a.conf': 'map $a $b { }' })).toMatchObject([
      { rule: 'NGX006', severity: 'error', file: 'site' },
    ]);
  });
});

describe('what may stand in a file that was not read', () => {
  it('is a warning where it is missing, for location and server alone', () => {
    const site = (where: string): string =>
      `server { ${where === 'server' ? 'include ws.inc;' : ''} location /ws { ${where === 'location' ? 'include ws/*.inc;' : ''} proxy_pass http://a; } }`;
    const grave = (text: string): string[] =>
      findings({ 'site.conf': text }).flatMap(({ rule, severity }) => (rule === 'NGX001' ? [severity] : []));
    expect(['location', 'server', ''].flatMap((where) => grave(site(where)))).toEqual(['warning', 'warning', 'error']);
    expect(grave(`include other/*.conf; ${site('')}`)).toEqual(['error']);
  });
});

describe('repairs', () => {
  const root = (locations: string): string =>
    `worker_shutdown_timeout 1m; error_log e info; events {} http { ${MAP} server { ${locations} } }`;
  const pass = 'proxy_pass http://a;\nproxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection upgrade;\n';
  /** The files that are repaired. */
  const repaired = (texts: Texts, inside?: Texts): string[] =>
    planFixes(report(texts, inside).repairs).files.map(({ source }) => source.path);

  it('leave alone what is included twice, of which only one may lack what they insert; the finding stays', () => {
    const twice = root('location /ws { include ws; } location /chat { proxy_http_version 1.1; include ws; }');
    const once = root('location /ws { include ws; }');
    expect(report({ 'nginx.conf': twice }, { ws: pass })).toMatchObject({
      findings: [{ rule: 'NGX003', file: 'nginx.conf' }],
      repairs: [],
    });
    expect(repaired({ 'nginx.conf': once }, { ws: pass })).toEqual(['ws']);
    expect(repaired({ 'a.conf': once, 'b.conf': once }, { ws: pass })).toEqual([]);
    // By way of a file that is included twice itself.
    const outer = root('location /ws { include outer; } location /chat { proxy_http_version 1.1; include outer; }');
    expect(repaired({ 'nginx.conf': outer }, { outer: 'include ws;', ws: pass })).toEqual([]);
  });

  /** What the configuration is after them, and how many are left then. */
  const after = (text: string): { text: string; left: number } => {
    const mended = planFixes(report({ 'nginx.conf': text }).repairs).files[0]?.text ?? '';
    return { text: mended, left: report({ 'nginx.conf': mended }).repairs.length };
  };

  it.each([
    ['the swapped', 'proxy_set_header Upgrade $connection_upgrade; proxy_set_header Connection $http_upgrade;'],
    ['a lacking Connection', 'proxy_set_header Upgrade $http_upgrade;'],
    ['both headers', ''],
  ])('of %s add the map that they need, in one run', (_, headers) => {
    const config = `events {}\nhttp {\n  server {\n    location /ws {\n      proxy_pass http://a; proxy_http_version 1.1; ${headers}\n    }\n  }\n}\n`;
    const { text, left } = after(config);
    expect(text).toContain(
      "\n  map $http_upgrade $connection_upgrade {\n      default upgrade;\n      ''      '';\n  }\n\n",
    );
    expect(text).toMatch(/Upgrade \$http_upgrade;\s+proxy_set_header Connection \$connection_upgrade;/);
    expect(left).toBe(0);
  });

  it('leave the comment of a line on it, and the ends of lines as they are', () => {
    const config = root(
      'location /ws {\r\n  proxy_pass http://a; # ours\r\n  proxy_set_header Upgrade $http_upgrade; # theirs\r\n}',
    );
    expect(after(config).text).toContain(
      'location /ws {\r\n  proxy_pass http://a; # ours\r\n  proxy_http_version 1.1;\r\n' +
        '  proxy_set_header Upgrade $http_upgrade; # theirs\r\n  proxy_set_header Connection $connection_upgrade;\r\n}',
    );
  });

  it('of an inherited header bring back all that were lost with it', () => {
    const outer = 'proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr; proxy_http_version 1.1;';
    const headers = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;';
    const { findings: told, repairs } = report({
      'nginx.conf': root(`${outer} location /ws { proxy_pass http://a; ${headers} }`),
    });
    expect(told).toMatchObject([
      { rule: 'NGX011', severity: 'warning', message: expect.stringMatching(/Host, X-Real-IP$/) as string },
    ]);
    const inserted = repairs.flatMap(({ edits }) => edits.map(({ text }) => text.trim()));
    expect(inserted).toEqual([expect.stringMatching(/^proxy_set_header Host \$host;\s+proxy_set_header X-Real-IP/)]);
    const many = Array.from({ length: 60 }, (_, at) => `proxy_set_header X-${at} 1;`).join(' ');
    const config = root(`${outer} ${many} location /ws { proxy_pass http://a; ${headers} }`);
    expect(report({ 'nginx.conf': config })).toMatchObject({ findings: [{ rule: 'NGX011' }], repairs: [] });
  });
});

describe('what nginx -T prints', () => {
  it('is read as the files that it holds, with their own lines', () => {
    const dump = [
      'nginx: configuration file /etc/nginx/nginx.conf test is successful',
      '# configuration file /etc/nginx/nginx.conf:',
      'worker_shutdown_timeout 1m; error_log e info; events {}',
      'http { include /etc/nginx/conf.d/*.conf; }',
      '',
      '# configuration file /etc/nginx/conf.d/site.conf:',
      'server {',
      '  location /ws { proxy_pass http://a; }',
      '}',
      '',
    ].join('\n');
    expect(findings({ '<stdin>': dump })).toMatchObject([
      { rule: 'NGX001', file: '/etc/nginx/conf.d/site.conf', line: 2, column: 3 },
    ]);
  });
});

describe('a file is taken for nginx, HAProxy or Caddy', () => {
  it.each([
    ['nginx.conf', 'worker_processes 1;\nhttp {\n}\n'],
    ['default', 'server {\n  listen 80;\n}\n'],
    ['haproxy.cfg', 'defaults\n  mode http\nbackend a\n  server b 1:1\n'],
    ['<stdin>', 'global\n  log stdout\nfrontend f\n  bind :80\n'],
    ['Caddyfile', 'a.com {\n  reverse_proxy b\n}\n'],
    ['<stdin>', 'a.com {\n  reverse_proxy b:80\n}\n'],
  ])('by its content or name: %s', (path, text) => {
    expect(findings({ [path]: text }).filter(({ rule }) => rule === 'LINT002')).toEqual([]);
  });

  it.each([
    ['notes.txt', 'Put the server behind the proxy; then listen.\n'],
    ['httpd.conf', '<VirtualHost *:80>\n  ProxyPass / http://a/\n</VirtualHost>\n'],
    ['main.c', 'int main(void) {\n  return 0;\n}\n'],
  ])('and nothing else is: %s', (path, text) => {
    expect(findings({ [path]: text }).map(({ rule }) => rule)).toEqual(['LINT002']);
  });
});
